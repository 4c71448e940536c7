//! Instruction sets: values whose possession proves that the processor has the features.

use crate::amx::Amx;

/// AVX2, FMA and F16C are usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2 {
    /// So are AVX-VNNI's dot products, and they are meant to be used.
    vnni: bool,
}

/// AVX-512 F, BW, DQ, VL and VNNI are usable, and all of [`Avx2`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512Vnni {
    /// So is a matrix unit, and it is meant to be used.
    amx: Option<Amx>,
}

/// Products of bf16 are usable, and all of [`Avx512Vnni`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512Bf16(());

/// aarch64's dot products of bytes are usable.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dotprod {
    /// So are its matrix products of bytes, and they are meant to be used.
    i8mm: bool,
}

/// One way to run every kernel; chosen once, at load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// Plain Rust, any processor.
    Scalar,
    /// 32-byte vectors, with or without AVX-VNNI.
    Avx2(Avx2),
    /// 64-byte vectors and 8-bit dot products, with or without a matrix unit.
    Avx512Vnni(Avx512Vnni),
    /// 16-byte vectors and 8-bit dot products, with or without 8-bit matrix products.
    #[cfg(target_arch = "aarch64")]
    Dotprod(Dotprod),
}

#[cfg(target_arch = "x86_64")]
macro_rules! missing_features {
    ($($feature:tt),*) => {{
        let mut missing: Vec<&'static str> = Vec::new();
        $(if !std::arch::is_x86_feature_detected!($feature) { missing.push($feature); })*
        missing
    }};
}

impl Avx2 {
    /// The proof, or the features that are missing.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn detect() -> Result<Avx2, Vec<&'static str>> {
        let missing = missing_features!("avx2", "fma", "f16c");
        if missing.is_empty() { Ok(Avx2 { vnni: false }) } else { Err(missing) }
    }

    /// The proof that AVX-VNNI is usable too, or the features that are missing.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn detect_vnni() -> Result<Avx2, Vec<&'static str>> {
        Avx2::detect()?;
        let missing = missing_features!("avxvnni");
        if missing.is_empty() { Ok(Avx2 { vnni: true }) } else { Err(missing) }
    }

    /// Never on this architecture.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn detect() -> Result<Avx2, Vec<&'static str>> {
        Err(vec!["x86-64"])
    }

    /// Never on this architecture.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn detect_vnni() -> Result<Avx2, Vec<&'static str>> {
        Err(vec!["x86-64"])
    }

    /// AVX-VNNI is usable.
    pub(crate) fn vnni(self) -> bool {
        self.vnni
    }
}

impl Avx512Vnni {
    /// The proof, or the features that are missing.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn detect() -> Result<Avx512Vnni, Vec<&'static str>> {
        Avx2::detect()?;
        let missing =
            missing_features!("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni");
        if missing.is_empty() { Ok(Avx512Vnni { amx: None }) } else { Err(missing) }
    }

    /// Never on this architecture.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn detect() -> Result<Avx512Vnni, Vec<&'static str>> {
        Err(vec!["x86-64"])
    }

    /// The proof that a matrix unit is usable too, or what is wrong with it.
    fn detect_amx() -> Result<Avx512Vnni, String> {
        let _ = Avx512Vnni::detect().map_err(lacks)?;
        Ok(Avx512Vnni { amx: Some(Amx::detect()?) })
    }
}

impl Avx512Bf16 {
    /// The proof, or the features that are missing.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn detect() -> Result<Avx512Bf16, Vec<&'static str>> {
        Avx512Vnni::detect()?;
        let missing = missing_features!("avx512bf16");
        if missing.is_empty() { Ok(Avx512Bf16(())) } else { Err(missing) }
    }

    /// Never on this architecture.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn detect() -> Result<Avx512Bf16, Vec<&'static str>> {
        Err(vec!["x86-64"])
    }
}

