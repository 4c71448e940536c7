//! Whether two sides compute the same: their values, bit by bit, or else how far apart they are.

use std::path::Path;

use yardstick_api::slices::{Answer, Request};

use super::turns::prepare;
use super::worker::Worker;
use crate::{Drift, Error};

/// The values of slice 0, of a fresh preparation.
pub(super) fn output(
    worker: &mut Worker,
    kernel: &str,
    shared: Option<&Path>,
    to: &Path,
) -> Result<Vec<u8>, Error> {
    prepare(worker, kernel, shared.map(Path::to_owned))?;
    let values = match worker.ask(&Request::Output { file: to.to_owned() })? {
        Answer::Output { values } => values,
        other => return Err(worker.unexpected(&other)),
    };
    let bytes = std::fs::read(to).map_err(|error| Error::file(to, error))?;
    let _ = std::fs::remove_file(to);
    if bytes.len() != 4 * values {
        let found = bytes.len();
        let what = format!("{}: {found} bytes for {values} values of 4", to.display());
        return Err(Error::Request(what));
    }
    Ok(bytes)
}

/// How far the candidate's values are from the base's.
pub(super) fn drift(base: &[u8], candidate: &[u8]) -> Drift {
    if base == candidate {
        return Drift::None;
    }
    if base.len() != candidate.len() {
        return Drift::Shape { base: base.len() / 4, candidate: candidate.len() / 4 };
    }
    let values = |bytes: &[u8]| -> Vec<f64> {
        bytes.as_chunks::<4>().0.iter().map(|v| f64::from(f32::from_le_bytes(*v))).collect()
    };
    let (base, candidate) = (values(base), values(candidate));
    let error: f64 = base.iter().zip(&candidate).map(|(b, c)| (b - c).powi(2)).sum();
    let power: f64 = base.iter().map(|b| b.powi(2)).sum();
    let nmse = if power > 0.0 { error / power } else { error };
    Drift::Error { nmse: nmse.is_finite().then_some(nmse) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_none_for_equal_bits_and_relative_otherwise() {
        let bytes = |values: &[f32]| -> Vec<u8> {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        let base = bytes(&[3.0, 4.0]);
        assert_eq!(drift(&base, &base), Drift::None);
        assert_eq!(drift(&base, &bytes(&[3.0, 4.5])), Drift::Error { nmse: Some(0.01) });
        assert_eq!(drift(&base, &bytes(&[3.0, f32::NAN])), Drift::Error { nmse: None });
        assert_eq!(drift(&base, &base[..4]), Drift::Shape { base: 2, candidate: 1 });
    }
}
