//! Attention of one sequence's rows: two products per group of heads and a softmax between them, in f32.

use candle_core::{Device, Result, Tensor};

/// `queries` (heads, n, key_dim), already scaled, against `keys` (kv_heads, length, key_dim) and `values`
/// (kv_heads, length, value_dim): (n, heads * value_dim). `mask` (n, length) is added to the scores.
/// Query heads that share a key head are rows of one product, so keys are not repeated.
pub(crate) fn attend(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let (heads, n, key_dim) = queries.dims3()?;
    let (kv_heads, length, value_dim) = values.dims3()?;
    let rows = heads / kv_heads * n;
    let scores = queries.reshape((kv_heads, rows, key_dim))?.matmul(&keys.t()?)?;
    let scores = match mask {
        Some(mask) => scores.reshape((heads, n, length))?.broadcast_add(mask)?,
        None => scores,
    };
    let shares = candle_nn::ops::softmax_last_dim(&scores)?.reshape((kv_heads, rows, length))?;
    let out = shares.matmul(values)?; // (kv_heads, heads / kv_heads * n, value_dim)
    out.reshape((heads, n, value_dim))?.transpose(0, 1)?.reshape((n, heads * value_dim))
}

/// What hides later positions from `n` rows that start at `position`: (n, position + n) of 0 and minus infinity; none for one row.
pub(crate) fn causal(position: usize, n: usize) -> Result<Option<Tensor>> {
    if n == 1 {
        return Ok(None);
    }
    let length = position + n;
    let hidden = |row, column| if column > position + row { f32::NEG_INFINITY } else { 0.0 };
    let values: Vec<f32> =
        (0..n).flat_map(|row| (0..length).map(move |column| hidden(row, column))).collect();
    Tensor::from_vec(values, (n, length), &Device::Cpu).map(Some)
}
