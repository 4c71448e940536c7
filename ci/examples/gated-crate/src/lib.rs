//! Counts words and sums numbers, at a speed worth guarding.

/// Words of a text.
pub fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Sum of squares.
pub fn squares(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, value| sum.wrapping_add(value.wrapping_mul(*value)))
}
