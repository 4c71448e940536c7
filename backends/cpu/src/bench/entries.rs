//! Where kernels begin in this process: what tells two builds' machine code of one kernel apart.

use yardstick_api::{Error, Numerics};
use yardstick_model::Format;

use super::find;
use crate::kernels::{FEW, Isa, Kernel};

/// Against what addresses of functions are held, since a program is loaded at another place each time: the address of
/// `marker`.
pub fn anchor() -> usize {
    marker as *const () as usize
}

/// Found in a program's symbols by this name. It returns what nothing else returns, so that it is not made one with another.
#[inline(never)]
extern "C" fn marker() -> u64 {
    std::hint::black_box(0x7961_7264_6B65_726E)
}

/// Addresses of the functions of a product that are chosen by format, instruction set and numerics when a matrix is loaded, for
/// so many columns. What every product runs besides is reached from [`super::product_slices`].
pub fn entries(
    isa: &str,
    format: Format,
    numerics: Numerics,
    columns: usize,
) -> Result<Vec<usize>, Error> {
    Ok(Kernel::choose(format, find(isa)?, numerics).entries(columns <= FEW))
}

/// Addresses of every function that is chosen so, of every instruction set of this processor.
pub fn all_entries() -> Vec<u64> {
    let isas = Isa::all().into_iter().filter_map(|(_, isa)| isa.ok());
    let numerics = [Numerics::A8, Numerics::Requantised, Numerics::F32];
    let kernels = isas.flat_map(|isa| {
        Format::ALL
            .into_iter()
            .flat_map(move |format| numerics.map(|numerics| Kernel::choose(format, isa, numerics)))
    });
    let mut all: Vec<u64> =
        kernels.flat_map(Kernel::functions).map(|function| function as u64).collect();
    all.sort_unstable();
    all.dedup();
    all
}
