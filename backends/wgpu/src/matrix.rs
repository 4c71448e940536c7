//! Matrices on the device: re-laid into planes and cut into parts that fit a binding.

use yardstick_api::Error;
use yardstick_api::mutants::Mutant;
use yardstick_model::{Format, Tensor};

use crate::gpu::{Gpu, Part, part};
use crate::planes::{self, PANEL, Shape};

/// Bytes re-laid and sent at once, so that the host never holds a second copy of a model.
const BATCH: u64 = 8 << 20;

/// Rows of some tensors of one format, in parts.
pub(crate) struct Matrix {
    pub(crate) format: Format,
    pub(crate) units: u32,
    /// Rows of y it makes: of gate and up together half of those stored.
    pub(crate) rows: usize,
    pub(crate) parts: Vec<Stored>,
}

/// Consecutive rows, whose planes each fit a binding.
pub(crate) struct Stored {
    buffer: wgpu::Buffer,
    /// The codes where they are in a texture, and its bytes.
    texels: Option<(wgpu::TextureView, u64)>,
    /// First row of y it makes.
    pub(crate) first: u32,
    pub(crate) rows: u32,
    pub(crate) pairs: u32,
    /// Offset and bytes of codes, upper bits, scales with super-block scales.
    planes: [(u64, u64); 3],
    /// Word of the third plane where super-block scales begin.
    pub(crate) supers: u32,
}

/// Which rows are stored in which order.
#[derive(Clone, Copy)]
pub(crate) enum Order<'a> {
    /// Of several tensors one behind another.
    Stacked(&'a [Tensor<'a>]),
    /// Eight of the gate, eight of up, and so on.
    Gated(Tensor<'a>, Tensor<'a>),
}

impl<'a> Order<'a> {
    fn first(&self) -> Option<Tensor<'a>> {
        match self {
            Order::Stacked(tensors) => tensors.first().copied(),
            Order::Gated(gate, _) => Some(*gate),
        }
    }

    /// Rows of y.
    fn rows(&self) -> usize {
        match self {
            Order::Stacked(tensors) => tensors.iter().map(|tensor| tensor.rows).sum(),
            Order::Gated(gate, _) => gate.rows,
        }
    }

    /// Rows of y a pair of panels makes.
    fn rows_of_pair(&self) -> usize {
        match self {
            Order::Stacked(_) => 2 * PANEL,
            Order::Gated(..) => PANEL,
        }
    }

    /// Row `i` of those stored.
    fn row(&self, i: usize) -> Option<&'a [u8]> {
        match self {
            Order::Stacked(tensors) => {
                let mut i = i;
                for tensor in *tensors {
                    if i < tensor.rows {
                        return Some(tensor.row(i));
                    }
                    i -= tensor.rows;
                }
                None
            }
            Order::Gated(gate, up) => {
                let (pair, within) = (i / (2 * PANEL), i % (2 * PANEL));
                let tensor = if within < PANEL { gate } else { up };
                let row = pair * PANEL + within % PANEL;
                (row < tensor.rows).then(|| tensor.row(row))
            }
        }
    }
}

impl Matrix {
    /// Re-lays and sends rows that all have one format.
    pub(crate) fn new(gpu: &Gpu, name: &str, order: Order<'_>) -> Result<Matrix, Error> {
        let texels = gpu.texels;
        let first = order.first().ok_or_else(|| Error::Device(format!("{name}: no tensors")))?;
        let (format, units) = (first.format, planes::units(first.cols));
        let shape = planes::shape(format)
            .ok_or_else(|| Error::Device(format!("{name}: no shader for {}", format.name())))?;
        let (rows, of_pair) = (order.rows(), order.rows_of_pair());
        let pairs = rows.div_ceil(of_pair);
        let binding = gpu.limits.max_storage_buffer_binding_size;
        let limit = pairs_of_part(
            if texels { binding.min(gpu.texture_bytes()) } else { binding },
            shape,
            units,
        );
        let mut parts = Vec::new();
        for from in (0..pairs).step_by(limit) {
            let to = pairs.min(from + limit);
            let first = from * of_pair;
            let mut stored = Stored::new(gpu, name, shape, units, to - from)?;
            stored.first = first as u32;
            stored.rows = (rows - first).min((to - from) * of_pair) as u32;
            stored.send(gpu, name, format, shape, first_cols(&order), &order, from..to)?;
            parts.push(stored);
        }
        Ok(Matrix { format, units: units as u32, rows, parts })
    }

    /// Bytes on the device.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(Stored::bytes).sum()
    }
}

