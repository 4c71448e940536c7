//! Properties of every format's codec: sizes, no panic on any bytes or weights, bounded error.

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use yardstick_model::Format;

/// Weights per property: eight super-blocks, a multiple of every block length.
const LEN: usize = 2048;

fn decode(format: Format, bytes: &[u8], len: usize) -> Vec<f32> {
    let mut out = vec![0.0; len];
    format.decode(bytes, &mut out);
    out
}

/// One of a format's encoders.
#[derive(Clone, Copy, Debug)]
struct Codec {
    format: Format,
    /// The one that searches.
    best: bool,
}

fn encode(codec: Codec, values: &[f32]) -> Vec<u8> {
    encode_weighted(codec, values, &vec![1.0; values.len()])
}

fn encode_weighted(codec: Codec, values: &[f32], importance: &[f32]) -> Vec<u8> {
    let layout = codec.format.layout();
    let mut bytes = vec![0xaa; codec.format.row_bytes(values.len())];
    match layout.best.filter(|_| codec.best) {
        Some(encode) => encode(values, importance, &mut bytes),
        None => layout.encode.expect("every format can be written")(values, &mut bytes),
    }
    bytes
}

fn round_trip(codec: Codec, values: &[f32]) -> Vec<f32> {
    decode(codec.format, &encode(codec, values), values.len())
}

fn writable() -> impl Iterator<Item = Codec> {
    let both = |format| [false, true].map(|best| Codec { format, best });
    let all = Format::ALL.into_iter().flat_map(both);
    all.filter(|codec| !codec.best || codec.format.layout().best.is_some())
}

fn quantised() -> impl Iterator<Item = Codec> {
    writable().filter(|codec| codec.format.block_len() > 1)
}

#[test]
fn blocks_have_the_sizes_of_the_file_format() {
    let expected = [
        (1, 4),
        (1, 2),
        (1, 2),
        (32, 18),
        (32, 20),
        (32, 22),
        (32, 24),
        (32, 34),
        (256, 84),
        (256, 110),
        (256, 144),
        (256, 176),
        (256, 210),
        (32, 18),
    ];
    for (format, (len, bytes)) in Format::ALL.into_iter().zip(expected) {
        assert_eq!((format.block_len(), format.block_bytes()), (len, bytes), "{format:?}");
        assert_eq!(format.row_bytes(512), 512 / len * bytes, "{format:?}");
    }
}

#[test]
fn zeros_stay_zeros() {
    for codec in writable() {
        for zero in [0.0, -0.0] {
            let back = round_trip(codec, &[zero; 256]);
            assert!(back.iter().all(|&y| y == 0.0), "{codec:?}");
        }
    }
}

#[test]
fn equal_weights_stay_nearly_equal() {
    for codec in writable() {
        for value in [1.0, -1.0, 0.01, -300.0] {
            for y in round_trip(codec, &[value; 256]) {
                assert!((y - value).abs() <= value.abs() * 0.01, "{codec:?} {value} became {y}");
            }
        }
    }
}

#[test]
fn weights_far_from_zero_and_close_together_stay_near() {
    let values: Vec<f32> = (0..256).map(|i| 1.0 + i as f32 * 1e-4).collect();
    for codec in writable() {
        let back = round_trip(codec, &values);
        for (y, x) in back.into_iter().zip(&values) {
            assert!((y - x).abs() <= 0.07, "{codec:?} {x} became {y}");
        }
    }
}

#[test]
fn a_nan_counts_as_zero_in_every_quantised_format() {
    let mut values: Vec<f32> = (0..256).map(|i| (i as f32 - 128.0) / 100.0).collect();
    for codec in quantised() {
        for at in [0, 77, 255] {
            values[at] = 0.0;
            let expected = encode(codec, &values);
            values[at] = f32::NAN;
            assert_eq!(encode(codec, &values), expected, "{codec:?}");
        }
    }
}

#[test]
fn weights_beyond_the_scales_saturate_to_finite_numbers_of_their_sign() {
    for codec in writable().filter(|codec| !matches!(codec.format, Format::F32 | Format::BF16)) {
        for huge in [1e6, 1e9, 1e30, f32::MAX, f32::INFINITY] {
            if codec.format == Format::F16 && huge.is_infinite() {
                continue;
            }
            let values: Vec<f32> =
                (0..256).map(|i| if i % 3 == 0 { -huge } else { huge }).collect();
            for (x, y) in values.iter().zip(round_trip(codec, &values)) {
                assert!(y.is_finite(), "{codec:?} {x:e} became {y:e}");
                assert!(y * x.signum() >= 0.0, "{codec:?} {x:e} became {y:e}");
            }
        }
    }
}

