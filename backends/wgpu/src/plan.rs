//! Plans: what a model takes on an adapter, or why it cannot run there.

use yardstick_api::{Device, Footprint, Known, KvType, Numerics, Options, Unsupported};
use yardstick_model::arch::Requirement;
use yardstick_model::{Architecture, Format, ModelInfo};

use crate::adapters::{self, Found};
use crate::planes;
use crate::sizes::{Sizes, context};

/// What the forward pass here can do.
const SUPPORTED: &[Requirement] = &[
    Requirement::RotaryNeighbours,
    Requirement::RotaryHalves,
    Requirement::PartialRotary,
    Requirement::RotaryFactors,
    Requirement::RotaryFactorsByContext,
    Requirement::RotaryMagnitude,
    Requirement::SeveralRotaries,
    Requirement::LayersWithoutRotary,
    Requirement::LearnedPositions,
    Requirement::LayerNorm,
    Requirement::PostNorms,
    Requirement::HeadNorm,
    Requirement::EachHeadNorm,
    Requirement::WholeNorm,
    Requirement::QkvBias,
    Requirement::OtherBias,
    Requirement::FusedQkv,
    Requirement::FusedGate,
    Requirement::PlainFfn,
    Requirement::Gelu,
    Requirement::Experts,
    Requirement::ExpertWeights,
    Requirement::SharedExpert,
    Requirement::Window,
    Requirement::ScoreSoftcap,
    Requirement::LogitSoftcap,
    Requirement::Scales,
    Requirement::ParallelBlocks,
    Requirement::UnequalLayers,
    Requirement::UnequalHeads,
];

/// Most experts (shaders/route.wgsl).
const MOST_EXPERTS: usize = 512;

/// Widest head (shaders/place.wgsl).
const WIDEST_HEAD: usize = 512;

fn refuse<T>(reason: String, fix: &str) -> Result<T, Unsupported> {
    Err(Unsupported { reason, fix: Some(fix.into()) })
}

/// The plan of [`yardstick_api::Backend::plan`].
pub(crate) fn plan(
    device: &Device,
    model: &ModelInfo,
    options: &Options,
) -> Result<Footprint, Unsupported> {
    let Some((found, _)) = adapters::find(&device.id) else {
        return refuse(format!("no device {}", device.id), "list them: yardstick devices");
    };
    check_options(options)?;
    if options.profile && !crate::gpu::has_timestamps(found) {
        let reason = format!("{} writes no timestamps between dispatches", found.info.name);
        return refuse(reason, "leave profile off");
    }
    check_model(model, options)?;
    let binding = found.limits.max_storage_buffer_binding_size;
    let sizes = Sizes::new(&model.architecture, options, binding);
    let footprint = footprint(model, &sizes);
    check_buffers(model, &sizes, found)?;
    check_heads(model, options, found)?;
    let limit = machine_memory().value().copied().filter(|_| found.is_software());
    match limit {
        Some(limit) if footprint.total() > limit => Err(does_not_fit(&footprint, limit)),
        _ if footprint.total() > isize::MAX as u64 => {
            Err(does_not_fit(&footprint, isize::MAX as u64))
        }
        _ => Ok(footprint),
    }
}

fn check_options(options: &Options) -> Result<(), Unsupported> {
    if let Some(other @ (Numerics::F16 | Numerics::Bf16)) = options.numerics {
        return refuse(format!("there is no shader for numerics {other:?}"), "ask for f32 or a8");
    }
    if !options.repack {
        return refuse("shaders read weights re-laid into planes only".into(), "allow repacking");
    }
    if options.kv == KvType::Q8_0 {
        return refuse("no shader keeps keys and values in 8 bits".into(), "use --kv f16 or f32");
    }
    let counts = [
        ("threads", options.threads.unwrap_or(1)),
        ("context", options.context.unwrap_or(1)),
        ("sequences", options.sequences),
        ("chunk", options.chunk),
    ];
    match counts.into_iter().find(|&(_, count)| count == 0) {
        Some((name, _)) => refuse(format!("{name} is 0"), "use at least 1"),
        None => Ok(()),
    }
}

/// Experts are stacked in one matrix, each on panels of its own.
fn unfit_experts(architecture: &Architecture) -> Option<String> {
    let embedding = architecture.embedding;
    architecture.layers.iter().find_map(|layer| {
        let experts = layer.ffn.experts?;
        let (width, count) = (layer.ffn.width, experts.count);
        if !width.is_multiple_of(8) || !embedding.is_multiple_of(16) {
            return Some(format!(
                "there is no shader for experts {width} wide of a stream {embedding} wide"
            ));
        }
        (count > MOST_EXPERTS).then(|| format!("no shader routes more than {MOST_EXPERTS} experts"))
    })
}

