//! The ranges of activations that products are quantised with: one call of the dynamic form on the runtime's own processor provider,
//! in f32 over the very weights that will run, with fixed tokens.

use std::sync::Arc;

use ort::memory::Allocator;
use ort::value::Tensor;
use yardstick_api::{Error, KvType, Numerics, Token, verify};
use yardstick_model::Model;

use super::dynamic::{Dynamic, Shape};
use super::make::{Resident, write_graph};
use super::maker::Maker;
use super::{Form, failed};
use crate::network::{RANGE, Style, dynamic};
use crate::providers::{Place, Provider};
use crate::weights::{Converted, Ranges, Scheme};

/// Tokens of the calibration.
pub(super) const TOKENS: usize = 128;

/// What the activations of a model were, by where they go into a product or come out of it.
pub(super) fn ranges(
    resident: &Resident<'_>,
    model: &Arc<Model>,
    converted: &Converted,
    scheme: Scheme,
) -> Result<Ranges, Error> {
    let missing = || Error::Device("there is no ort:cpu to calibrate on".into());
    let provider = Provider::of("ort:cpu").ok_or_else(missing)?;
    let place = Place { provider, plugin: None, ..resident.place.clone() };
    let mut maker = Maker {
        place: &place,
        process: resident.process,
        threads: resident.threads,
        numerics: Numerics::F32,
        fallback: false,
        profiles: None,
        nodes: Vec::new(),
    };
    let architecture = model.architecture();
    let context = architecture.context.clamp(1, TOKENS);
    let style = Style { accuracy: 0, scheme, kv: KvType::F32, plain: false, echo: false };
    let graph = dynamic(model, &converted.index, style, context)?;
    let session = maker.session(&write_graph(converted, &graph)?)?;
    let shape = Shape { context, sequences: 1, kv: KvType::F32, chosen: context };
    let form = Dynamic::new(session, model, &shape).map_err(failed)?;
    // Not verification's tokens, which are the first of this series: what is calibrated with must not be what is judged with.
    let tokens = verify::prompt(architecture.vocab, verify::CONTEXT + context);
    form.ranges(&tokens[verify::CONTEXT..])
}

impl Dynamic {
    /// Runs tokens from the start on and gives the ranges that the graph tells.
    fn ranges(mut self, tokens: &[Token]) -> Result<Ranges, Error> {
        let memory = Allocator::default();
        let outputs = self.session.session.outputs().iter().map(|output| output.name().to_owned());
        let names: Vec<String> = outputs.filter(|name| name.starts_with(RANGE)).collect();
        let mut told = Vec::new();
        for name in names {
            let mut range = Tensor::<f32>::new(&memory, [1_usize, 2]).map_err(failed)?;
            let binding = &mut self.slots[0].binding;
            binding.bind_output(name.as_str(), &mut range).map_err(failed)?;
            told.push((name, range));
        }
        let wanted: Vec<usize> = (0..tokens.len()).collect();
        self.run(0, 0, tokens, &wanted, &mut Vec::new())?;
        told.iter().map(|(name, range)| read(name, range.extract_tensor().1)).collect()
    }
}

/// A range, by where it was met.
fn read(output: &str, range: &[f32]) -> Result<(String, [f32; 2]), Error> {
    let place = output.trim_start_matches(RANGE);
    match *range {
        [least, greatest] if least.is_finite() && greatest.is_finite() => {
            Ok((place.to_owned(), [least, greatest]))
        }
        _ => Err(Error::Device(format!("{place}: activations from {range:?} in the calibration"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_is_no_range_of_numbers_is_an_error() {
        let found = read("range.blk.0.attn_q.in", &[-1.0, 2.0]).unwrap();
        assert_eq!(found, ("blk.0.attn_q.in".to_owned(), [-1.0, 2.0]));
        let error = read("range.output.out", &[-1.0, f32::NAN]).unwrap_err().to_string();
        assert!(error.contains("output.out") && error.contains("NaN"), "{error}");
    }
}
