//! Products of a matrix of some format: packed weights in memory or in a mapped file, activations in the kernel's form.

use std::fs::File;
use std::ops::Range;

use memmap2::Mmap;
use yardstick_api::{Error, Numerics};
use yardstick_model::Format;

use super::{Slices, find, ramp};
use crate::buffer::Buffer;
use crate::kernels::activations::{Rows, Tiles};
use crate::kernels::integer::Panel;
use crate::kernels::packed::{Order, pack_panels, packed_bytes};
use crate::kernels::{FEW, Input, Isa, Kernel, Out, TILE, Weights, multiply};

/// Weights as a session reads them: packed where the kernel has a packed layout.
pub enum Matrix {
    /// Of this process alone.
    Own(Own),
    /// A file that other processes may map too, so that all read the same memory.
    Shared(Mmap),
}

/// On large pages where there are some.
pub struct Own(Buffer<u8>);

impl Matrix {
    /// Maps a file of packed weights.
    pub fn map(file: &File) -> std::io::Result<Matrix> {
        // SAFETY: whoever wrote the file wrote it whole under another name and renamed it; it is not changed.
        let bytes = unsafe { Mmap::map(file) }?;
        #[cfg(target_os = "linux")]
        let _ = bytes.advise(memmap2::Advice::HugePage);
        Ok(Matrix::Shared(bytes))
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            // SAFETY: written by `packed`, and never again.
            Matrix::Own(Own(buffer)) => unsafe { buffer.read(0..buffer.len()) },
            Matrix::Shared(map) => map,
        }
    }
}

/// The weights of `rows` rows of `cols` in the layout their kernel reads.
pub fn packed(
    isa: &str,
    format: Format,
    numerics: Numerics,
    [rows, cols]: [usize; 2],
    bytes: &[u8],
) -> Result<Matrix, Error> {
    let row_bytes = format.row_bytes(cols);
    if bytes.len() != rows * row_bytes {
        return Err(Error::Invalid(format!("{} bytes for {rows} x {cols}", bytes.len())));
    }
    let mut weights = Buffer::<u8>::zeroed(packed_bytes(rows, row_bytes))?;
    match Kernel::choose(format, find(isa)?, numerics).packer(cols) {
        Some(pack) => {
            let order = Order::of(format, cols, 0);
            pack_panels(pack, bytes, (format, cols), order, weights.all_mut());
        }
        None => weights.all_mut()[..bytes.len()].copy_from_slice(bytes),
    }
    Ok(Matrix::Own(Own(weights)))
}

/// A product and its work space.
pub(super) struct Product {
    isa: Isa,
    kernel: Kernel,
    format: Format,
    shape: [usize; 3],
    matrices: Matrix,
    /// Bytes of one matrix.
    each: usize,
    panel: Panel,
    out: Buffer<f32>,
    few: Rows,
    tiles: Tiles,
}

impl Product {
    pub(super) fn new(
        isa: Isa,
        format: Format,
        numerics: Numerics,
        shape: [usize; 3],
        matrices: Matrix,
    ) -> Result<Product, Error> {
        let [rows, cols, columns] = shape;
        let each = packed_bytes(rows, format.row_bytes(cols));
        let found = matrices.bytes().len();
        if each == 0 || found < each || !found.is_multiple_of(each) {
            return Err(Error::Invalid(format!("{found} bytes, expected a multiple of {each}")));
        }
        let kernel = Kernel::choose(format, isa, numerics);
        let forms = kernel.forms();
        let panel = Panel::new(cols, forms.bytes(), forms.floats() || isa == Isa::Scalar)?;
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
        let out = Buffer::zeroed(rows * columns)?;
        Ok(Product { isa, kernel, format, shape, matrices, each, panel, out, few, tiles })
    }
}

impl Slices for Product {
    fn count(&self) -> usize {
        self.matrices.bytes().len() / self.each
    }

    fn run(&mut self, slice: usize) {
        self.run_rows(slice, 0..self.shape[0]);
    }

    fn rows(&self) -> Option<usize> {
        Some(self.shape[0])
    }

    fn run_rows(&mut self, slice: usize, some: Range<usize>) {
        let [rows, cols, columns] = self.shape;
        let bytes = &self.matrices.bytes()[slice * self.each..][..self.each];
        let (kernel, format) = (self.kernel, self.format);
        let packed = kernel.packer(cols).map(|_| Order::of(format, cols, 0));
        let weights = Weights { kernel, format, cols, packed, bytes };
        let input = match columns <= FEW {
            true => Input::Rows(&self.few, columns),
            false => Input::Tiles(&self.tiles, columns),
        };
        // SAFETY: the buffer is this product's own.
        let out = unsafe { Out::new(&self.out, 0, rows) };
        multiply(self.isa, &weights, some, input, &out, &mut self.panel);
    }

    fn output(&self) -> Vec<f32> {
        // SAFETY: nothing runs: `run` needs `&mut self`.
        unsafe { self.out.read(0..self.out.len()) }.to_vec()
    }
}
