//! Every kernel's arithmetic, emulated, against plain sums on the host: every format, shapes that nothing divides.

mod emulator;

use emulator::Emulated;
use yardstick_cuda::machine::Argument::{Address, Count, Real};
use yardstick_cuda::machine::{Argument, Driver, Launch, Machine, Unit};
use yardstick_cuda::repack::{Packed, repack};
use yardstick_model::{Format, Tensor};

/// Formats of files that a kernel reads.
fn formats() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|&format| Packed::of(format).is_some())
}

/// Numbers between -1 and 1 that look like noise and are the same every time.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A matrix in a format: its bytes, and what they decode to.
struct Made {
    format: Format,
    rows: usize,
    cols: usize,
    bytes: Vec<u8>,
    values: Vec<f32>,
}

impl Made {
    fn new(format: Format, rows: usize, cols: usize) -> Made {
        let values = noise(rows as u64 * 7 + cols as u64, rows * cols);
        let mut bytes = vec![0; rows * format.row_bytes(cols)];
        (format.layout().encode.expect("it is written too"))(&values, &mut bytes);
        let mut values = vec![0.0; rows * cols];
        format.decode(&bytes, &mut values);
        Made { format, rows, cols, bytes, values }
    }

    /// (rows of x, rows)
    fn times(&self, x: &[f32]) -> Vec<f32> {
        let row = |x: &[f32], w: &[f32]| -> f32 {
            x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum::<f64>() as f32
        };
        let of = |x| self.values.chunks_exact(self.cols).map(move |w| row(x, w));
        x.chunks_exact(self.cols).flat_map(of).collect()
    }
}

/// One emulated GPU and shorthands.
struct Bench(Box<dyn Driver>);

impl Bench {
    fn new() -> Bench {
        Bench(Emulated::new().open(0).expect("opens"))
    }

    fn put(&mut self, bytes: &[u8]) -> u64 {
        let address = self.0.allocate(bytes.len() as u64, "a test").expect("there is room");
        self.0.write(address, bytes).expect("writes");
        address
    }

