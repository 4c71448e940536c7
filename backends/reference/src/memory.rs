//! Memory: how much there is, and allocations that fail with an error instead of ending the process.

use yardstick_api::{Error, Known};

/// Bytes the system could give us now.
pub(crate) fn available() -> Known<u64> {
    const SOURCE: &str = "/proc/meminfo";
    let Ok(text) = std::fs::read_to_string(SOURCE) else {
        return Known::unavailable(format!("{SOURCE} cannot be read on this system"));
    };
    text.lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .and_then(|kib| kib.checked_mul(1024))
        .map_or_else(|| Known::unavailable(format!("{SOURCE} has no MemAvailable")), Known::Value)
}

/// `length` zeros.
pub(crate) fn zeros(length: usize) -> Result<Vec<f32>, Error> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(length)
        .map_err(|_| Error::OutOfMemory(format!("{length} f32 values")))?;
    values.resize(length, 0.0);
    Ok(values)
}
