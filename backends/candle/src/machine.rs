//! The instructions candle looks for on this machine.

/// The first value of a key of `/proc/cpuinfo`.
fn cpuinfo(key: &str) -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.split_once(':'))?;
    Some(line.1.trim().to_owned())
}

/// The tiers of candle's kernels: what it detects when it first multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "tiers of another processor"))]
pub(crate) enum Tier {
    /// Re-laid tiles with 512-bit VNNI; other dot products with AVX2.
    Avx512Vnni,
    /// Re-laid tiles with 256-bit VNNI.
    AvxVnni,
    /// Re-laid tiles, but for Q8_0, with AVX2.
    Avx2,
    /// Arm: re-laid blocks with NEON dot products.
    Neon,
    /// No instruction set it knows.
    Plain,
}

impl Tier {
    /// The tier of this machine, by the same features that candle asks for (its `repack_x86::level`).
    pub(crate) fn detect() -> Tier {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                return Tier::Avx512Vnni;
            }
            if is_x86_feature_detected!("avxvnni") && is_x86_feature_detected!("avx2") {
                return Tier::AvxVnni;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Tier::Avx2;
            }
            Tier::Plain
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            if cfg!(target_arch = "aarch64") { Tier::Neon } else { Tier::Plain }
        }
    }

    /// What facts call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tier::Avx512Vnni => "avx512-vnni",
            Tier::AvxVnni => "avx-vnni",
            Tier::Avx2 => "avx2",
            Tier::Neon => "neon",
            Tier::Plain => "plain",
        }
    }
}

/// Whether candle will use AMX tiles for Q4_K in prefill: Linux on x86-64 with the instructions.
pub(crate) fn amx() -> bool {
    cfg!(all(target_arch = "x86_64", target_os = "linux"))
        && Tier::detect() == Tier::Avx512Vnni
        && cpuinfo("flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "amx_int8"))
}
