//! Allocations that fail with an error instead of ending the process.

use yardstick_api::Error;

/// `length` zeros.
pub(crate) fn zeros(length: usize) -> Result<Vec<f32>, Error> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(length)
        .map_err(|_| Error::OutOfMemory(format!("{length} f32 values")))?;
    values.resize(length, 0.0);
    Ok(values)
}