    fn floats(&mut self, values: &[f32]) -> u64 {
        self.put(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    fn numbers(&mut self, values: &[u32]) -> u64 {
        self.put(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    fn matrix(&mut self, made: &Made) -> (u64, Packed) {
        let (format, bytes) = (made.format, &made.bytes[..]);
        let tensor = Tensor { name: "made", format, cols: made.cols, rows: made.rows, bytes };
        let (packed, planes) = repack(&tensor).expect("has a kernel");
        assert_eq!(planes.len() as u64, packed.bytes(made.rows, made.cols));
        (self.put(&planes), packed)
    }

    fn run(
        &mut self,
        entry: &'static str,
        defines: &[(&'static str, &str)],
        grid: [u32; 3],
        threads: u32,
        arguments: Vec<Argument>,
    ) {
        let defines = defines.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        let kernel = self.0.compile(&Unit { entry, defines }).expect("compiles");
        let launch = Launch { kernel, name: entry, grid, threads, arguments };
        self.0.run(&[launch]).expect("runs");
    }

    fn read_floats(&mut self, from: u64, count: usize) -> Vec<f32> {
        self.read_numbers(from, count).into_iter().map(f32::from_bits).collect()
    }

    fn read_numbers(&mut self, from: u64, count: usize) -> Vec<u32> {
        let mut bytes = vec![0; 4 * count];
        self.0.read(from, &mut bytes).expect("reads");
        bytes.as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect()
    }
}

/// Mean squared error relative to the mean square of what is expected.
fn error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |values: &mut dyn Iterator<Item = f32>| -> f64 {
        values.map(|v| f64::from(v) * f64::from(v)).sum()
    };
    let wrong = square(&mut found.iter().zip(expected).map(|(f, e)| f - e));
    wrong / square(&mut expected.iter().copied())
}

/// A width of that many units, and more where the format's blocks do not divide it.
fn width(format: Format, units: usize) -> usize {
    match format.block_len() {
        1 => 32 * units - 5,
        length => (32 * units).next_multiple_of(length),
    }
}

#[test]
fn products_of_few_rows_are_right_in_every_format_and_beyond_what_is_staged_at_once() {
    if !emulator::possible() {
        return;
    }
    let mut bench = Bench::new();
    for format in formats() {
        // One row in one piece, five in two groups of four, and one row longer than a chunk.
        for (rows, units, outs) in [(1, 3, 7), (5, 9, 18), (1, 130, 2)] {
            let made = Made::new(format, outs, width(format, units));
            let x = noise(3, rows * made.cols);
            let (bias, residual) = (noise(4, outs), noise(5, rows * outs));
            let (planes, packed) = bench.matrix(&made);
            let [x_at, bias_at, residual_at] = [&x, &bias, &residual].map(|v| bench.floats(v));
            let out = bench.floats(&vec![f32::NAN; rows * outs]);
            let together = if rows == 1 { "1" } else { "4" };
            let arguments = vec![
                Address(x_at),
                Count(made.cols as u32),
                Count(rows as u32),
                Address(planes),
                Count(outs as u32),
                Address(bias_at),
                Address(residual_at),
                Real(0.5),
                Address(out),
            ];
            let grid = [2, rows.div_ceil(if rows == 1 { 1 } else { 4 }) as u32, 1];
            let defines = [("FORMAT", packed.name()), ("ROWS", together)];
            bench.run("project", &defines, grid, 256, arguments);
            let mut expected = made.times(&x);
            for (i, y) in expected.iter_mut().enumerate() {
                *y = residual[i] + 0.5 * (*y + bias[i % outs]);
            }
            let found = error(&bench.read_floats(out, rows * outs), &expected);
            let limit = if packed.is_dense() { 1e-10 } else { 2e-4 };
            assert!(found < limit, "{format:?} {rows} x {} x {outs}: {found:e}", made.cols);
        }
    }
}

#[test]
fn products_of_many_rows_are_right_in_every_format_on_tiles_that_nothing_fills() {
    if !emulator::possible() {
        return;
    }
    let mut bench = Bench::new();
    for (i, format) in formats().enumerate() {
        let (rows, outs, tile) = (131, 70, if i % 2 == 0 { 64 } else { 128 });
        let made = Made::new(format, outs, width(format, 3));
        let padded = made.cols.next_multiple_of(32);
        // Activations that bf16 holds, so that only weights are rounded.
        let x: Vec<f32> =
            noise(6, rows * made.cols).iter().map(|x| (x * 64.0).round() / 64.0).collect();
        let mut halves = vec![0_u8; rows * padded * 2];
        for (at, x) in x.iter().enumerate() {
            let to = (at / made.cols * padded + at % made.cols) * 2;
            halves[to..to + 2].copy_from_slice(&((x.to_bits() >> 16) as u16).to_le_bytes());
        }
        let (planes, packed) = bench.matrix(&made);
        let x_at = bench.put(&halves);
        let out = bench.floats(&vec![f32::NAN; rows * outs]);
        let mut arguments = vec![Address(x_at), Count(made.cols as u32), Count(rows as u32)];
        arguments.extend([Address(planes), Address(planes), Count(outs as u32)]);
        arguments.extend([Address(0), Address(0), Address(0), Real(2.0), Count(0)]);
        arguments.extend([Address(out), Count(96)]);
        let grid = [outs.div_ceil(tile) as u32, 2, 1];
        let (name, tile) = (packed.name(), tile.to_string());
        let defines = [("FORMAT", name), ("FORMAT_UP", name), ("MODE", "0"), ("TILE_N", &tile)];
        bench.run("matmul", &defines, grid, 256, arguments);
        let expected: Vec<f32> = made.times(&x).iter().map(|y| 2.0 * y).collect();
        let found = error(&bench.read_floats(out, rows * outs), &expected);
        assert!(found < 1e-5, "{format:?}: {found:e}");
    }
}

#[test]
fn rows_of_an_embedding_are_those_of_the_file_in_every_format() {
    if !emulator::possible() {
        return;
    }
    let mut bench = Bench::new();
    for format in formats() {
        let made = Made::new(format, 5, width(format, 9));
        let (planes, packed) = bench.matrix(&made);
        let tokens = bench.numbers(&[4, 0, 2]);
        let out = bench.floats(&vec![f32::NAN; 3 * made.cols]);
        let arguments = vec![
            Address(planes),
            Count(5),
            Count(made.cols as u32),
            Address(0),
            Real(1.0),
            Address(tokens),
            Address(tokens),
            Address(out),
        ];
        bench.run("embed", &[("FORMAT", packed.name())], [1, 3, 1], 256, arguments);
        let rows: Vec<&[f32]> = made.values.chunks_exact(made.cols).collect();
        let expected = [rows[4], rows[0], rows[2]].concat();
        let found = error(&bench.read_floats(out, 3 * made.cols), &expected);
        assert!(found < 1e-12, "{format:?}: {found:e}");
    }
}

#[test]
fn attention_split_into_parts_equals_a_plain_softmax() {
    if !emulator::possible() {
        return;
    }
    let (heads, kv_heads, dim, context, window) = (18, 2, 21, 300, 250);
    let positions = [299_u32, 70, 0];
    let q = noise(7, positions.len() * heads * dim);
    let (keys, values) = (noise(8, kv_heads * context * dim), noise(9, kv_heads * context * dim));
    let mut bench = Bench::new();
    let [q_at, keys_at, values_at] = [&q, &keys, &values].map(|v| bench.floats(v));
    let (at, sequences) = (bench.numbers(&positions), bench.numbers(&[0; 3]));
    // Nine query heads a key head are two groups.
    let (parts, groups) = (3, 2 * kv_heads);
    let partial = bench.floats(&vec![f32::NAN; 3 * heads * parts * (2 + dim)]);
    let counters = bench.numbers(&vec![0; 3 * groups]);
    let out = bench.floats(&vec![f32::NAN; 3 * heads * dim]);
    let mut arguments = [q_at, keys_at, values_at, at, sequences].map(Address).to_vec();
    let counts = [context, 1, heads, kv_heads, dim, dim, window];
    arguments.extend(counts.map(|n| Count(n as u32)));
    arguments.extend([Real(0.3), Real(2.0), Address(partial), Address(counters), Address(out)]);
    let mut expected = Vec::new();
    for (row, &position) in positions.iter().enumerate() {
        for head in 0..heads {
            let query = &q[(row * heads + head) * dim..][..dim];
            let cell = |p: usize| (head / 9 * context + p) * dim;
            let oldest = (position as usize + 1).saturating_sub(window);
            let seen: Vec<usize> = (oldest..=position as usize).collect();
            let share = |&p: &usize| {
                let dot: f32 = query.iter().zip(&keys[cell(p)..]).map(|(a, b)| a * b).sum();
                (2.0 * (dot * 0.3 / 2.0).tanh()).exp()
            };
            let shares: Vec<f32> = seen.iter().map(share).collect();
            let total: f32 = shares.iter().sum();
            expected.extend((0..dim).map(|d| {
                seen.iter().zip(&shares).map(|(&p, s)| s / total * values[cell(p) + d]).sum::<f32>()
            }));
        }
    }
    // Twice, since the counters must be left as they were found.
    for _ in 0..2 {
        let grid = [parts as u32, groups as u32, 3];
        bench.run("attend", &[("CACHE", "1")], grid, 128, arguments.clone());
        let found = error(&bench.read_floats(out, 3 * heads * dim), &expected);
        assert!(found < 1e-10, "{found:e}");
    }
}

#[test]
fn the_next_token_is_the_best_the_lowest_among_equals_and_never_a_nan() {
    if !emulator::possible() {
        return;
    }
    let nan = f32::NAN;
    let cases: [(&[f32], &[u32], u32); 4] = [
        (&[1.0, 3.0, 3.0, 2.0], &[9, 8, 5, 1], 5),
        (&[nan, -2.0, -1.0, nan], &[9, 8, 5, 1], 5),
        (&[f32::NEG_INFINITY; 4], &[u32::MAX; 4], 0),
        (&[f32::INFINITY, 0.0, 0.0, 0.0], &[3, 2, 1, 0], 3),
    ];
    let mut bench = Bench::new();
    let values: Vec<f32> = cases.iter().flat_map(|case| case.0).copied().collect();
    let indices: Vec<u32> = cases.iter().flat_map(|case| case.1).copied().collect();
    let (values, indices) = (bench.floats(&values), bench.numbers(&indices));
    let [tokens, positions, steps] = [[0; 4], [7; 4], [0; 4]].map(|v| bench.numbers(&v));
    let ids = bench.numbers(&[u32::MAX; 8]);
    let arguments = vec![
        Address(values),
        Address(indices),
        Count(4),
        Count(4),
        Count(2),
        Address(tokens),
        Address(positions),
        Address(steps),
        Address(ids),
    ];
    for _ in 0..3 {
        bench.run("argmax", &[], [4, 1, 1], 256, arguments.clone());
    }
    let expected: Vec<u32> = cases.iter().map(|case| case.2).collect();
    assert_eq!(bench.read_numbers(tokens, 4), expected);
    assert_eq!(bench.read_numbers(positions, 4), [10; 4]);
    assert_eq!(bench.read_numbers(steps, 4), [3; 4]);
    assert_eq!(bench.read_numbers(ids, 8), [expected.clone(), expected].concat());
}

/// The emulation itself: what would hang or fault a GPU is an error.
#[test]
fn arguments_that_do_not_match_a_kernel_are_refused() {
    if !emulator::possible() {
        return;
    }
    let mut bench = Bench::new();
    let kernel = bench.0.compile(&Unit { entry: "barrier", defines: vec![] }).expect("compiles");
    let launch =
        |grid, threads, arguments| Launch { kernel, name: "test", grid, threads, arguments };
    for (launch, why) in [
        (launch([1; 3], 256, vec![Count(1)]), "takes p"),
        (launch([1; 3], 256, vec![]), "takes p"),
        (launch([1; 3], 128, vec![Address(0)]), "128 threads"),
        (launch([1, 0, 1], 256, vec![Address(0)]), "256 threads"),
        (launch([1; 3], 256, vec![Address(64)]), "not allocated"),
    ] {
        let error = bench.0.run(&[launch]).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
}
