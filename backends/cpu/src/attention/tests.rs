//! Attention against its definition in f64, on every instruction set, for every storage.

use proptest::prelude::*;
use yardstick_api::KvType;

use super::*;
use crate::bench;
use crate::kv::Kv;

/// A head's cache of `positions` and its keys and values as they were stored.
struct Cache {
    kv: Kv,
    dim: usize,
}

/// Numbers between -1 and 1 without a pattern that lines up with blocks.
fn values(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

impl Cache {
    fn new(seed: u64, dim: usize, positions: usize, kind: KvType) -> Cache {
        let kv = Kv::new(&[bench::layer(dim)], 1, positions, kind).unwrap();
        let (keys, rows) = (values(seed, dim * positions), values(seed + 1, dim * positions));
        for position in 0..positions {
            let at = position * dim..(position + 1) * dim;
            // SAFETY: nobody else has the cache.
            unsafe {
                kv.layer(0).put_key(0, 0, position, &keys[at.clone()]);
                kv.layer(0).put_value(0, 0, position, &rows[at]);
            }
        }
        Cache { kv, dim }
    }

    fn head(&self, softcap: Option<f32>, pairs: bool) -> Head<'_> {
        let (kv, dim) = (self.kv.layer(0), self.dim);
        Head { kv, sequence: 0, head: 0, key_dim: dim, value_dim: dim, softcap, pairs }
    }

    /// Key and value of a position as stored, in f32.
    fn stored(&self, position: usize) -> (Vec<f32>, Vec<f32>) {
        let (dim, width) = (self.dim, value_width(self.dim));
        let (mut keys_buffer, mut values_buffer) = (vec![0.0; dim * LINE], vec![0.0; width * KEYS]);
        let layer = self.kv.layer(0);
        // SAFETY: nobody writes.
        let (keys, values) = unsafe {
            let keys = layer.keys(0, 0, position / LINE * LINE, 1);
            (keys, layer.values(0, 0, position / KEYS * KEYS, 1))
        };
        let keys = keys.widen(Isa::Scalar, true, &mut keys_buffer);
        let values = values.widen(Isa::Scalar, false, &mut values_buffer);
        let key = (0..dim).map(|k| keys[k * LINE + position % LINE]).collect();
        let value = |d: usize| values[(d / LINE * KEYS + position % KEYS) * LINE + d % LINE];
        (key, (0..dim).map(value).collect())
    }

    /// The definition.
    fn exact(&self, query: &[f32], sees: Range<usize>, softcap: Option<f32>) -> Vec<f64> {
        let stored: Vec<_> = sees.map(|position| self.stored(position)).collect();
        let score = |key: &[f32]| -> f64 {
            let dot: f64 = key.iter().zip(query).map(|(&k, &q)| f64::from(k) * f64::from(q)).sum();
            softcap.map_or(dot, |cap| f64::from(cap) * (dot / f64::from(cap)).tanh())
        };
        let scores: Vec<f64> = stored.iter().map(|(key, _)| score(key)).collect();
        let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - best).exp()).sum();
        let mut out = vec![0.0; self.dim];
        for (score, (_, value)) in scores.iter().zip(&stored) {
            let weight = (score - best).exp() / total;
            out.iter_mut().zip(value).for_each(|(out, &v)| *out += weight * f64::from(v));
        }
        out
    }
}

/// Largest difference of some rows, each seeing up to `positions - rows + i + 1`, to the definition; in parts or whole.
fn worst(
    isa: Isa,
    cache: &Cache,
    queries: &[f32],
    sees: impl Fn(usize) -> Range<usize>,
    softcap: Option<f32>,
    edges: &[usize],
    pairs: bool,
) -> f64 {
    let (dim, rows) = (cache.dim, queries.len() / cache.dim);
    let mut scratch = Scratch::new(dim, dim);
    let len = partial_len(dim);
    let mut parts = vec![vec![0.0; rows * len]; edges.len() + 1];
    let mut found = vec![vec![0.0; dim]; rows];
    for (part, kept) in parts.iter_mut().enumerate() {
        let from = if part == 0 { 0 } else { edges[part - 1] };
        let to = edges.get(part).copied().unwrap_or(usize::MAX);
        let sees = |i: usize| sees(i).start.max(from)..sees(i).end.min(to);
        scratch.queries[..queries.len()].copy_from_slice(queries);
        // SAFETY: nobody writes.
        unsafe { attend(isa, cache.head(softcap, pairs), rows, sees, &mut scratch) };
        Partial(kept).keep(&scratch, rows, dim);
        if edges.is_empty() {
            (0..rows).for_each(|i| found[i].copy_from_slice(scratch.finish(isa, i, dim)));
        }
    }
    if !edges.is_empty() {
        for (i, found) in found.iter_mut().enumerate() {
            merge(isa, parts.iter().map(|part| &part[i * len..(i + 1) * len]), found);
        }
    }
    let row = |i: usize| {
        let exact = cache.exact(&queries[i * dim..(i + 1) * dim], sees(i), softcap);
        let differences = exact.iter().zip(&found[i]).map(|(e, &f)| (e - f64::from(f)).abs());
        differences.fold(0.0, |a: f64, b| if b <= a { a } else { b })
    };
    (0..rows).map(row).fold(0.0, |a: f64, b| if b <= a { a } else { b })
}

