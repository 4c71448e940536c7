//! Packed panels of float weights: column after column, each the values of 16 rows. For rows so long that their input leaves
//! the L1, or so short that adding up their lanes costs a tenth of their time.
//!
//! A row kernel reads as many bytes of input as of weights, or twice as many; here one value of the input meets 16 weights, and
//! the weights are still one stream.

use yardstick_model::Format;

#[cfg(target_arch = "x86_64")]
use super::packed_x86 as x86;
use crate::kernels::Isa;
use crate::kernels::activations::Row;
use crate::kernels::integer::ROWS;
use crate::kernels::packed::{COLUMNS, Run};
use crate::kernels::quant::half_at;
use crate::kernels::table::{PackFn, RowsFn};

/// Makes and multiplies panels of a float format.
#[derive(Clone, Copy)]
pub(crate) struct FloatPanels {
    /// Rows to a panel.
    pub(crate) pack: PackFn,
    /// A run times few columns.
    pub(crate) rows: RowsFn,
}

/// A float format.
pub(crate) trait Value {
    const BYTES: usize;

    /// The value at the start of `bytes`.
    fn value(bytes: &[u8]) -> f32;
}

pub(crate) struct Half;
pub(crate) struct Brain;
pub(crate) struct Single;

impl Value for Half {
    const BYTES: usize = 2;

    fn value(bytes: &[u8]) -> f32 {
        half_at(bytes)
    }
}

impl Value for Brain {
    const BYTES: usize = 2;

    fn value(bytes: &[u8]) -> f32 {
        f32::from_bits(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 16)
    }
}

impl Value for Single {
    const BYTES: usize = 4;

    fn value(bytes: &[u8]) -> f32 {
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}

/// Those of a format on an instruction set; `None`: not a float format.
pub(crate) fn panels(format: Format, isa: Isa) -> Option<FloatPanels> {
    match format {
        Format::F16 => Some(of::<Half>(isa)),
        Format::BF16 => Some(of::<Brain>(isa)),
        Format::F32 => Some(of::<Single>(isa)),
        _ => None,
    }
}

#[cfg(target_arch = "x86_64")]
fn of<V: x86::Wide>(isa: Isa) -> FloatPanels {
    let rows: RowsFn = match isa {
        Isa::Avx512Vnni(_) => x86::avx512::<V>,
        Isa::Avx2(_) => x86::avx2::<V>,
        Isa::Scalar => plain::<V>,
    };
    FloatPanels { pack: pack::<V>, rows }
}

#[cfg(not(target_arch = "x86_64"))]
fn of<V: Value>(_: Isa) -> FloatPanels {
    FloatPanels { pack: pack::<V>, rows: plain::<V> }
}

/// Up to 16 rows of `cols` values into a panel that is zero.
fn pack<V: Value>(rows: &[u8], cols: usize, panel: &mut [u8]) {
    /// Columns of which a line of each row is read while their lines of the panel are written.
    const AT_ONCE: usize = 32;
    for (n, lines) in panel.chunks_mut(AT_ONCE * ROWS * V::BYTES).enumerate() {
        for (r, row) in rows.chunks_exact((cols * V::BYTES).max(1)).take(ROWS).enumerate() {
            let values = row[n * AT_ONCE * V::BYTES..].chunks_exact(V::BYTES);
            for (line, value) in lines.chunks_exact_mut(ROWS * V::BYTES).zip(values) {
                line[r * V::BYTES..(r + 1) * V::BYTES].copy_from_slice(value);
            }
        }
    }
}

/// A run times each of `x`, `out[column][row]`, in plain Rust: the definition that the vector kernels are tested against.
pub(crate) fn plain<V: Value>(run: &Run<'_>, x: &[Row<'_>], out: &mut [&mut [f32]]) {
    assert!(x.len() <= COLUMNS && x.len() <= out.len());
    let each = (run.cols * ROWS * V::BYTES).max(1);
    for (panel, bytes) in run.bytes.chunks_exact(each).take(run.panels).enumerate() {
        let mut totals = [[0.0; ROWS]; COLUMNS];
        for (k, line) in bytes.chunks_exact(ROWS * V::BYTES).enumerate() {
            let values: [f32; ROWS] = std::array::from_fn(|r| V::value(&line[r * V::BYTES..]));
            for (x, total) in x.iter().zip(&mut totals) {
                for r in 0..ROWS {
                    total[r] += values[r] * x.float[k];
                }
            }
        }
        for (to, total) in out.iter_mut().zip(&totals).take(x.len()) {
            Run::put(to, panel, total);
        }
    }
}
