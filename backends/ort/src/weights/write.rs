//! Writes a model's matrices to a file, one after another, a few rows in memory at a time, each value compared with what GGUF's own
//! decoding gives.

use std::collections::BTreeMap;
use std::io::{self, Write};

use yardstick_api::{Error, WeightScheme};
use yardstick_model::{Format, Model, Tensor};

use super::carrier::{Carrier, Scheme, half};
use super::products::{Product, products};
use super::rounded::rounded;
use super::scales;
use crate::onnx::{ElementType, Stored};

/// Where tensors begin: ONNX Runtime maps them, and maps begin at pages.
const ALIGNMENT: u64 = 4096;

/// Largest residual of a conversion that calls itself the same weights: rounding in f32 leaves a hundredth of this.
const MOST_RESIDUAL: f32 = 1e-5;

/// What is in a file of weights.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Contents {
    /// By name: `blk.0.attn_q` of a dense matrix, `blk.0.attn_q.codes`, `.scales` and `.offsets` of blocks.
    pub(crate) tensors: BTreeMap<String, Stored>,
    /// By format: the largest difference between a weight here and GGUF's, over the largest weight of its block.
    pub(crate) residuals: BTreeMap<String, f32>,
    /// What a calibration met; empty where activations are not rounded, or before it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) ranges: Ranges,
}

/// By where they go into a product or come out of it (`blk.0.attn_q.in`): the least and the greatest activation.
pub(crate) type Ranges = BTreeMap<String, [f32; 2]>;

/// A writer that knows where it is.
pub(super) struct Output<W> {
    inner: W,
    pub(super) at: u64,
    contents: Contents,
}

impl<W: Write> Output<W> {
    pub(super) fn align(&mut self) -> io::Result<()> {
        let padding = (ALIGNMENT - self.at % ALIGNMENT) % ALIGNMENT;
        self.bytes(&vec![0; padding as usize])
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.inner.write_all(bytes)
    }

    /// Names what was written since `offset`.
    pub(super) fn named(
        &mut self,
        name: String,
        element: ElementType,
        shape: Vec<usize>,
        offset: u64,
    ) {
        let stored = Stored { element, shape, offset, bytes: self.at - offset };
        self.contents.tensors.insert(name, stored);
    }

    pub(super) fn numbers(
        &mut self,
        name: String,
        shape: Vec<usize>,
        values: &[f32],
    ) -> io::Result<()> {
        self.align()?;
        let offset = self.at;
        for part in values.chunks(1 << 14) {
            let bytes: Vec<u8> = part.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.bytes(&bytes)?;
        }
        self.named(name, ElementType::F32, shape, offset);
        Ok(())
    }
}

/// Writes every product of a model; returns what is where.
pub(super) fn write(model: &Model, scheme: Scheme, to: impl Write) -> Result<Contents, Error> {
    let mut output = Output { inner: to, at: 0, contents: Contents::default() };
    for product in products(model.architecture()) {
        let tensor = model
            .tensor(&product.tensor)
            .ok_or_else(|| Error::Device(format!("{}: not in the model file", product.tensor)))?;
        let written = match (scheme.carrier(tensor.format), scheme.anew) {
            (Carrier::Dense(element), anew) => dense(&mut output, &product, tensor, element, anew),
            (blocks @ Carrier::Blocks { .. }, _) => integers(&mut output, &product, tensor, blocks),
            (carrier, Some(anew)) => rounded(&mut output, &product, tensor, carrier, anew),
            (_, None) => Err(io::Error::other("only weights rounded anew are carried so")),
        };
        written.map_err(|error| Error::Device(format!("{}: {error}", product.name)))?;
    }
    output.inner.flush().map_err(|error| Error::Device(format!("flush: {error}")))?;
    Ok(output.contents)
}

/// (rows, cols), bytes as in the file (GGUF and ONNX are both little-endian), or decoded.
fn dense<W: Write>(
    output: &mut Output<W>,
    product: &Product,
    tensor: Tensor<'_>,
    element: ElementType,
    anew: Option<WeightScheme>,
) -> io::Result<()> {
    output.align()?;
    let offset = output.at;
    let decoded = anew.is_some() || element == ElementType::F32 && tensor.format != Format::F32;
    let (mut codes, mut scales) = (Vec::new(), Vec::new());
    let mut values = vec![0.0_f32; if decoded { tensor.cols } else { 0 }];
    for i in 0..product.rows.len() {
        let row = tensor.row(product.source(i));
        if !decoded {
            output.bytes(row)?;
            continue;
        }
        tensor.format.decode(row, &mut values);
        if let Some(anew) = anew {
            anew.round(&mut values, &mut codes, &mut scales);
        }
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        output.bytes(&bytes)?;
    }
    output.named(product.name.clone(), element, vec![product.rows.len(), tensor.cols], offset);
    if anew.is_none() {
        note(output, tensor.format, 0.0);
    }
    Ok(())
}

fn note<W>(output: &mut Output<W>, format: Format, residual: f32) {
    let worst = output.contents.residuals.entry(format.name().to_owned()).or_insert(0.0);
    *worst = worst.max(residual);
}

