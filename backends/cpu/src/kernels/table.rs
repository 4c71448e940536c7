//! The table of kernels: (format, instruction set, numerics) to functions, looked up once per matrix at load.

use yardstick_api::Numerics;
use yardstick_model::Format;

use super::activations::{Forms, Row, Tile};
use super::float::packed::{FloatPanels, panels};
use super::integer::{Blocks, PAIR, Product, Unpacked};
use super::isa::Avx512Bf16;
use super::packed::{self, LONG, Packed, Run};
use super::quant::Quant;
use super::wide::{self, Wide};
use super::{
    Isa, f16, integer, iq4_nl, q2_k, q3_k, q4_0, q4_1, q4_k, q5_0, q5_1, q5_k, q6_k, q8_0,
};
use crate::amx::{Amx, Planes};

/// Float rows of fewer weights are packed.
const SHORT: usize = 2048;

/// Four rows (of `usize` weights) times one column.
pub(crate) type DotFn = unsafe fn([&[u8]; 4], usize, &Row<'_>) -> [f32; 4];
/// Blocks of up to 16 rows, unpacked.
pub(crate) type UnpackFn = unsafe fn(Blocks<'_>, &mut Unpacked);
/// A pair of panels (rows of `usize` weights) times a tile.
pub(crate) type ProductFn =
    unsafe fn(&mut [Unpacked; PAIR], usize, &Tile<'_>, &mut [Product; PAIR]);
/// Up to 16 rows (of `usize` weights) into a packed panel that is zero.
pub(crate) type PackFn = fn(&[u8], usize, &mut [u8]);
/// Packed panels times up to [`packed::COLUMNS`] columns, `[column][row]`.
pub(crate) type RowsFn = unsafe fn(&Run<'_>, &[Row<'_>], &mut [&mut [f32]]);
/// Chunks of a packed panel, unpacked.
pub(crate) type OpenFn = unsafe fn(&[u8], &mut Unpacked);

/// A pair of requantised panels times a tile with a scale per 256.
pub(crate) type WideFn = unsafe fn(&mut [Unpacked; PAIR], usize, &Wide<'_>, &mut [Product; PAIR]);

/// How one matrix is multiplied.
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    /// Weights stay integers, activations in 8 bits.
    Integer(Integer),
    /// Weights become f32, activations are f32.
    Float(Float),
}

/// Functions of one format on one instruction set. Only made with the instruction set's proof, so calling them is sound.
#[derive(Clone, Copy)]
pub(crate) struct Integer {
    /// Few columns.
    pub(super) dot: DotFn,
    /// The format has a row kernel of its own.
    pub(super) own: bool,
    /// Many columns, first half.
    pub(super) unpack: UnpackFn,
    /// Many columns, second half.
    pub(super) product: ProductFn,
    /// Makes panels of rows.
    pub(super) pack: PackFn,
    /// Few columns, packed weights.
    pub(super) rows: RowsFn,
    /// Many columns, first half, packed weights.
    pub(super) open: OpenFn,
    /// Many columns with a scale per 256, instead of `product`.
    pub(super) wide: Option<WideProduct>,
    /// Many columns on a matrix unit, instead of either.
    pub(super) amx: Option<(Amx, Grouping)>,
}

/// Second half of many columns with a scale per 256, which meet requantised weights.
#[derive(Clone, Copy)]
pub(crate) struct WideProduct {
    /// Of the weights before they are requantised.
    pub(super) grouping: Grouping,
    pub(super) product: WideFn,
}

/// As [`Integer`]; without `dot` a row is decoded by [`Format::decode`] and multiplied in f32.
#[derive(Clone, Copy)]
pub(crate) struct Float {
    /// Few columns.
    pub(super) dot: Option<DotFn>,
    /// Many columns in bf16.
    pub(super) brain: Option<Avx512Bf16>,
    /// The same on a matrix unit.
    pub(super) amx: Option<Amx>,
    /// Of rows that are packed.
    pub(super) panels: Option<FloatPanels>,
}

impl Kernel {
    /// The kernel of a format; `f32` numerics decode every row.
    pub(crate) fn choose(format: Format, isa: Isa, numerics: Numerics) -> Kernel {
        match (format, numerics) {
            (_, Numerics::Bf16) if isa.bf16().is_some() => {
                Kernel::Float(float(format, isa, isa.bf16()))
            }
            (Format::F32 | Format::BF16 | Format::F16, _) => {
                Kernel::Float(float(format, isa, None))
            }
            (_, Numerics::A8) => integer(format, isa, false),
            (_, Numerics::Requantised) => integer(format, isa, true),
            _ => Kernel::Float(Float { dot: None, brain: None, amx: None, panels: None }),
        }
    }

    /// The matrix unit that multiplies many columns, and what they meet there.
    pub(super) fn amx(self) -> Option<(Amx, Planes)> {
        match self {
            Kernel::Integer(Integer { amx: Some((amx, _)), wide: None, .. }) => {
                Some((amx, Planes::Folded))
            }
            Kernel::Integer(Integer { amx, .. }) => amx.map(|(amx, _)| (amx, Planes::Requantised)),
            Kernel::Float(Float { amx, .. }) => amx.map(|amx| (amx, Planes::Brain)),
        }
    }

    /// How rows of `cols` weights are made panels, where they are better read so. Floats between short and [`LONG`] are not: packed
    /// they cost room beside the model's file, and as they are they stream as fast as a plain read. The input of longer rows
    /// leaves the L1, and the sum of a shorter row costs a tenth of its time.
    pub(crate) fn packer(self, cols: usize) -> Option<PackFn> {
        match self {
            Kernel::Integer(kernel) => Some(kernel.pack),
            Kernel::Float(Float { panels, .. }) => {
                let well = SHORT..=LONG;
                panels.filter(|_| !well.contains(&cols)).map(|panels| panels.pack)
            }
        }
    }

    /// How packed rows are multiplied by few columns.
    pub(super) fn packed_rows(self) -> Option<RowsFn> {
        match self {
            Kernel::Integer(kernel) => Some(kernel.rows),
            Kernel::Float(Float { panels, .. }) => panels.map(|panels| panels.rows),
        }
    }

    /// What it reads.
    pub(crate) fn forms(self) -> Forms {
        let forms = Forms { matrix: self.amx().is_some(), ..Forms::default() };
        match self {
            Kernel::Integer(Integer { wide: None, .. }) => Forms { int8: true, ..forms },
            Kernel::Integer(_) => Forms { wide: true, ..forms },
            Kernel::Float(Float { brain: Some(_), .. }) => Forms { brain: true, ..forms },
            Kernel::Float(_) => Forms { float: true, ..forms },
        }
    }

    /// Addresses of all its functions, also those that packed weights leave unused.
    pub(crate) fn functions(self) -> Vec<usize> {
        let mut all = [self.entries(true), self.entries(false)].concat();
        if let Kernel::Integer(Integer { dot, unpack, product, .. }) = self {
            all.extend([
                dot as *const () as usize,
                unpack as *const () as usize,
                product as *const () as usize,
            ]);
        }
        all
    }

    /// Addresses of its functions, for few columns or for many.
    pub(crate) fn entries(self, few: bool) -> Vec<usize> {
        let pack = |kernel: Integer| kernel.pack as *const () as usize;
        match (self, few) {
            (Kernel::Integer(kernel), true) => {
                vec![kernel.rows as *const () as usize, pack(kernel)]
            }
            (Kernel::Integer(kernel), false) => {
                let product = match kernel.wide {
                    Some(wide) => wide.product as *const () as usize,
                    None => kernel.product as *const () as usize,
                };
                vec![kernel.open as *const () as usize, product, pack(kernel)]
            }
            (Kernel::Float(Float { dot, panels, .. }), true) => {
                let dot = dot.iter().map(|dot| *dot as *const () as usize);
                let both = |panels: FloatPanels| {
                    [panels.rows as *const () as usize, panels.pack as *const () as usize]
                };
                dot.chain(panels.into_iter().flat_map(both)).collect()
            }
            (Kernel::Float(_), false) => Vec::new(),
        }
    }

    /// Many columns meet other weights than the file's.
    pub(crate) fn requantises(self) -> bool {
        matches!(self, Kernel::Integer(Integer { wide: Some(_), .. }))
    }

    /// For the facts.
    pub(crate) fn describe(self, isa: Isa, packed: bool) -> String {
        let what = match self {
            Kernel::Integer(_) if packed => "packed rows x int8, packed panels x int8",
            Kernel::Integer(Integer { own: true, .. }) => "rows x int8, panels x int8",
            Kernel::Integer(_) => "rows unpacked x int8, panels x int8",
            Kernel::Float(Float { brain: Some(_), .. }) if packed => {
                "packed rows x f32, packed panels and columns rounded to bf16"
            }
            Kernel::Float(_) if packed => "packed rows x f32, packed panels x f32",
            Kernel::Float(Float { dot: Some(_), brain: Some(_), .. }) => {
                "rows x f32, panels and columns rounded to bf16"
            }
            Kernel::Float(Float { brain: Some(_), .. }) => {
                "rows decoded x f32, panels and columns rounded to bf16"
            }
            Kernel::Float(Float { dot: Some(_), .. }) => "rows x f32, panels x f32",
            Kernel::Float(_) => "rows decoded x f32, panels x f32",
        };
        let how = match self {
            Kernel::Integer(Integer { amx: Some(_), wide: None, .. }) => {
                ", panels and columns as two planes of int8 on amx-int8 with a scale per row or column and 512"
            }
            Kernel::Integer(Integer { amx: Some(_), .. }) => {
                ", panels requantised to int8 on amx-int8 with a scale per row and 256, columns with one per 256"
            }
            Kernel::Float(Float { amx: Some(_), .. }) => ", on amx-bf16",
            kernel if kernel.requantises() => {
                ", panels requantised to int8 with a scale per row and 256, columns with one per 256"
            }
            _ => "",
        };
        format!("{} {what}{how}", isa.name())
    }
}

/// The kernels of a float format.
fn float(format: Format, isa: Isa, brain: Option<Avx512Bf16>) -> Float {
    let amx = brain.and(isa.amx()).filter(|amx| amx.bf16());
    Float { dot: float_dot(format, isa), brain, amx, panels: panels(format, isa) }
}

/// The row kernel of a float format; elsewhere rows are decoded.
fn float_dot(format: Format, isa: Isa) -> Option<DotFn> {
    #[cfg(target_arch = "x86_64")]
    use super::float::rows_x86;
    match (format, isa) {
        #[cfg(target_arch = "x86_64")]
        (Format::F16, Isa::Avx512Vnni(_)) => Some(rows_x86::f16_avx512),
        #[cfg(target_arch = "x86_64")]
        (Format::BF16, Isa::Avx512Vnni(_)) => Some(rows_x86::bf16_avx512),
        #[cfg(target_arch = "x86_64")]
        (Format::F32, Isa::Avx512Vnni(_)) => Some(rows_x86::f32_avx512),
        #[cfg(target_arch = "x86_64")]
        (Format::F16, Isa::Avx2(_)) => Some(rows_x86::f16_avx2),
        #[cfg(target_arch = "x86_64")]
        (Format::BF16, Isa::Avx2(_)) => Some(rows_x86::bf16_avx2),
        #[cfg(target_arch = "x86_64")]
        (Format::F32, Isa::Avx2(_)) => Some(rows_x86::f32_avx2),
        (Format::F16, _) => Some(f16::dot),
        _ => None,
    }
}

/// The row kernel of a format's own, where this instruction set has one.
macro_rules! own_dot {
    ($format:ident, $isa:expr) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni(_) => Some($format::avx512_vnni::dot as DotFn),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(_) => Some($format::avx2::dot as DotFn),
            _ => None,
        }
    };
}
/// A generic function of the integer formats, for one of them.
macro_rules! of_format {
    ($format:expr, $of:ident) => {
        match $format {
            Format::Q4_0 => Some($of::<q4_0::Q4_0>()),
            Format::Q4_1 => Some($of::<q4_1::Q4_1>()),
            Format::Q5_0 => Some($of::<q5_0::Q5_0>()),
            Format::Q5_1 => Some($of::<q5_1::Q5_1>()),
            Format::Q8_0 => Some($of::<q8_0::Q8_0>()),
            Format::Q2_K => Some($of::<q2_k::Q2K>()),
            Format::Q3_K => Some($of::<q3_k::Q3K>()),
            Format::Q4_K => Some($of::<q4_k::Q4K>()),
            Format::Q5_K => Some($of::<q5_k::Q5K>()),
            Format::Q6_K => Some($of::<q6_k::Q6K>()),
            Format::IQ4_NL => Some($of::<iq4_nl::Iq4Nl>()),
            Format::F32 | Format::F16 | Format::BF16 => None,
        }
    };
}

