//! The kernels' sources, one operation a file, and how a compiler is asked for one. Every source is the prelude (types,
//! conversions, warps), the formats and the kernel, put together: no header of the host is needed.

use crate::machine::Unit;

/// What every kernel begins with.
const PRELUDE: &[&str] = &[
    include_str!("../kernels/prelude.cuh"),
    include_str!("../kernels/formats.cuh"),
    include_str!("../kernels/stage.cuh"),
];

/// Every kernel.
pub const KERNELS: &[(&str, &str)] = &[
    ("argmax", include_str!("../kernels/argmax.cu")),
    ("attend", include_str!("../kernels/attend.cu")),
    ("barrier", include_str!("../kernels/barrier.cu")),
    ("embed", include_str!("../kernels/embed.cu")),
    ("flash", include_str!("../kernels/flash.cu")),
    ("gate_up", include_str!("../kernels/gate_up.cu")),
    ("head", include_str!("../kernels/head.cu")),
    ("matmul", include_str!("../kernels/matmul.cu")),
    ("mix", include_str!("../kernels/mix.cu")),
    ("normalise", include_str!("../kernels/normalise.cu")),
    ("peak", include_str!("../kernels/peak.cu")),
    ("project", include_str!("../kernels/project.cu")),
    ("qkv", include_str!("../kernels/qkv.cu")),
    ("read", include_str!("../kernels/read.cu")),
    ("rotate", include_str!("../kernels/rotate.cu")),
    ("route", include_str!("../kernels/route.cu")),
];

/// The text to compile for a unit; empty for a kernel that there is not.
pub fn source(unit: &Unit) -> String {
    let kernel = KERNELS.iter().find(|kernel| kernel.0 == unit.entry).map_or("", |k| k.1);
    PRELUDE.iter().copied().chain([kernel]).collect::<Vec<_>>().join("\n")
}

/// NVRTC's options for a unit and an architecture, `sm_90`.
pub fn options(unit: &Unit, arch: &str) -> Vec<String> {
    let defines = unit.defines.iter().map(|(name, value)| format!("-D{name}={value}"));
    let fixed = [format!("-arch={arch}"), "-std=c++17".into(), "-default-device".into()];
    fixed.into_iter().chain(defines).collect()
}