const KINDS: [KvType; 3] = [KvType::F32, KvType::F16, KvType::Q8_0];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn attention_matches_its_definition_on_every_isa_for_every_storage(
        seed in 1..1000_u64,
        rows in 1..=ROWS,
        groups in 1..4_usize,
        positions in 1..300_usize,
        window in prop::option::of(1..200_usize),
        softcap in prop::option::of(2_f32..50.0),
        parts in 0..3_usize,
    ) {
        let (dim, positions) = (32 * groups, positions.max(rows));
        let mut queries = values(seed + 2, rows * dim);
        queries.iter_mut().for_each(|q| *q *= 0.7);
        let sees = |i: usize| {
            let own = positions - rows + i + 1;
            window.map_or(0, |window| own.saturating_sub(window))..own
        };
        // Parts end with blocks, and some may hold nothing that is seen.
        let edges: Vec<usize> = (1..=parts).map(|part| positions * part / 3 / KEYS * KEYS).collect();
        for kind in KINDS {
            let cache = Cache::new(seed, dim, positions, kind);
            for isa in Isa::usable() {
                let exact = worst(isa, &cache, &queries, sees, softcap, &edges, false);
                prop_assert!(exact < 2e-5, "{isa:?} {kind:?}: {exact}");
                // Every value is rounded by up to 1 in 256, scores of up to `dim` products and the weights made of them.
                let pairs = worst(isa, &cache, &queries, sees, softcap, &edges, true);
                prop_assert!(pairs < 2e-2, "{isa:?} {kind:?}, pairs: {pairs}");
                prop_assert!(kind != KvType::F32 || pairs == exact, "f32 stays f32");
            }
        }
    }
}

#[test]
fn odd_widths_and_every_height_of_a_tile_are_whole() {
    for dim in [16, 48, 80, 112, 256] {
        let cache = Cache::new(7, dim, 100, KvType::F16);
        for rows in 1..=10 {
            let queries = values(9, rows * dim);
            for isa in Isa::usable() {
                for (pairs, limit) in [(false, 2e-5), (true, 2e-2)] {
                    let worst = worst(isa, &cache, &queries, |_| 3..100, None, &[], pairs);
                    assert!(worst < limit, "{isa:?} {dim} {rows}: {worst}");
                }
            }
        }
    }
}

#[test]
fn scores_far_apart_and_equal_ones_are_calm() {
    let cache = Cache::new(3, 64, 200, KvType::F32);
    for by in [0.0, 1e-30, 50.0, 1e4] {
        let queries: Vec<f32> = values(4, 3 * 64).iter().map(|q| q * by).collect();
        for isa in Isa::usable() {
            let worst = worst(isa, &cache, &queries, |_| 0..200, None, &[128], false);
            // Scores of hundreds and more carry an error of their own in f32.
            let limit = if by > 100.0 { 0.1 } else { 1e-4 };
            assert!(worst < limit, "{isa:?} {by}: {worst}");
        }
    }
}

#[test]
fn what_is_not_a_number_stays_so_and_touches_no_other_row() {
    let cache = Cache::new(5, 64, 90, KvType::F16);
    for isa in Isa::usable() {
        for (rows, pairs) in [(2, false), (paired(), true), (DIRECT + 1, true)] {
            let mut scratch = Scratch::new(64, 64);
            scratch.queries[..rows * 64].copy_from_slice(&values(6, rows * 64));
            scratch.queries[3] = f32::NAN;
            // SAFETY: nobody writes.
            unsafe { attend(isa, cache.head(None, pairs), rows, |_| 0..90, &mut scratch) };
            assert!(scratch.finish(isa, 0, 64).iter().all(|x| x.is_nan()), "{isa:?}");
            for row in 1..rows {
                assert!(scratch.finish(isa, row, 64).iter().all(|x| x.is_finite()), "{isa:?}");
            }
        }
    }
}

/// Every f16 there is by [`Vector::load_halves`], 16 beside 16 others.
struct Shorten<'a> {
    halves: &'a [u16],
    out: &'a mut Vec<u32>,
}

impl Job for Shorten<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let mut words = [0.0; 16];
        for halves in self.halves.as_chunks::<32>().0 {
            // SAFETY: 32 of one and 16 of the other, the caller's features.
            unsafe { V::load_halves(halves.as_ptr()).store(words.as_mut_ptr()) };
            self.out.extend(words.map(f32::to_bits));
        }
    }
}

