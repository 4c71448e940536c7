//! The backend: which GPUs are there, what a model takes on one, what is missing, and loading.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use yardstick_api::{
    Backend, Device, DeviceKind, DeviceStatus, Error, Footprint, Known, Limit, Numerics, Options,
    Profile, Reached, Session, Unsupported,
};
use yardstick_model::{Format, Model, ModelInfo};

use crate::cache::Cache;
use crate::ceilings;
use crate::footprint::footprint;
use crate::forward::Engine;
use crate::machine::{Gpu, Machine};
use crate::nvidia::Nvidia;
use crate::repack::Packed;
use crate::scratch::{MOST_ROWS, Sizes};
use crate::session::CudaSession;
use crate::weights::Weights;

/// GPUs through CUDA.
pub struct Cuda {
    machine: Box<dyn Machine>,
}

impl Cuda {
    /// NVIDIA's GPUs of this machine. `cache` is where compiled kernels are kept.
    pub fn new(cache: Option<PathBuf>) -> Cuda {
        Cuda::on(Nvidia { cache })
    }

    /// Any machine, for tests.
    pub fn on(machine: impl Machine + 'static) -> Cuda {
        Cuda { machine: Box::new(machine) }
    }
}

impl Backend for Cuda {
    fn name(&self) -> &str {
        "cuda"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        let gpus = match self.machine.gpus() {
            Ok(gpus) => gpus,
            Err(missing) => {
                let (reason, fix) = (missing.reason, missing.fix);
                return vec![DeviceStatus::Missing { id: "cuda:0".into(), reason, fix }];
            }
        };
        let preferred = gpus.iter().position(|gpu| gpu.unfit.is_none());
        let status = |(ordinal, gpu)| describe(ordinal, gpu, preferred == Some(ordinal));
        gpus.iter().enumerate().map(status).collect()
    }