fn first_cols(order: &Order<'_>) -> usize {
    order.first().map_or(0, |tensor| tensor.cols)
}

/// Pairs of panels whose largest plane fits a binding.
fn pairs_of_part(binding: u64, shape: Shape, units: usize) -> usize {
    let of_pair = (2 * PANEL * units * shape.codes) as u64;
    (binding / of_pair.max(1)).max(1) as usize
}

impl Stored {
    fn new(
        gpu: &Gpu,
        name: &str,
        shape: Shape,
        units: usize,
        pairs: usize,
    ) -> Result<Stored, Error> {
        let lanes = (pairs * 2 * units * PANEL) as u64;
        let (scales, supers) = (lanes * shape.scales as u64, lanes / 4 * shape.supers as u64);
        let codes = if gpu.texels { 0 } else { lanes * shape.codes as u64 };
        let sizes = [codes, lanes * shape.high as u64, scales + supers];
        let mut at = 0;
        let aligned = u64::from(gpu.limits.min_storage_buffer_offset_alignment).max(256);
        let planes = sizes.map(|bytes| {
            let plane = (at, bytes);
            at = (at + bytes).next_multiple_of(aligned);
            plane
        });
        let buffer = gpu.storage(name, at)?;
        Ok(Stored {
            buffer,
            texels: None,
            first: 0,
            rows: 0,
            pairs: pairs as u32,
            planes,
            supers: (scales / 4) as u32,
        })
    }

    /// Re-lays pairs of panels batch by batch.
    #[allow(clippy::too_many_arguments, reason = "each is one thing, and there is one caller")]
    fn send(
        &mut self,
        gpu: &Gpu,
        name: &str,
        format: Format,
        shape: Shape,
        cols: usize,
        order: &Order<'_>,
        pairs: std::ops::Range<usize>,
    ) -> Result<(), Error> {
        let units = planes::units(cols);
        let lanes = ((pairs.end - pairs.start) * 2 * units * PANEL) as u64;
        let apart = match gpu.texels {
            true => Some(gpu.storage("codes", lanes * shape.codes as u64)?),
            false => None,
        };
        let of_pair = shape.bytes(2, units as u64).max(1);
        let step = (BATCH / of_pair).max(1) as usize;
        for from in pairs.clone().step_by(step) {
            let to = pairs.end.min(from + step);
            let range = from * 2 * PANEL..to * 2 * PANEL;
            let rows: Vec<Option<&[u8]>> = range.map(|i| order.row(i)).collect();
            let mut planes = planes::relay(format, shape, cols, &rows);
            if gpu.mutation.is(Mutant::Subscale) && name.starts_with("ffn_down") {
                planes.drop_subscale(shape);
            }
            let lanes = ((from - pairs.start) * 2 * units * PANEL) as u64;
            let write = |plane: usize, behind: u64, bytes: &[u8], each: usize| {
                let at = self.planes[plane].0 + behind + lanes * each as u64;
                if !bytes.is_empty() {
                    gpu.queue.write_buffer(&self.buffer, at, bytes);
                }
            };
            match &apart {
                Some(codes) => {
                    gpu.queue.write_buffer(codes, lanes * shape.codes as u64, &planes.codes)
                }
                None => write(0, 0, &planes.codes, shape.codes),
            }
            write(1, 0, &planes.high, shape.high);
            write(2, 0, &planes.scales, shape.scales);
            let at =
                self.planes[2].0 + u64::from(self.supers) * 4 + lanes / 4 * shape.supers as u64;
            if !planes.supers.is_empty() {
                gpu.queue.write_buffer(&self.buffer, at, &planes.supers);
            }
            let index = gpu.queue.submit([]);
            // So that no more than a batch is held twice.
            gpu.drive(Some(index))?;
        }
        self.texels = apart.map(|codes| gpu.texels("codes", &codes)).transpose()?;
        Ok(())
    }

    /// Bytes on the device.
    pub(crate) fn bytes(&self) -> u64 {
        self.buffer.size() + self.texels.as_ref().map_or(0, |texels| texels.1)
    }

    /// Its codes, upper bits and scales; what a format lacks is stood in for by something its shader does not name.
    pub(crate) fn bindings(&self) -> [Part<'_>; 3] {
        let plane = |(offset, bytes): (u64, u64)| match bytes {
            0 => crate::gpu::whole(&self.buffer),
            _ => part(&self.buffer, offset, bytes),
        };
        let [codes, high, scales] = self.planes.map(plane);
        match &self.texels {
            Some((view, _)) => [Part::TextureView(view), high, scales],
            None => [codes, high, scales],
        }
    }
}
