//! The processor's own tiles, by inline assembly: Rust has no stable intrinsics for them. The compiler never uses tile registers
//! by itself, so they keep their values between the statements below.

use std::arch::asm;

use super::unit::{Configuration, Unit};
use crate::ceilings::amx;

/// The processor has int8 tiles and the system lets this process use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    bf16: bool,
}

impl Granted {
    /// Asks for them, or says why there are none.
    pub(super) fn request() -> Result<Granted, String> {
        amx::granted().map(|bf16| Granted { bf16 })
    }

    /// Tiles that are caught and done by [`super::emulated`].
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn emulated(_: super::emulated::Installed) -> Granted {
        Granted { bf16: true }
    }

    /// Tiles of bf16 are granted too.
    pub(super) fn bf16(self) -> bool {
        self.bf16
    }
}

/// The calling thread's tiles.
pub(super) struct Real(());

impl Real {
    pub(super) fn new(_: Granted) -> Real {
        Real(())
    }
}

impl Unit for Real {
    #[inline(always)]
    unsafe fn configure(&mut self, configuration: &Configuration) {
        let memory = configuration.bytes();
        // SAFETY: granted; 64 bytes are read.
        unsafe {
            asm!("ldtilecfg [{at}]", at = in(reg) memory.0.as_ptr(), options(nostack, readonly));
        }
    }

    #[inline(always)]
    unsafe fn release(&mut self) {
        // SAFETY: granted.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }

    #[inline(always)]
    unsafe fn zero<const T: u8>(&mut self) {
        // SAFETY: granted and configured (the caller).
        unsafe { asm!("tilezero tmm{t}", t = const T, options(nostack, nomem)) };
    }

    #[inline(always)]
    unsafe fn load<const T: u8>(&mut self, from: *const u8, stride: usize) {
        // SAFETY: granted, configured and readable (the caller).
        unsafe {
            asm!("tileloadd tmm{t}, [{from} + {stride}]", t = const T, from = in(reg) from,
                stride = in(reg) stride, options(nostack, readonly));
        }
    }

    #[inline(always)]
    unsafe fn store<const T: u8>(&mut self, to: *mut i32, stride: usize) {
        // SAFETY: granted, configured and writable (the caller).
        unsafe {
            asm!("tilestored [{to} + {stride}], tmm{t}", t = const T, to = in(reg) to,
                stride = in(reg) stride, options(nostack));
        }
    }

    #[inline(always)]
    unsafe fn multiply<const C: u8, const A: u8, const B: u8>(&mut self) {
        // SAFETY: granted and configured (the caller).
        unsafe {
            asm!("tdpbssd tmm{c}, tmm{a}, tmm{b}", c = const C, a = const A, b = const B,
                options(nostack, nomem));
        }
    }

    #[inline(always)]
    unsafe fn multiply_brain<const C: u8, const A: u8, const B: u8>(&mut self) {
        // SAFETY: granted and configured (the caller).
        unsafe {
            asm!("tdpbf16ps tmm{c}, tmm{a}, tmm{b}", c = const C, a = const A, b = const B,
                options(nostack, nomem));
        }
    }
}