fn check_model(model: &ModelInfo, options: &Options) -> Result<(), Unsupported> {
    let architecture = &model.architecture;
    // The forward pass here can do all there is; what a later family adds must be looked at.
    if let Some(missing) = architecture.missing(SUPPORTED) {
        return refuse(format!("{missing}, for which there is no shader"), "use another model");
    }
    if let Some(reason) = unfit_experts(architecture) {
        return refuse(reason, "use a dense model");
    }
    for &(format, _) in &model.formats {
        if planes::shape(format).is_none() {
            let reason = format!("no shader reads {}", format.name());
            return refuse(reason, "use Q4_0 to Q8_0, Q4_K to Q6_K, F16, BF16 or F32");
        }
    }
    let context = context(architecture, options);
    if let Some(longest) = architecture.longest().filter(|&longest| longest < context) {
        let reason = format!("a context of {context}, the model has learned {longest} positions");
        return refuse(reason, "ask for a shorter context");
    }
    let dims = architecture.layers.iter().flat_map(|layer| [layer.key_dim, layer.value_dim]);
    match dims.max().filter(|&dim| dim > WIDEST_HEAD) {
        Some(dim) => {
            let reason = format!("heads are {dim} wide, shaders hold {WIDEST_HEAD} elements");
            refuse(reason, "use a model with narrower heads")
        }
        None => Ok(()),
    }
}

/// Every buffer but weights, which are cut, must fit a binding; and 32-bit indices must reach all of it.
fn check_buffers(model: &ModelInfo, sizes: &Sizes, found: &Found) -> Result<(), Unsupported> {
    let limits = &found.limits;
    let limit = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(1 << 34);
    let largest = sizes.largest(&model.architecture.layers);
    if largest > limit {
        return refuse(
            format!(
                "the largest buffer would be {} MiB, {} binds at most {} MiB",
                largest >> 20,
                found.info.name,
                limit >> 20
            ),
            "use a smaller context or fewer sequences",
        );
    }
    Ok(())
}

/// What a workgroup holds of four heads must fit its memory.
fn check_heads(model: &ModelInfo, options: &Options, found: &Found) -> Result<(), Unsupported> {
    let layers = model.architecture.layers.iter();
    let most = layers.map(|layer| crate::build::workgroup_bytes(options.kv, layer)).max();
    let limit = found.limits.max_compute_workgroup_storage_size;
    match most.filter(|&bytes| bytes > limit) {
        Some(bytes) => {
            let name = &found.info.name;
            let reason = format!("heads take {bytes} bytes of a workgroup, {name} has {limit}");
            refuse(reason, "use a model with narrower heads")
        }
        None => Ok(()),
    }
}

fn footprint(model: &ModelInfo, sizes: &Sizes) -> Footprint {
    let kv = model.architecture.layers.iter().flat_map(|layer| sizes.cache_bytes(layer));
    Footprint {
        mapped_bytes: 0,
        copied_bytes: weights(model),
        kv_bytes: kv.fold(0, u64::saturating_add),
        scratch_bytes: sizes.scratch_bytes(),
    }
}

/// An upper bound: a description does not say which tensor has which format, and rows are padded.
fn weights(model: &ModelInfo) -> u64 {
    let of_format = |&(format, bytes): &(Format, u64)| {
        let weights = bytes / format.block_bytes() as u64 * format.block_len() as u64;
        let shape = planes::shape(format).map_or(bytes, |shape| {
            let units = weights.div_ceil(planes::UNIT as u64);
            shape.bytes(units.div_ceil(planes::PANEL as u64), 1)
        });
        shape.saturating_add(shape / 32)
    };
    let matrices = model.formats.iter().map(of_format).fold(0, u64::saturating_add);
    matrices.saturating_add(padding(model)).saturating_add(vectors(model))
}

/// Norms and biases, F32 as a rule, never more than doubled.
fn vectors(model: &ModelInfo) -> u64 {
    let matrices = model.formats.iter().map(|&(_, bytes)| bytes).fold(0, u64::saturating_add);
    model.tensor_bytes.saturating_sub(matrices).saturating_mul(2)
}

/// Panels and units that no row fills, at four bytes a weight.
fn padding(model: &ModelInfo) -> u64 {
    let specs = model.architecture.tensors();
    let matrices = specs.iter().filter(|spec| spec.shape.len() > 1);
    let spare = |spec: &yardstick_model::arch::TensorSpec| {
        let (cols, rows) = (spec.shape[0] as u64, spec.shape[1..].iter().product::<usize>() as u64);
        let padded = cols.next_multiple_of(64) * rows.next_multiple_of(16);
        (padded - cols * rows).saturating_mul(4).saturating_add(1024)
    };
    matrices.map(spare).fold(0, u64::saturating_add)
}

fn does_not_fit(footprint: &Footprint, limit: u64) -> Unsupported {
    let mib = |bytes: u64| bytes >> 20;
    Unsupported {
        reason: format!(
            "needs {} MiB (weights {}, KV cache {}, scratch {}), {} MiB are available",
            mib(footprint.total()),
            mib(footprint.copied_bytes),
            mib(footprint.kv_bytes),
            mib(footprint.scratch_bytes),
            mib(limit)
        ),
        fix: Some("use a smaller model, context or number of sequences, or free memory".into()),
    }
}

/// Bytes this machine could give a software adapter now.
pub(crate) fn machine_memory() -> Known<u64> {
    const SOURCE: &str = "/proc/meminfo";
    let Ok(text) = std::fs::read_to_string(SOURCE) else {
        return Known::unavailable(format!("{SOURCE} cannot be read on this system"));
    };
    text.lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .and_then(|kib| kib.checked_mul(1024))
        .map_or_else(|| Known::unavailable(format!("{SOURCE} has no MemAvailable")), Known::Value)
}