/// Codes (rows, blocks, bytes of a block), scales (rows * blocks), offsets (blocks, rows).
fn integers<W: Write>(
    output: &mut Output<W>,
    product: &Product,
    tensor: Tensor<'_>,
    carrier: Carrier,
) -> io::Result<()> {
    let Carrier::Blocks { bits, block, bias, affine } = carrier else { return Ok(()) };
    let (rows, blocks) = (product.rows.len(), tensor.cols / block);
    let mut scales = Vec::with_capacity(rows * blocks);
    let mut offsets = if affine { vec![0.0_f32; rows * blocks] } else { Vec::new() };
    let mut worst = 0.0_f32;
    let mut row = Row::new(tensor, bits, bias);
    output.align()?;
    let start = output.at;
    for i in 0..rows {
        row.read(tensor, product.source(i));
        output.bytes(&row.packed)?;
        for (b, &(scale, minimum)) in row.groups.iter().enumerate() {
            scales.push(scale);
            if affine {
                // code * s - m = (code + bias - half) * s + ((half - bias) * s - m)
                offsets[b * rows + i] = (half(bits) - bias) as f32 * scale - minimum;
            }
        }
        let offset = |b: usize| if affine { offsets[b * rows + i] } else { 0.0 };
        let residual = row.residual(bits, offset);
        if residual.is_nan() || residual > MOST_RESIDUAL {
            let reason = format!("row {i} would be off by {residual:e} of its largest weight");
            return Err(io::Error::other(reason));
        }
        worst = worst.max(residual);
    }
    let name = &product.name;
    let shape = vec![rows, blocks, block * bits / 8];
    output.named(format!("{name}.codes"), ElementType::U8, shape, start);
    output.numbers(format!("{name}.scales"), vec![rows * blocks], &scales)?;
    if affine {
        output.numbers(format!("{name}.offsets"), vec![blocks, rows], &offsets)?;
    }
    note(output, tensor.format, worst);
    Ok(())
}

/// One row under conversion.
struct Row {
    bits: usize,
    bias: i32,
    group: usize,
    /// What GGUF's decoding gives, (cols).
    values: Vec<f32>,
    /// Scale and minimum, (cols / group).
    groups: Vec<(f32, f32)>,
    /// Codes as whole numbers, (cols).
    codes: Vec<i32>,
    /// Codes as they are written.
    packed: Vec<u8>,
}

impl Row {
    fn new(tensor: Tensor<'_>, bits: usize, bias: i32) -> Row {
        let cols = tensor.cols;
        Row {
            bits,
            bias,
            group: scales::group_len(tensor.format),
            values: vec![0.0; cols],
            groups: Vec::with_capacity(cols / 16),
            codes: vec![0; cols],
            packed: vec![0; cols * bits / 8],
        }
    }

    fn read(&mut self, tensor: Tensor<'_>, row: usize) {
        let (format, bytes) = (tensor.format, tensor.row(row));
        format.decode(bytes, &mut self.values);
        self.groups.clear();
        for block in bytes.chunks_exact(format.block_bytes()) {
            scales::of_block(format, block, &mut self.groups);
        }
        let groups = self.values.chunks_exact(self.group).zip(&self.groups);
        for ((values, &(scale, minimum)), codes) in
            groups.zip(self.codes.chunks_exact_mut(self.group))
        {
            for (&value, code) in values.iter().zip(codes) {
                // A scale of 0 says nothing of its codes, and needs none.
                let exact = (f64::from(value) + f64::from(minimum)) / f64::from(scale);
                *code = if scale == 0.0 { 0 } else { exact.round() as i32 };
            }
        }
        self.pack();
    }

    /// Unsigned codes: bytes, or nibbles with the first in the low half.
    fn pack(&mut self) {
        let top = (1 << self.bits) - 1;
        let unsigned = |code: i32| (code.saturating_add(self.bias)).clamp(0, top) as u8;
        if self.bits == 8 {
            self.packed.iter_mut().zip(&self.codes).for_each(|(to, &code)| *to = unsigned(code));
        } else {
            let (pairs, _) = self.codes.as_chunks::<2>();
            for (to, &[low, high]) in self.packed.iter_mut().zip(pairs) {
                *to = unsigned(low) | unsigned(high) << 4;
            }
        }
    }

    /// The largest difference between what was packed and what GGUF decodes to, over the largest weight of the group.
    fn residual(&self, bits: usize, offset: impl Fn(usize) -> f32) -> f32 {
        let half = half(bits);
        let mut worst = 0.0_f32;
        for (g, (values, &(scale, _))) in
            self.values.chunks_exact(self.group).zip(&self.groups).enumerate()
        {
            let largest = values.iter().fold(0.0_f32, |largest, v| largest.max(v.abs()));
            let offset = offset(g);
            for (i, &value) in values.iter().enumerate() {
                let at = g * self.group + i;
                let code = match bits {
                    8 => self.packed[at],
                    _ => self.packed[at / 2] >> (at % 2 * 4) & 15,
                };
                let here = (i32::from(code) - half) as f32 * scale + offset;
                if here != value {
                    let off = (here - value).abs() / largest;
                    // Not `max`, which drops NaN.
                    worst = if off > worst || off.is_nan() { off } else { worst };
                }
            }
        }
        worst
    }
}
