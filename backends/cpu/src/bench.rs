//! Single kernels on made-up data, for the benches of suites/kernels: what one thread of a session calls, and nothing
//! around it. Hidden and without promises: nothing but those benches may use it.

use yardstick_api::{Error, KvType, Limit, Numerics};
use yardstick_model::Format;
use yardstick_model::arch::{
    Activation, Factors, Ffn, Gate, Layer, Rotary as Embedding, RotaryStyle,
};

use crate::attention::{Head, Scratch, attend};
use crate::buffer::Buffer;
use crate::kernels::activations::{Forms, Rows, Tiles};
use crate::kernels::elementwise::{exponentials, largest, rms_norm, scale, silu_times};
use crate::kernels::integer::Panel;
use crate::kernels::packed::{pack_panels, packed_bytes};
use crate::kernels::{FEW, Input, Isa, Kernel, Out, TILE, Weights, multiply};
use crate::kv::Kv;
use crate::rotary::Rotation;

/// Runs a kernel once.
pub type Run = Box<dyn FnMut()>;

/// An operation on rows of f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elementwise {
    /// RMS norm of a row.
    RmsNorm,
    /// `silu(gate) * up` of a row.
    SiluTimes,
    /// Softmax of a row: largest, exponentials, scale.
    Softmax,
    /// Rotation of a row of 64-wide heads, pairs of halves.
    Rotary,
    /// A row to 8 bits, as decode reads it.
    QuantiseRow,
    /// Eight rows to 8 bits, as prefill reads them.
    QuantiseTile,
}

/// Every instruction set there are kernels for, best last, and whether this processor has it.
pub fn isas() -> Vec<(&'static str, bool)> {
    Isa::all().into_iter().map(|(name, isa)| (name, isa.is_ok())).collect()
}

fn find(name: &str) -> Result<Isa, Error> {
    let found = Isa::all().into_iter().find(|(known, _)| *known == name);
    found
        .and_then(|(_, isa)| isa.ok())
        .ok_or_else(|| Error::Device(format!("this processor has no {name}")))
}

/// The arithmetic that bounds products of a format: 8-bit integers, or f32.
pub fn arithmetic(isa: &str, format: Format) -> Result<Limit, Error> {
    Ok(match Kernel::choose(format, find(isa)?, Numerics::A8) {
        Kernel::Integer(_) => Limit::Int8,
        Kernel::Float(_) => Limit::F32,
    })
}

/// `rows` rows of `cols` weights times `columns` columns of activations, which are in the kernel's form already.
pub fn product(
    isa: &str,
    format: Format,
    numerics: Numerics,
    [rows, cols, columns]: [usize; 3],
    bytes: Vec<u8>,
) -> Result<Run, Error> {
    let isa = find(isa)?;
    if bytes.len() != rows * format.row_bytes(cols) {
        return Err(Error::Invalid(format!("{} bytes for {rows} x {cols}", bytes.len())));
    }
    let kernel = Kernel::choose(format, isa, numerics);
    // What a session reads: packed where there is a packed layout, on lines of their own.
    let packed = kernel.packer();
    let row_bytes = format.row_bytes(cols);
    let mut weights = Buffer::<u8>::zeroed(packed_bytes(rows, row_bytes))?;
    match packed {
        Some(pack) => pack_panels(pack, &bytes, cols, row_bytes, weights.all_mut()),
        None => weights.all_mut()[..bytes.len()].copy_from_slice(&bytes),
    }
    let forms = kernel.forms();
    let mut panel =
        Panel::new(cols, forms.bytes(), forms.float || forms.brain || isa == Isa::Scalar)?;
    let out = Buffer::zeroed(rows * columns)?;
    let x = ramp(cols * TILE);
    let mut few = Rows::new(columns.min(FEW), cols)?;
    let tiles = Tiles::new(if columns > FEW { columns } else { 0 }, cols, forms)?;
    if columns <= FEW {
        few.reset(cols);
        (0..columns).for_each(|row| few.fill(isa, row, &x[..cols], forms));
    } else {
        for tile in 0..columns.div_ceil(TILE) {
            let here = (columns - tile * TILE).min(TILE);
            // SAFETY: nobody else has the tiles yet.
            unsafe { tiles.fill(isa, tile, &x[..here * cols], cols, forms) };
        }
    }
    Ok(Box::new(move || {
        // SAFETY: written above, and never again.
        let bytes = unsafe { weights.read(0..weights.len()) };
        let weights = Weights { kernel, format, cols, packed: packed.is_some(), bytes };
        let input = match columns <= FEW {
            true => Input::Rows(&few, columns),
            false => Input::Tiles(&tiles, columns),
        };
        // SAFETY: the buffer is this closure's own.
        let out = unsafe { Out::new(&out, 0, rows) };
        multiply(isa, &weights, 0..rows, input, &out, &mut panel);
    }))
}