fn integer(format: Format, isa: Isa, requantise: bool) -> Kernel {
    let kernel = match format {
        Format::Q4_0 => with_dot(shared::<q4_0::Q4_0>(isa), own_dot!(q4_0, isa)),
        Format::Q8_0 => with_dot(shared::<q8_0::Q8_0>(isa), own_dot!(q8_0, isa)),
        Format::Q4_K => with_dot(shared::<q4_k::Q4K>(isa), own_dot!(q4_k, isa)),
        Format::Q6_K => with_dot(shared::<q6_k::Q6K>(isa), own_dot!(q6_k, isa)),
        Format::Q4_1 => shared::<q4_1::Q4_1>(isa),
        Format::Q5_0 => with_dot(shared::<q5_0::Q5_0>(isa), own_dot!(q5_0, isa)),
        Format::Q5_1 => shared::<q5_1::Q5_1>(isa),
        Format::Q2_K => with_dot(shared::<q2_k::Q2K>(isa), own_dot!(q2_k, isa)),
        Format::Q3_K => with_dot(shared::<q3_k::Q3K>(isa), own_dot!(q3_k, isa)),
        Format::Q5_K => with_dot(shared::<q5_k::Q5K>(isa), own_dot!(q5_k, isa)),
        Format::IQ4_NL => shared::<iq4_nl::Iq4Nl>(isa),
        Format::F32 | Format::F16 | Format::BF16 => {
            return Kernel::Float(Float { dot: None, brain: None, amx: None, panels: None });
        }
    };
    let wide = grouping(format)
        .filter(|_| requantise)
        .map(|grouping| WideProduct { grouping, product: wide_fn(isa) });
    let kernel = Integer { amx: isa.amx().zip(grouping(format)), ..kernel };
    Kernel::Integer(match (wide, bytes_of(format)) {
        (Some(_), Some((unpack, open))) if isa == Isa::Scalar => {
            Integer { unpack, open, wide, ..kernel }
        }
        _ => Integer { wide, ..kernel },
    })
}