#[cfg(target_arch = "aarch64")]
impl Dotprod {
    /// The proof, or the features that are missing.
    pub(crate) fn detect() -> Result<Dotprod, Vec<&'static str>> {
        match std::arch::is_aarch64_feature_detected!("dotprod") {
            true => Ok(Dotprod { i8mm: false }),
            false => Err(vec!["dotprod"]),
        }
    }

    /// The proof that matrix products are usable too, or the features that are missing.
    pub(crate) fn detect_i8mm() -> Result<Dotprod, Vec<&'static str>> {
        Dotprod::detect()?;
        match std::arch::is_aarch64_feature_detected!("i8mm") {
            true => Ok(Dotprod { i8mm: true }),
            false => Err(vec!["i8mm"]),
        }
    }

    /// Matrix products are usable.
    pub(crate) fn i8mm(self) -> bool {
        self.i8mm
    }
}

/// What a processor is told to lack.
fn lacks(features: Vec<&'static str>) -> String {
    format!("the processor lacks {}", features.join(", "))
}

impl Isa {
    /// The matrix unit, where it is meant to be used.
    pub(crate) fn amx(self) -> Option<Amx> {
        match self {
            Isa::Avx512Vnni(avx512) => avx512.amx,
            _ => None,
        }
    }

    /// The same on a matrix unit, where there is AVX-512.
    pub(crate) fn on(self, amx: Option<Amx>) -> Isa {
        match self {
            Isa::Avx512Vnni(_) => Isa::Avx512Vnni(Avx512Vnni { amx }),
            isa => isa,
        }
    }

    /// The proof of bf16 products, where this instruction set has them.
    pub(crate) fn bf16(self) -> Option<Avx512Bf16> {
        match self {
            Isa::Avx512Vnni(_) => Avx512Bf16::detect().ok(),
            _ => None,
        }
    }

    /// Every instruction set, best last, or why it is not usable.
    pub(crate) fn all() -> Vec<(&'static str, Result<Isa, String>)> {
        vec![
            ("scalar", Ok(Isa::Scalar)),
            ("avx2", Avx2::detect().map(Isa::Avx2).map_err(lacks)),
            ("avx-vnni", Avx2::detect_vnni().map(Isa::Avx2).map_err(lacks)),
            ("avx512-vnni", Avx512Vnni::detect().map(Isa::Avx512Vnni).map_err(lacks)),
            ("amx", Avx512Vnni::detect_amx().map(Isa::Avx512Vnni)),
            #[cfg(target_arch = "aarch64")]
            ("dotprod", Dotprod::detect().map(Isa::Dotprod).map_err(lacks)),
            #[cfg(target_arch = "aarch64")]
            ("i8mm", Dotprod::detect_i8mm().map(Isa::Dotprod).map_err(lacks)),
        ]
    }

    /// Those usable here.
    #[cfg(test)]
    pub(crate) fn usable() -> Vec<Isa> {
        Isa::all().into_iter().filter_map(|(_, isa)| isa.ok()).collect()
    }

    /// The part of the device id after the colon.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2(avx2) if avx2.vnni() => "avx-vnni",
            Isa::Avx2(_) => "avx2",
            Isa::Avx512Vnni(Avx512Vnni { amx: Some(_) }) => "amx",
            Isa::Avx512Vnni(_) => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            Isa::Dotprod(dotprod) if dotprod.i8mm() => "i8mm",
            #[cfg(target_arch = "aarch64")]
            Isa::Dotprod(_) => "dotprod",
        }
    }
}

/// Defines a safe function whose body, an `#[inline(always)]` plain Rust function, is compiled once per instruction set;
/// the first argument says which one runs.
macro_rules! per_isa {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:path;) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "flat buffers of one operation")]
        pub(crate) fn $name(isa: crate::kernels::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments, reason = "flat buffers of one operation")]
                fn avx2($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments, reason = "flat buffers of one operation")]
                fn avx512($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) }
                match isa {
                    crate::kernels::Isa::Scalar => {}
                    // SAFETY: the value proves the features.
                    crate::kernels::Isa::Avx2(_) => return unsafe { avx2($($arg),*) },
                    // SAFETY: the value proves the features.
                    crate::kernels::Isa::Avx512Vnni(_) => return unsafe { avx512($($arg),*) },
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = isa;
            $body($($arg),*)
        }
    };
}
pub(crate) use per_isa;