    fn plan(
        &self,
        device: &Device,
        model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported> {
        let (_, gpu) = self.find(&device.id)?;
        options.check(&model.architecture)?;
        check_model(model, options)?;
        let footprint = footprint(model, options, gpu.processors);
        footprint.fit(&device.memory_bytes)?;
        if options.sequences > MOST_ROWS {
            let reason = format!("{} sequences, the kernels hold {MOST_ROWS}", options.sequences);
            return Err(Unsupported::new(reason, "ask for fewer sequences"));
        }
        // Beyond this the kernels' 32-bit counts of rows and positions would not do.
        match options.context_of(&model.architecture).max(footprint_rows(model, options)) {
            large if large > 1 << 24 => Err(Unsupported::new(
                format!("{large} positions, the kernels count to {}", 1 << 24),
                "ask for a shorter context",
            )),
            _ => Ok(footprint),
        }
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        let footprint = self.plan(device, model.info(), options)?;
        let (ordinal, gpu) = self.find(&device.id)?;
        model.check_unchanged()?;
        let mut driver = self.machine.open(ordinal)?;
        let free = driver.free_bytes()?;
        footprint.fit(&free.into())?;
        let (architecture, context) =
            (model.architecture(), options.context_of(model.architecture()));
        let by = options.rotary_context.unwrap_or(context);
        let weights = Weights::load(&mut *driver, model, context, by)?;
        let cache = Cache::new(&mut *driver, architecture, options.sequences, context, options.kv)?;
        let sizes = Sizes::new(architecture, options, context, gpu.processors);
        let scratch = sizes.allocate(&mut *driver)?;
        let matrices = gpu.has_bf16_matrices() && options.numerics != Some(Numerics::F32);
        let engine = Engine { driver, model: Arc::clone(model), weights, cache, scratch, matrices };
        let mut session = CudaSession {
            engine,
            device: device.id.clone(),
            chunk: options.chunk,
            rows: sizes.rows,
            numerics: numerics(model.info(), matrices),
            footprint,
            graphs: HashMap::new(),
            taken: Known::unavailable("not loaded yet"),
            logits: Vec::new(),
            profile: options.profile.then(Profile::default),
        };
        session.prepare()?;
        // By the driver: where it runs in a container, the management library does not know this process.
        let left = session.engine.driver.free_bytes()?;
        let taken = free.saturating_sub(left);
        session.taken = Known::Value(format!("{taken} bytes, by what was free before and after"));
        Ok(Box::new(session))
    }

    fn ceiling(&self, device: &Device, limit: Limit, _: Option<usize>) -> Known<Reached> {
        let (ordinal, gpu) = match self.find(&device.id) {
            Ok(found) => found,
            Err(refusal) => return Known::unavailable(refusal.reason),
        };
        let driver = self.machine.open(ordinal).map_err(|error| error.to_string());
        let reached = driver.and_then(|mut driver| ceilings::measure(&mut *driver, &gpu, limit));
        reached.map_or_else(Known::unavailable, Known::Value)
    }
}

impl Cuda {
    /// A device's ordinal and its GPU.
    fn find(&self, id: &str) -> Result<(usize, Gpu), Unsupported> {
        let unknown = || Unsupported::new(format!("no device {id}"), "see yardstick devices");
        let gpus = self
            .machine
            .gpus()
            .map_err(|missing| Unsupported { reason: missing.reason, fix: missing.fix })?;
        let ordinal = id.strip_prefix("cuda:").and_then(|number| number.parse::<usize>().ok());
        let ordinal = ordinal.ok_or_else(unknown)?;
        let gpu = gpus.into_iter().nth(ordinal).ok_or_else(unknown)?;
        match gpu.unfit {
            Some(unfit) => Err(Unsupported { reason: unfit.reason, fix: unfit.fix }),
            None => Ok((ordinal, gpu)),
        }
    }
}

/// Heads are at most so wide: `WIDEST` of the kernels.
const WIDEST_HEAD: usize = 256;

/// What only the model and the options together say.
fn check_model(model: &ModelInfo, options: &Options) -> Result<(), Unsupported> {
    let architecture = &model.architecture;
    if let Some(reason) = yardstick_api::unfit_heads(architecture, options.kv) {
        return Err(Unsupported::new(reason, "use an f16 or f32 cache"));
    }
    let dims = architecture.layers.iter().flat_map(|layer| [layer.key_dim, layer.value_dim]);
    if let Some(dim) = dims.max().filter(|&dim| dim > WIDEST_HEAD) {
        let reason = format!("heads are {dim} wide, the kernels hold {WIDEST_HEAD}");
        return Err(Unsupported { reason, fix: None });
    }
    for &(format, _) in &model.formats {
        let name = format.name();
        match Packed::of(format) {
            None => {
                let reason = format!("no kernel for NVIDIA GPUs reads {name}");
                return Err(Unsupported::new(reason, "use another quantisation, Q3_K or larger"));
            }
            Some(packed) if !packed.is_dense() && exact(options) => {
                let reason = format!("{name} is multiplied with activations in 8 bits only");
                return Err(Unsupported::new(
                    reason,
                    "ask for a8, or use F16, BF16 or F32 weights",
                ));
            }
            Some(_) if !options.repack => {
                let reason =
                    "weights are re-laid into planes, which cannot be turned off".to_owned();
                return Err(Unsupported::new(reason, "allow repacking"));
            }
            Some(_) => {}
        }
    }
    if options.numerics == Some(Numerics::F16) {
        return Err(Unsupported::new("no kernel here is of class f16", "ask for a8, bf16 or f32"));
    }
    Ok(())
}

/// Asked for arithmetic finer than activations in 8 bits.
fn exact(options: &Options) -> bool {
    options.numerics.is_some_and(|numerics| numerics != Numerics::A8)
}

/// The class of what runs, without the cache.
fn numerics(model: &ModelInfo, matrices: bool) -> Numerics {
    let dense = |&(format, _): &(Format, u64)| Packed::of(format).is_some_and(Packed::is_dense);
    match model.formats.iter().all(dense) {
        false => Numerics::A8,
        true if matrices => Numerics::Bf16,
        true => Numerics::F32,
    }
}

/// Rows of the largest chunk.
fn footprint_rows(model: &ModelInfo, options: &Options) -> usize {
    options.rows_of(&model.architecture)
}

fn describe(ordinal: usize, gpu: &Gpu, preferred: bool) -> DeviceStatus {
    let id = format!("cuda:{ordinal}");
    if let Some(unfit) = &gpu.unfit {
        let reason = format!("{}: {}", gpu.name, unfit.reason);
        return DeviceStatus::Missing { id, reason, fix: unfit.fix.clone() };
    }
    DeviceStatus::Ready(Device {
        id,
        name: gpu.name.clone(),
        kind: DeviceKind::Gpu,
        class: gpu.class,
        numerics: vec![Numerics::A8, Numerics::Bf16, Numerics::F32],
        memory_bytes: gpu.memory_bytes.clone(),
        preferred,
    })
}