#[test]
fn weights_below_the_scales_become_finite_and_no_larger_than_a_scale_step() {
    for codec in writable() {
        for tiny in [f32::from_bits(1), 1e-40, 1e-20, 1e-12, 1e-9] {
            let values: Vec<f32> = (0..256).map(|i| (i as f32 - 128.0) * tiny).collect();
            for (x, y) in values.iter().zip(round_trip(codec, &values)) {
                assert!((y - x).abs() <= 128.0 * tiny + 6e-8, "{codec:?} {x:e} became {y:e}");
            }
        }
    }
}

#[test]
fn lengths_that_disagree_end_at_the_shorter_side() {
    for format in Format::ALL {
        let bytes = vec![0; 2 * format.block_bytes()];
        let mut short = vec![7.0; format.block_len() + format.block_len() / 2];
        format.decode(&bytes, &mut short);
        assert!(short[..format.block_len()].iter().all(|&y| y.abs() < 7.0), "{format:?}");
        format.decode(&bytes[..1], &mut short);
    }
}

#[test]
fn scales_among_the_subnormal_halves_do_not_cut_off_the_largest_weights() {
    let mut largest = 5e-5f32;
    while largest < 5e-3 {
        let values: Vec<f32> = (0..256).map(|i| (i as f32 - 128.0) * largest / 128.0).collect();
        for codec in quantised() {
            for (x, y) in values.iter().zip(round_trip(codec, &values)) {
                let bound = 2.0 * largest * step(codec.format);
                assert!((y - x).abs() <= bound, "{codec:?} {x:e} became {y:e} of {largest:e}");
            }
        }
        largest *= 1.03;
    }
}

/// Roughly normal weights from integers alone: four uniforms of a linear congruential generator,
/// with the magnitude of the super-block changing by powers of two.
fn fixed_weights() -> Vec<f32> {
    let mut state = 20u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0 - 0.5
    };
    let mut weight = |i: usize| {
        let sum = (uniform() + uniform()) + (uniform() + uniform());
        sum / (1u32 << (i / 256 % 12)) as f32
    };
    (0..64 * 256).map(&mut weight).collect()
}

#[test]
fn importance_moves_the_error_to_where_it_matters_less_and_hostile_ones_do_no_harm() {
    let values = fixed_weights();
    let heavy = |i: usize| i.is_multiple_of(5);
    let importance: Vec<f32> =
        (0..values.len()).map(|i| if heavy(i) { 100.0 } else { 1.0 }).collect();
    let error = |bytes: &[u8], format: Format| {
        let back = decode(format, bytes, values.len());
        let squares = back.iter().zip(&values).enumerate().filter(|(i, _)| heavy(*i));
        squares.map(|(_, (y, x))| f64::from(y - x).powi(2)).sum::<f64>()
    };
    for codec in quantised().filter(|codec| codec.best) {
        let plain = error(&encode(codec, &values), codec.format);
        let weighted = error(&encode_weighted(codec, &values, &importance), codec.format);
        assert!(weighted < plain * 0.97, "{codec:?}: {weighted:e} of {plain:e}");
        for hostile in [0.0, -1.0, f32::NAN, f32::INFINITY, f32::MAX, 1e-40] {
            let mixed: Vec<f32> =
                (0..values.len()).map(|i| if heavy(i) { hostile } else { 1.0 }).collect();
            for importance in [vec![hostile; values.len()], mixed] {
                let bytes = encode_weighted(codec, &values, &importance);
                let back = decode(codec.format, &bytes, values.len());
                assert!(back.iter().all(|y| y.is_finite()), "{codec:?} {hostile}");
            }
        }
    }
}

#[test]
fn one_huge_outlier_leaves_the_other_groups_alone() {
    for codec in quantised() {
        let mut values: Vec<f32> =
            (0..512).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let before = round_trip(codec, &values);
        values[3] = 1e4;
        let after = round_trip(codec, &values);
        assert_eq!(before[256..], after[256..], "{codec:?}");
        assert!((after[3] / 1e4 - 1.0).abs() < 0.1, "{codec:?} {}", after[3]);
    }
}