#[test]
fn every_finite_half_is_rounded_to_the_nearest_bf16_by_a_shift() {
    let halves: Vec<u16> = (0..=u16::MAX).map(|half| half.wrapping_mul(40_503)).collect();
    let by = |isa: Isa| {
        let mut out = Vec::new();
        run(isa, isa.bf16(), Shorten { halves: &halves, out: &mut out });
        out
    };
    let plain = by(Isa::Scalar);
    assert_eq!(plain.len(), halves.len() / 2);
    for isa in Isa::usable() {
        assert!(by(isa) == plain, "{isa:?}");
    }
    for (i, word) in plain.iter().enumerate() {
        let at = i / 16 * 32 + i % 16;
        for (half, bits) in [(halves[at], word << 16), (halves[at + 16], word & 0xFFFF_0000)] {
            let exact = crate::kernels::f16_to_f32(half);
            if !exact.is_finite() {
                continue;
            }
            let found = f32::from_bits(bits) * Halves::FACTOR;
            // Half of the last of eight bits of a fraction, or of that of f16's normal numbers where those end.
            let limit = exact.abs().max(0.5_f32.powi(14)) / 256.0;
            assert!((found - exact).abs() <= limit, "{half:#x}: {found} of {exact}");
        }
    }
}

/// The powers of `x` by [`vector::rough_exp2`].
struct Powers<'a> {
    x: &'a [f32],
    out: &'a mut Vec<f32>,
}

impl Job for Powers<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let mut powers = [0.0; 16];
        for x in self.x.as_chunks::<16>().0 {
            // SAFETY: 16 of each, the caller's features.
            unsafe { vector::rough_exp2(V::load(x.as_ptr())).store(powers.as_mut_ptr()) };
            self.out.extend(powers);
        }
    }
}

#[test]
fn rough_powers_of_two_are_within_what_they_say() {
    let mut x: Vec<f32> = (0..160_000).map(|i| -125.0 * i as f32 / 160_000.0).collect();
    x.extend([-0.0, -124.999, -125.0, -126.0, -1e4, f32::MIN, f32::NEG_INFINITY, f32::NAN]);
    x.extend([-1.0; 8]);
    for isa in Isa::usable() {
        let mut found = Vec::new();
        run(isa, isa.bf16(), Powers { x: &x, out: &mut found });
        assert_eq!(found.len(), x.len());
        for (&x, &found) in x.iter().zip(&found) {
            let exact = f64::from(x.max(-125.0)).exp2();
            match x.is_nan() {
                true => assert!(found.is_nan(), "{isa:?}"),
                false => {
                    assert!((f64::from(found) / exact - 1.0).abs() < 8e-5, "{isa:?} {x}: {found}")
                }
            }
        }
    }
}

#[test]
fn keys_and_values_that_are_not_finite_are_read_as_what_they_are() {
    let rows = paired();
    for odd in [f32::INFINITY, f32::NAN, 1e6] {
        let cache = Cache::new(5, 64, 90, KvType::F16);
        let mut value = values(8, 64);
        value[7] = odd;
        // SAFETY: nobody else has the cache.
        unsafe { cache.kv.layer(0).put_value(0, 0, 40, &value) };
        for isa in Isa::usable() {
            let found = [false, true].map(|pairs| {
                let mut scratch = Scratch::new(64, 64);
                scratch.queries[..rows * 64].copy_from_slice(&values(6, rows * 64));
                // SAFETY: nobody writes.
                unsafe { attend(isa, cache.head(None, pairs), rows, |_| 0..90, &mut scratch) };
                scratch.finish(isa, 1, 64).iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            });
            assert_eq!(found[0], found[1], "{isa:?}");
            assert!(!f32::from_bits(found[1][7]).is_finite());
        }
    }
}

#[test]
fn what_stands_behind_the_last_position_is_not_seen() {
    let cache = Cache::new(5, 64, 90, KvType::F16);
    // SAFETY: nobody else has the cache.
    unsafe {
        cache.kv.layer(0).put_key(0, 0, 39, &[f32::NAN; 64]);
        cache.kv.layer(0).put_value(0, 0, 39, &[f32::NAN; 64]);
    }
    for isa in Isa::usable() {
        for rows in [1, paired(), DIRECT + 1] {
            // An odd number of positions: the last is multiplied together with the one behind it.
            let queries = values(6, rows * 64);
            let worst = worst(isa, &cache, &queries, |_| 0..39, None, &[], true);
            assert!(worst < 2e-2, "{isa:?} {rows}: {worst}");
        }
    }
}

#[test]
fn who_is_rounded_to_bf16_is_said_by_rows_storage_and_width() {
    for (rows, kv, dim, wanted) in [
        (1, KvType::F16, 64, false),
        (paired() - 1, KvType::F16, 64, false),
        (paired(), KvType::F16, 64, true),
        (DIRECT, KvType::Q8_0, 64, false),
        (DIRECT + 1, KvType::Q8_0, 64, true),
        (ROWS, KvType::F32, 64, false),
        (ROWS, KvType::F16, 15, false),
        (ROWS, KvType::F16, 17, false),
    ] {
        assert_eq!(pairs_pay(rows, kv, dim), wanted, "{rows} {kv:?} {dim}");
    }
}