/// Many columns under one scale per 256 times requantised weights of any format.
pub(super) fn wide_fn(isa: Isa) -> WideFn {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(_) => wide::avx512_vnni::product as WideFn,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(avx2) if avx2.vnni() => wide::avx_vnni::product as WideFn,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => wide::avx2::product as WideFn,
        _ => wide::scalar::product as WideFn,
    }
}

/// Unpacking to bytes in plain Rust, of rows and of packed panels.
fn bytes_of(format: Format) -> Option<(UnpackFn, OpenFn)> {
    fn of<F: Packed>() -> (UnpackFn, OpenFn) {
        (integer::scalar::unpack_bytes::<F>, packed::plain::unpack_bytes::<F>)
    }
    of_format!(format, of)
}

/// What unpacked weights of a format stand for: `scale * (q - offset) - min`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grouping {
    /// Weights that share a scale.
    pub(crate) group: usize,
    pub(crate) offset: f32,
    pub(crate) mins: bool,
}

/// Of an integer format.
pub(crate) fn grouping(format: Format) -> Option<Grouping> {
    fn of<F: Quant>() -> Grouping {
        let offset = if F::SHIFT > 0 { (1_u32 << F::SHIFT) as f32 } else { 0.0 };
        Grouping { group: F::GROUP, offset, mins: F::MINS }
    }
    of_format!(format, of)
}

fn with_dot(shared: Integer, own: Option<DotFn>) -> Integer {
    Integer { own: own.is_some(), dot: own.unwrap_or(shared.dot), ..shared }
}

/// The kernels every integer format gets from its description.
fn shared<F: Packed>(isa: Isa) -> Integer {
    macro_rules! of {
        ($module:ident, $packed:ident) => {
            Integer {
                dot: integer::$module::dot::<F>,
                own: false,
                unpack: integer::$module::unpack::<F>,
                product: integer::$module::product::<F>,
                pack: packed::pack_rows::<F>,
                rows: packed::$packed::rows::<F>,
                open: packed::$packed::unpack::<F>,
                wide: None,
                amx: None,
            }
        };
    }
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni(_) => of!(avx512_vnni, avx512_vnni),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => of!(avx2, avx2),
        #[cfg(target_arch = "aarch64")]
        Isa::Dotprod(proof) => {
            let matrix = integer::dotprod::matrix_product::<F> as ProductFn;
            let kernels = of!(dotprod, dotprod);
            Integer { product: if proof.i8mm() { matrix } else { kernels.product }, ..kernels }
        }
        _ => of!(scalar, plain),
    }
}
