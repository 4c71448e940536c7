//! Products of tiles in 8 bits against a scalar twin: every format, odd numbers of rows, blocks and tokens.

use proptest::prelude::*;
use proptest::sample::select;
use yardstick_api::DeviceStatus;
use yardstick_model::{Format, Tensor};

use super::*;
use crate::build::key;
use crate::gpu::Gpu;
use crate::matrix::Order;
use crate::program::{Depth, Step, record_one};
use crate::shaders::Variant;
use crate::wait::block;

const FORMATS: [Format; 8] = [
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q8_0,
    Format::Q4_K,
    Format::Q5_K,
    Format::Q6_K,
];

#[derive(Clone, Copy, Debug)]
struct Case {
    format: Format,
    rows: usize,
    /// The format's own.
    blocks: usize,
    tokens: usize,
    tile: usize,
    seed: u32,
}

fn cases() -> impl Strategy<Value = Case> {
    let numbers = (1..40_usize, 1..6_usize, 1..40_usize, any::<u32>());
    (select(&FORMATS[..]), select(&[4, 8, 16][..]), numbers).prop_map(
        |(format, tile, (rows, blocks, tokens, seed))| Case {
            format,
            rows,
            blocks,
            tokens,
            tile,
            seed,
        },
    )
}

/// From -1 to 1, the same for a seed.
fn random(state: &mut u32) -> f32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 8) as f32 / (1 << 23) as f32 - 1.0
}

/// Blocks of 32 whose largest is 127 steps and whose others are no closer than a tenth of a step to the middle of two, so that a
/// division a little off rounds alike; one in five is zero.
fn activations(count: usize, state: &mut u32) -> Vec<f32> {
    let mut values = Vec::with_capacity(count);
    for _ in 0..count.div_ceil(32) {
        let step = random(state).abs() * if random(state) < -0.6 { 0.0 } else { 0.1 };
        values.push(127.0 * step);
        values.extend(
            (1..32).map(|_| ((random(state) * 126.0).round() + 0.4 * random(state)) * step),
        );
    }
    values.truncate(count);
    values
}

/// x in steps of a block's largest by 127, whole ones.
fn rounded(x: &[f32]) -> Vec<f64> {
    let block = |block: &[f32]| {
        let step = block.iter().fold(0.0, |high: f32, x| high.max(x.abs())) / 127.0;
        let whole = |x: &f32| f64::from(step) * f64::from((x / step).round());
        let values: Vec<f64> = match step {
            0.0 => vec![0.0; block.len()],
            _ => block.iter().map(whole).collect(),
        };
        values
    };
    x.chunks(32).flat_map(block).collect()
}

/// (tokens, rows), and the sum of what each adds up without signs.
fn twin(case: Case, weights: &[u8], x: &[f32]) -> Vec<[f64; 2]> {
    let cols = case.blocks * case.format.block_len();
    let mut decoded = vec![0.0; case.rows * cols];
    case.format.decode(weights, &mut decoded);
    let product = |x: &[f64], w: &[f32]| {
        let terms = x.iter().zip(w).map(|(x, &w)| x * f64::from(w));
        terms.fold([0.0, 0.0], |[sum, size], term| [sum + term, size + term.abs()])
    };
    let of_token = |x: &[f32]| -> Vec<[f64; 2]> {
        let x = rounded(x);
        decoded.chunks_exact(cols).map(|w| product(&x, w)).collect()
    };
    x.chunks_exact(cols).flat_map(of_token).collect()
}