#[test]
fn encoders_give_the_same_bytes_on_every_machine() {
    let values = fixed_weights();
    let mut wrong = Vec::new();
    for (format, fast, best) in [
        (Format::Q4_0, "aa8c409765a538d4", "4d4affa14fe96454"),
        (Format::Q4_1, "a84bdb5a013bc033", "af9a99671d0f9838"),
        (Format::Q5_0, "9527c4901f77fe16", "8fc11bb146300209"),
        (Format::Q5_1, "983339e6f0653f61", "f2d9d09fb3710886"),
        (Format::Q8_0, "4d360d6c1b504212", "28ee869959e8fa78"),
        (Format::Q4_K, "f3c274a1a8ffdb7e", "5f9888b63056d61e"),
        (Format::Q5_K, "62b7ebc3abfa65ff", "af874f334c15acc6"),
        (Format::Q6_K, "b66d903ca3513a1e", "80069eacc09c04fc"),
        (Format::Q2_K, "1018eeea3d8d845a", "1018eeea3d8d845a"),
        (Format::Q3_K, "0059ec0d31850a79", "0059ec0d31850a79"),
        (Format::IQ4_NL, "6af2dfd5ebc01ee7", "6af2dfd5ebc01ee7"),
    ] {
        for (best, expected) in [(false, fast), (true, best)] {
            let digest = Sha256::digest(encode(Codec { format, best }, &values));
            let digest: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            if digest != expected {
                wrong.push(format!("{format:?}, best {best}: {digest}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Scales of the magnitudes that real weights have, signs mixed.
fn weights() -> impl Strategy<Value = Vec<f32>> {
    let weight = prop_oneof![8 => -1.0..1.0f32, 1 => Just(0.0f32), 1 => -8.0..8.0f32];
    (prop::collection::vec(weight, LEN), -12..8i32)
        .prop_map(|(weights, power)| weights.into_iter().map(|w| w * 2f32.powi(power)).collect())
}

/// The widest a code step can be, over the span (zero included) of the weights that share a super-block.
fn step(format: Format) -> f32 {
    match format {
        Format::F32 => 0.0,
        Format::F16 => 1.0 / 2048.0,
        Format::BF16 => 1.0 / 256.0,
        Format::Q4_0 => 1.0 / 8.0,
        Format::Q4_1 => 1.0 / 15.0,
        Format::Q5_0 => 1.0 / 16.0,
        Format::Q5_1 => 1.0 / 31.0,
        Format::Q8_0 => 1.0 / 127.0,
        Format::Q4_K => 1.0 / 12.0,
        Format::Q5_K => 1.0 / 25.0,
        Format::Q6_K => 1.0 / 28.0,
        Format::Q2_K => 1.0 / 2.0,
        Format::Q3_K => 1.0 / 3.0,
        // The widest gap of the table is 24 of 240; a scale may be one eighth too small.
        Format::IQ4_NL => 1.0 / 6.0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn decoding_any_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
        for format in Format::ALL {
            decode(format, &bytes, bytes.len() / format.block_bytes() * format.block_len());
        }
    }

    #[test]
    fn encoding_any_weights_does_not_panic_and_the_bytes_decode_to_numbers(
        bits in prop::collection::vec(any::<u32>(), 256)
    ) {
        let values: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        for codec in quantised() {
            let back = round_trip(codec, &values);
            prop_assert!(back.iter().all(|y| y.is_finite()), "{:?}", codec);
        }
    }

    #[test]
    fn a_weight_moves_by_at_most_one_code_step(values in weights()) {
        for codec in writable() {
            let back = round_trip(codec, &values);
            for (x, y) in values.chunks(256).zip(back.chunks(256)) {
                let low = x.iter().copied().fold(0.0, f32::min);
                let high = x.iter().copied().fold(0.0, f32::max);
                let bound = (high - low) * step(codec.format) + 1e-6;
                for (x, y) in x.iter().zip(y) {
                    prop_assert!((x - y).abs() <= bound, "{:?} {} became {}", codec, x, y);
                }
            }
        }
    }

    #[test]
    fn unquantised_formats_keep_what_they_decode_to(bits in prop::collection::vec(any::<u8>(), 512)) {
        for format in [Format::F32, Format::F16, Format::BF16] {
            let codec = Codec { format, best: false };
            let first = decode(format, &bits, bits.len() / format.block_bytes());
            let again = round_trip(codec, &first);
            for (a, b) in first.iter().zip(&again) {
                prop_assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "{:?}", format);
            }
        }
    }

    #[test]
    fn encoding_what_was_decoded_stays_within_the_first_error(values in weights()) {
        for codec in writable() {
            let once = round_trip(codec, &values);
            let twice = round_trip(codec, &once);
            let error = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
            prop_assert!(error(&once, &twice) <= error(&values, &once) + 1e-9, "{:?}", codec);
        }
    }

    #[test]
    fn blocks_do_not_know_their_neighbours(values in weights()) {
        for codec in writable() {
            let whole = encode(codec, &values);
            let tail = encode(codec, &values[LEN / 2..]);
            prop_assert_eq!(&whole[whole.len() / 2..], &tail[..], "{:?}", codec);
        }
    }
}