/// `rows` queries of one key head, `dim` wide, over `positions` positions; the last rows see them all.
pub fn attention(isa: &str, kv: KvType, [rows, dim, positions]: [usize; 3]) -> Result<Run, Error> {
    let isa = find(isa)?;
    let cache = Kv::new(&[layer(dim)], 1, positions, kv)?;
    for (position, row) in ramp(dim * positions).chunks_exact(dim).enumerate() {
        // SAFETY: nobody else has the cache yet.
        unsafe {
            cache.layer(0).put_key(0, 0, position, row);
            cache.layer(0).put_value(0, 0, position, row);
        }
    }
    let mut scratch = Scratch::new(dim, dim);
    let queries = ramp(rows * dim);
    Ok(Box::new(move || {
        scratch.queries[..rows * dim].copy_from_slice(&queries);
        let (kv, softcap) = (cache.layer(0), None);
        let at = Head { kv, sequence: 0, head: 0, key_dim: dim, value_dim: dim, softcap };
        // SAFETY: the cache is this closure's own.
        unsafe { attend(isa, at, rows, |_| 0..positions, &mut scratch) };
    }))
}

/// An operation on rows of `width`.
pub fn elementwise(isa: &str, operation: Elementwise, width: usize) -> Result<Run, Error> {
    let isa = find(isa)?;
    let x = ramp(width);
    let int8 = Forms { int8: true, ..Forms::default() };
    Ok(match operation {
        Elementwise::RmsNorm => {
            let (weight, mut out) = (vec![1.0; width], vec![0.0; width]);
            Box::new(move || rms_norm(isa, &x, &weight, 1e-5, &mut out))
        }
        Elementwise::SiluTimes => {
            let mut gate = x.clone();
            Box::new(move || {
                gate.copy_from_slice(&x);
                silu_times(isa, &mut gate, &x);
            })
        }
        Elementwise::Softmax => {
            let mut scores = x.clone();
            Box::new(move || {
                scores.copy_from_slice(&x);
                let shift = largest(isa, &scores);
                let sum = exponentials(isa, &mut scores, shift);
                scale(isa, &mut scores, 1.0 / sum);
            })
        }
        Elementwise::Rotary => {
            let rotation = Rotation::new(&rotary(), 4096, 0);
            let (mut angles, mut heads) = (vec![0.0; HEAD], x);
            rotation.angles(1000, &mut angles);
            Box::new(move || {
                heads.chunks_exact_mut(HEAD).for_each(|head| {
                    rotation.rotate(&angles, head, false);
                });
            })
        }
        Elementwise::QuantiseRow => {
            let mut rows = Rows::new(1, width)?;
            rows.reset(width);
            Box::new(move || rows.fill(isa, 0, &x, int8))
        }
        Elementwise::QuantiseTile => {
            let (tiles, x) = (Tiles::new(TILE, width, int8)?, ramp(TILE * width));
            // SAFETY: the tiles are this closure's own.
            Box::new(move || unsafe { tiles.fill(isa, 0, &x, width, int8) })
        }
    })
}

/// Width of a head that turns.
const HEAD: usize = 64;

fn rotary() -> Embedding {
    let (style, factors) = (RotaryStyle::Halves, Factors::None);
    Embedding { style, dims: HEAD, base: 1e4, scale: 1.0, factors, magnitude: 1.0, yarn: None }
}

/// A layer of one head.
pub(crate) fn layer(dim: usize) -> Layer {
    Layer {
        heads: 1,
        kv_heads: 1,
        key_dim: dim,
        value_dim: dim,
        fused_qkv: false,
        qkv_bias: false,
        output_bias: false,
        qk_norm: None,
        rotary: None,
        window: None,
        attention_scale: 1.0,
        softcap: None,
        post_norms: false,
        parallel: false,
        ffn: Ffn {
            width: 1,
            activation: Activation::Silu,
            gate: Gate::Separate,
            gate_bias: false,
            up_bias: false,
            down_bias: false,
            experts: None,
        },
    }
}

/// Numbers between -1 and 1, none of them tiny.
fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + 11) % 200) as f32 / 100.0 - 0.995).collect()
}
