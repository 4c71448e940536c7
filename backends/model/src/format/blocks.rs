//! Walking blocks: whole blocks of bytes beside whole blocks of weights. Knows no format.

/// Calls `decode` on each block of `B` bytes with the `L` weights it becomes. Stops at the shorter side.
#[inline(always)]
pub(super) fn decode<const B: usize, const L: usize>(
    bytes: &[u8],
    out: &mut [f32],
    decode: impl Fn(&[u8; B], &mut [f32; L]),
) {
    let (blocks, _) = bytes.as_chunks::<B>();
    let (weights, _) = out.as_chunks_mut::<L>();
    for (block, weights) in blocks.iter().zip(weights) {
        decode(block, weights);
    }
}

/// Calls `encode` on each block of `L` weights with the `B` bytes it becomes. Stops at the shorter side.
#[inline(always)]
pub(super) fn encode<const B: usize, const L: usize>(
    values: &[f32],
    out: &mut [u8],
    encode: impl Fn(&[f32; L], &mut [u8; B]),
) {
    let (weights, _) = values.as_chunks::<L>();
    let (blocks, _) = out.as_chunks_mut::<B>();
    for (weights, block) in weights.iter().zip(blocks) {
        encode(weights, block);
    }
}

/// As [`encode`], with the importance of every weight.
#[inline(always)]
pub(super) fn encode_best<const B: usize, const L: usize>(
    values: &[f32],
    importance: &[f32],
    out: &mut [u8],
    encode: impl Fn(&[f32; L], &[f32; L], &mut [u8; B]),
) {
    let (weights, _) = values.as_chunks::<L>();
    let (importance, _) = importance.as_chunks::<L>();
    let (blocks, _) = out.as_chunks_mut::<B>();
    for ((weights, importance), block) in weights.iter().zip(importance).zip(blocks) {
        encode(weights, importance, block);
    }
}

/// The `N` bytes of a block's field at byte `at`. Offsets are constants, so the check costs nothing.
#[inline(always)]
pub(super) fn field<const N: usize>(block: &[u8], at: usize) -> &[u8; N] {
    block[at..].first_chunk().expect("a format's fields lie inside its block")
}