/// x as shaders read it: [tile][columns with padding][tile's tokens].
fn tiled(x: &[f32], cols: usize, case: Case) -> Vec<u8> {
    let (tile, padded) = (case.tile, cols.next_multiple_of(UNIT));
    let mut out = vec![0.0_f32; case.tokens.next_multiple_of(tile) * padded];
    for (token, x) in x.chunks_exact(cols).enumerate() {
        for (column, &x) in x.iter().enumerate() {
            out[(token / tile * padded + column) * tile + token % tile] = x;
        }
    }
    out.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The product on the adapter, (tokens, rows).
fn on_adapter(gpu: &Gpu, case: Case, weights: &[u8], x: &[f32]) -> Result<Vec<f32>, Error> {
    let Case { format, rows, tokens, tile, .. } = case;
    let cols = case.blocks * format.block_len();
    let tensor = Tensor { name: "w", format, cols, rows, bytes: weights };
    let matrix = Matrix::new(gpu, "w", Order::Stacked(&[tensor]))?;
    let stored = &matrix.parts[0];
    let x = tiled(x, cols, case);
    let (input, output) =
        (gpu.storage("x", x.len() as u64)?, (tokens.next_multiple_of(tile) * rows * 4) as u64);
    gpu.queue.write_buffer(&input, 0, &x);
    let records = gpu.storage("records", x.len() as u64 / 32 * 11)?;
    let (y, nothing) = (gpu.storage("y", output)?, gpu.storage("nothing", 16)?);
    let numbers = |words: &[u32]| -> Result<wgpu::Buffer, Error> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let buffer = gpu.buffer("numbers", 256, wgpu::BufferUsages::UNIFORM)?;
        gpu.queue.write_buffer(&buffer, 0, &bytes);
        Ok(buffer)
    };
    let step = |key: crate::gpu::Key, words: &[u32], parts: &[crate::gpu::Part<'_>], grid| {
        let variant =
            Variant { texels: gpu.texels && key.format.is_some(), subgroups: gpu.subgroups };
        let pipeline = gpu.pipeline(crate::gpu::Key { variant, ..key })?;
        let numbers = numbers(words)?;
        let bound: Vec<_> = std::iter::once(all(&numbers)).chain(parts.iter().cloned()).collect();
        let group = gpu.bind(&pipeline, &bound);
        let depth = Depth::Any;
        Ok::<_, Error>(Step {
            name: "",
            layer: None,
            depth,
            pipeline,
            group,
            grid,
            work: 0,
            bytes: 0,
        })
    };
    let (units, tile) = (matrix.units, tile as u32);
    let quantise = step(
        key(Operation::Quantise, None, &[("TILE", tile)]),
        &[units * 2],
        &[all(&input), all(&records)],
        Grid::EachTile((units * tile / 2).div_ceil(64), tile),
    )?;
    let one = 1.0_f32.to_bits();
    let n = rows as u32;
    let words = [
        units,
        stored.pairs,
        n,
        0,
        n,
        0,
        NONE,
        NONE,
        0,
        stored.supers,
        0,
        one,
        0,
        0,
        0,
        0,
        NONE,
        0,
        units,
        0,
    ];
    let [codes, high, scales] = stored.bindings();
    let product = step(
        key(
            Operation::ProductTile { input: Input::Quantised },
            Some(format),
            &[("TILE", tile), ("PAIRS", 2)],
        ),
        &words,
        &[
            codes,
            high,
            scales,
            all(&records),
            all(&y),
            all(&nothing),
            crate::gpu::part(&nothing, 0, 16),
        ],
        Grid::Tiles(stored.pairs.div_ceil(2), tile),
    )?;
    let staging = gpu.buffer("staging", output, wgpu::BufferUsages::MAP_READ)?;
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        [quantise, product].iter().for_each(|step| record_one(&mut pass, step, tokens as u32));
    }
    encoder.copy_buffer_to_buffer(&y, 0, &staging, 0, output);
    let index = gpu.queue.submit([encoder.finish()]);
    let read = block(gpu.read(&staging, output, Some(index)))?;
    let values = read.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Ok(values.take(tokens * rows).collect())
}

fn hold(gpu: &Gpu, case: Case) -> Result<(), TestCaseError> {
    let mut state = case.seed;
    let cols = case.blocks * case.format.block_len();
    let values: Vec<f32> = (0..case.rows * cols).map(|_| random(&mut state)).collect();
    let mut weights = vec![0; case.rows * case.format.row_bytes(cols)];
    case.format.layout().encode.expect("it can be written")(&values, &mut weights);
    let x = activations(case.tokens * cols, &mut state);
    let found = on_adapter(gpu, case, &weights, &x).expect("it computes");
    for (i, (found, [expected, size])) in found.iter().zip(twin(case, &weights, &x)).enumerate() {
        let (token, row) = (i / case.rows, i % case.rows);
        let off = (f64::from(*found) - expected).abs();
        prop_assert!(off <= 1e-5 * size, "token {token} row {row}: {found} for {expected}");
    }
    Ok(())
}

#[test]
fn tiles_in_8_bits_are_what_a_scalar_twin_computes() {
    let devices = crate::devices();
    let ready = |status: &DeviceStatus| match status {
        DeviceStatus::Ready(device) => Some(device.id.clone()),
        DeviceStatus::Missing { .. } => None,
    };
    let Some(id) = devices.iter().find_map(ready) else {
        return println!("skipped: {devices:?}");
    };
    // One of its own: another test loses the one that sessions share.
    let gpu = block(Gpu::alone(&id, None)).expect("it opens");
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() };
    proptest!(config, |(case in cases())| hold(&gpu, case)?);
}
