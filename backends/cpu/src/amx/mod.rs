//! `cpu:amx`: prefill on Intel's matrix unit, decode on the AVX-512 kernels.
//!
//! A panel of unpacked weights becomes two planes of bytes with one scale per row and 512 weights ([`planes`]), and so do columns
//! ([`columns`]): sums stay in tile registers over eight steps 64 deep, of three multiplications each. 8 bits under so wide a scale
//! would cost columns twice the error of one scale per 32, which the class `a8` does not allow. In the class
//! `requantised` both sides are one plane, with a scale per 256, and the panels of a pair take the place of the two planes; in
//! `bf16` both sides are rounded to it and nothing is scaled.
//!
//! Tile operations stand behind [`unit::Unit`]: the real ones are inline assembly, and a twin
//! in plain Rust runs the same driver on any machine. Tests run the real ones on any x86-64 machine too, since what a processor
//! lacks can be caught and done for it (`emulated.rs`).
//!
//! **No processor with AMX has run them yet**: the device is offered only where they agree with the twin at the start, and `cpu`
//! means it only where it is measured to be faster then.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only tests make a unit"))]

mod columns;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
pub(crate) mod emulated;
mod gain;
mod gemm;
mod planes;
#[cfg(target_arch = "x86_64")]
mod planes_x86;
#[cfg(target_arch = "x86_64")]
mod real;
mod scale;
mod selftest;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
mod twin;
mod unit;

use std::sync::OnceLock;

pub(crate) use columns::Columns;
pub(crate) use gain::pays;
pub(crate) use gemm::{EIGHTS, Work, multiply};
pub(crate) use planes::{fold, pad, pad_brain};

/// A matrix unit is usable: tiles of 8-bit integers, maybe of bf16 too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amx {
    which: Which,
    bf16: bool,
}

/// Whose tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// The processor's.
    #[cfg(target_arch = "x86_64")]
    Real(real::Granted),
    /// Plain Rust: slow, what the others are held against.
    Twin,
    /// None, to time the rest.
    #[cfg(test)]
    Nothing,
}

/// What meets the columns on tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planes {
    /// Two planes of a panel: weights as in the file.
    Folded,
    /// Two panels of requantised weights.
    Requantised,
    /// Two panels of weights rounded to bf16.
    Brain,
}

impl Amx {
    const TWIN: Amx = Amx { which: Which::Twin, bf16: true };

    /// The processor's, if it has one, the system grants it, and it agrees with the twin; or why not. Found out once.
    pub(crate) fn detect() -> Result<Amx, String> {
        static FOUND: OnceLock<Result<Amx, String>> = OnceLock::new();
        #[cfg(target_arch = "x86_64")]
        let find = || Amx::real(real::Granted::request()?);
        #[cfg(not(target_arch = "x86_64"))]
        let find = || Err("the processor lacks amx-int8".to_owned());
        FOUND.get_or_init(find).clone()
    }

    /// Granted tiles that agree with the twin.
    #[cfg(target_arch = "x86_64")]
    fn real(granted: real::Granted) -> Result<Amx, String> {
        let amx = |bf16| Amx { which: Which::Real(granted), bf16 };
        let agrees = |planes| selftest::agrees_with_twin(amx(true), planes);
        if ![Planes::Folded, Planes::Requantised].into_iter().all(agrees) {
            return Err("its amx-int8 tiles disagree with their emulation in the self-test".into());
        }
        Ok(amx(granted.bf16() && agrees(Planes::Brain)))
    }

    /// Tiles of bf16 are usable too.
    pub(crate) fn bf16(self) -> bool {
        self.bf16
    }
}

/// Every unit that tests can use: the twin, and the instructions, emulated where the processor lacks them.
#[cfg(test)]
pub(crate) fn units() -> Vec<Amx> {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return vec![Amx::TWIN, Amx::real(real::Granted::emulated(emulated::install())).unwrap()];
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    vec![Amx::TWIN]
}
