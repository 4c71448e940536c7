//! Our formats as candle's, which of them it lacks, and which it re-lays into tiles beside the stored blocks.

use candle_core::quantized::GgmlDType;
use yardstick_model::Format;

use crate::machine::Tier;

/// How candle holds a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Decoded to f32, multiplied by the `gemm` crate.
    Dense,
    /// Blocks as stored in the file, activations quantised to 8 bits.
    Blocks(GgmlDType),
}

/// How candle holds matrices of this format; `None` where it has no such type.
pub(crate) fn storage(format: Format) -> Option<Storage> {
    Some(match format {
        Format::F32 | Format::F16 | Format::BF16 => Storage::Dense,
        Format::Q4_0 => Storage::Blocks(GgmlDType::Q4_0),
        Format::Q4_1 => Storage::Blocks(GgmlDType::Q4_1),
        Format::Q5_0 => Storage::Blocks(GgmlDType::Q5_0),
        Format::Q5_1 => Storage::Blocks(GgmlDType::Q5_1),
        Format::Q8_0 => Storage::Blocks(GgmlDType::Q8_0),
        Format::Q2_K => Storage::Blocks(GgmlDType::Q2K),
        Format::Q3_K => Storage::Blocks(GgmlDType::Q3K),
        Format::Q4_K => Storage::Blocks(GgmlDType::Q4K),
        Format::Q5_K => Storage::Blocks(GgmlDType::Q5K),
        Format::Q6_K => Storage::Blocks(GgmlDType::Q6K),
        _ => return None,
    })
}

/// Rows of one tile.
const TILE_ROWS: usize = 16;
/// Weights along a row that a tile covers.
const TILE_COLS: usize = 256;

/// Bytes of the tiles candle makes of a (rows, cols) matrix when it multiplies `tokens` rows of activations at once, and
/// keeps beside the blocks; `None` where it reads the blocks themselves (candle's `repack_x86::select` and tile types).
pub(crate) fn tile_bytes(
    format: Format,
    tier: Tier,
    rows: usize,
    cols: usize,
    tokens: usize,
) -> Option<u64> {
    let weights = (rows as u64).saturating_mul(cols as u64);
    let stored = weights / format.block_len() as u64 * format.block_bytes() as u64;
    if tier == Tier::Neon {
        // Interleaved blocks, as large as the stored ones.
        let relaid = [Format::Q4_0, Format::Q4_K, Format::Q5_K, Format::Q6_K, Format::Q8_0]
            .contains(&format);
        return relaid.then_some(stored);
    }
    if tier == Tier::Plain || !rows.is_multiple_of(TILE_ROWS) || !cols.is_multiple_of(TILE_COLS) {
        return None;
    }
    let of_tile = |bytes: u64| Some(weights / (TILE_ROWS * TILE_COLS) as u64 * bytes);
    match format {
        // 8 scales and 8 minima in f32 a row, 4 bits a weight.
        Format::Q4_K => of_tile(2 * 8 * 4 * 16 + 2048),
        // 16 scales in f32 a row, 8 bits a weight; single rows are multiplied with the blocks.
        Format::Q6_K if tokens > 1 => of_tile(16 * 4 * 16 + 4096),
        Format::Q8_0 if tier != Tier::Avx2 => Some(stored),
        _ => None,
    }
}

/// Bytes of the tiles of AMX, which candle makes of Q4_K for 32 or more rows of activations, beside the others.
pub(crate) fn amx_bytes(format: Format, rows: usize, cols: usize) -> u64 {
    let weights = (rows as u64).saturating_mul(cols as u64);
    match format {
        Format::Q4_K if rows.is_multiple_of(TILE_ROWS) && cols.is_multiple_of(TILE_COLS) => {
            weights / (TILE_ROWS * TILE_COLS) as u64 * (2 * 8 * 4 * 16 + 4096)
        }
        _ => 0,
    }
}

/// What multiplies matrices of this format, for facts.
pub(crate) fn kernel(format: Format, tier: Tier) -> String {
    let dots = match (tier, format) {
        // Candle has no vector code for these.
        (Tier::Plain, _) | (_, Format::Q4_1 | Format::Q5_0 | Format::Q5_1) => "plain block dots",
        (Tier::Avx512Vnni | Tier::AvxVnni | Tier::Avx2, _) => "avx2 block dots",
        (Tier::Neon, _) => "neon block dots",
    };
    match storage(format) {
        Some(Storage::Dense) | None => "decoded to f32, gemm".to_owned(),
        Some(Storage::Blocks(_)) => match tile_bytes(format, tier, TILE_ROWS, TILE_COLS, 2) {
            Some(_) if format == Format::Q6_K && tier != Tier::Neon => {
                format!("{} tiles, {dots} for a single row", tier.name())
            }
            Some(_) => format!("{} tiles where the shape allows, else {dots}", tier.name()),
            None => dots.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_take_what_candles_types_take() {
        let tier = Tier::Avx512Vnni;
        let cases = [
            (Format::Q4_K, 1, Some(3072)),
            (Format::Q6_K, 1, None),
            (Format::Q6_K, 2, Some(5120)),
            (Format::Q8_0, 1, Some(4352)),
            (Format::Q4_0, 512, None),
            (Format::F16, 512, None),
        ];
        for (format, tokens, expected) in cases {
            assert_eq!(tile_bytes(format, tier, 16, 256, tokens), expected, "{format:?} {tokens}");
        }
        assert_eq!(tile_bytes(Format::Q8_0, tier, 16, 576, 1), None, "not whole tiles");
        assert_eq!(tile_bytes(Format::Q8_0, Tier::Avx2, 16, 256, 1), None);
        assert_eq!(tile_bytes(Format::Q4_K, Tier::Plain, 16, 256, 1), None);
    }

    #[test]
    fn every_format_is_held_or_named_as_lacking() {
        let lacking: Vec<&str> = Format::ALL
            .into_iter()
            .filter(|&format| storage(format).is_none())
            .map(Format::name)
            .collect();
        assert_eq!(lacking, ["IQ4_NL"]);
    }
}
