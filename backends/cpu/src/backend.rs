//! The backend: one device an instruction set, what a model takes there, and loading.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use yardstick_api::mutants::{self, Mutation};
use yardstick_api::{
    Backend, Device, DeviceClass, DeviceKind, DeviceStatus, Error, Footprint, Known, Lengths,
    Limit, Numerics, Options, Reached, Session, Unsupported, host, unfit_heads,
};
use yardstick_model::{Architecture, Model, ModelInfo};

use crate::amx;
use crate::ceilings;
use crate::engine::{Engine, Sizes};
use crate::kernels::activations::Forms;
use crate::kernels::{Isa, Kernel};
use crate::kv::Kv;
use crate::pool::Pool;
use crate::profile::Recorder;
use crate::session::CpuSession;
use crate::usable::Usable;
use crate::weights::Network;

/// The processor, by instruction set. Packed weights are private memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

/// The processor; packed weights are files in a folder, which processes share and later loads find.
#[derive(Clone, Debug, Default)]
pub struct KeepingCpu {
    folder: Option<PathBuf>,
}

impl Cpu {
    /// The same, with packed weights kept in `folder`; without one, as before.
    pub fn keeping(self, folder: Option<PathBuf>) -> KeepingCpu {
        KeepingCpu { folder }
    }
}

impl Backend for KeepingCpu {
    fn name(&self) -> &str {
        Cpu.name()
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        Cpu.devices()
    }

    fn plan(
        &self,
        device: &Device,
        model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported> {
        Cpu.plan(device, model, options)
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(open(device, model, options, self.folder.as_deref())?))
    }

    fn ceiling(&self, device: &Device, limit: Limit, threads: Option<usize>) -> Known<Reached> {
        Cpu.ceiling(device, limit, threads)
    }
}

impl Backend for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        let all = Isa::all();
        let best = best();
        let own = all.iter().map(|(name, isa)| match isa {
            Ok(isa) => ready(name, *isa, DeviceClass::Hardware, *isa == best),
            Err(reason) => DeviceStatus::Missing {
                id: format!("cpu:{name}"),
                reason: reason.clone(),
                fix: None,
            },
        });
        let mutants = mutants::DEVICES.iter();
        own.chain(mutants.map(|(name, _)| ready(name, best, DeviceClass::Software, false)))
            .collect()
    }

    fn plan(
        &self,
        device: &Device,
        model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported> {
        plan_on(find(device)?.0, model, options)
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(open(device, model, options, None)?))
    }

    fn ceiling(&self, device: &Device, limit: Limit, threads: Option<usize>) -> Known<Reached> {
        let isa = match find(device) {
            Ok((isa, _)) => isa,
            Err(refusal) => return Known::unavailable(refusal.reason),
        };
        ceilings::measure(isa, limit, self::threads(&Options { threads, ..Options::default() }))
    }
}

/// A session; its weights packed in `folder`, if there is one.
fn open(
    device: &Device,
    model: &Arc<Model>,
    options: &Options,
    folder: Option<&Path>,
) -> Result<CpuSession, Error> {
    open_on(find(device)?, device, model, options, folder)
}

/// What a model takes on an instruction set, and whether it can be run there.
pub(crate) fn plan_on(
    isa: Isa,
    model: &ModelInfo,
    options: &Options,
) -> Result<Footprint, Unsupported> {
    check(isa, &model.architecture, options)?;
    let footprint = footprint(model, options, isa);
    footprint.fit(&host::available_memory()).map(|()| footprint)
}

/// As [`open`], on an instruction set that tests may have made up.
pub(crate) fn open_on(
    (isa, mutation): (Isa, Mutation),
    device: &Device,
    model: &Arc<Model>,
    options: &Options,
    folder: Option<&Path>,
) -> Result<CpuSession, Error> {
    let footprint = plan_on(isa, model.info(), options)?;
    model.check_unchanged()?;
    let architecture = model.architecture();
    let (context, threads) = (options.context_of(architecture), threads(options));
    let mut network = Network::new(Arc::clone(model), isa, numerics(options))?;
    let mut pool = Pool::new(threads)
        .map_err(|error| Error::Device(format!("cannot start {threads} threads: {error}")))?;
    if options.repack {
        network.pack(folder, &mut pool, footprint.total());
    }
    let file_pages = network.file_pages(folder);
    let numerics = network.numerics();
    let cache = (options.sequences, context, options.kv);
    let rows = options.rows_of(architecture);
    let chosen_by = options.rotary_context.unwrap_or(context);
    let mut engine = Engine::new(network, isa, mutation, cache, chosen_by, rows, threads)?;
    engine.profile = options.profile.then(Recorder::default);
    Ok(CpuSession {
        engine,
        pool,
        device: device.id.clone(),
        file_pages,
        granted: Usable::now().explain(options.threads),
        chunk: options.chunk,
        kv: options.kv,
        numerics: numerics.with_kv(options.kv),
        scratch_bytes: footprint.scratch_bytes - head_bytes(architecture, options),
        lengths: Lengths::new(options.sequences, context),
        logits: 0,
    })
}

/// The last that is usable; one with a matrix unit only where that is worth it.
fn best() -> Isa {
    let usable = Isa::all().into_iter().rev().filter_map(|(_, isa)| isa.ok());
    let pays = |isa: &Isa| isa.amx().is_none() || amx::pays(isa.on(None).name());
    usable.into_iter().find(pays).unwrap_or(Isa::Scalar)
}

fn ready(name: &str, isa: Isa, class: DeviceClass, preferred: bool) -> DeviceStatus {
    let processor = host::processor();
    let processor = processor.value().map_or("processor", String::as_str);
    DeviceStatus::Ready(Device {
        id: format!("cpu:{name}"),
        name: format!("{processor}, {name}"),
        kind: DeviceKind::Cpu,
        class,
        numerics: classes(isa),
        memory_bytes: host::available_memory(),
        preferred,
    })
}

/// The default first.
fn classes(isa: Isa) -> Vec<Numerics> {
    let brain = isa.bf16().map(|_| Numerics::Bf16);
    [Numerics::A8, Numerics::F32, Numerics::Requantised].into_iter().chain(brain).collect()
}

fn find(device: &Device) -> Result<(Isa, Mutation), Unsupported> {
    let name = device.id.strip_prefix("cpu:").unwrap_or_default();
    if let Some((_, mutation)) = mutants::DEVICES.iter().find(|(mutant, _)| *mutant == name) {
        return Ok((best(), *mutation));
    }
    match Isa::all().into_iter().find(|(isa, _)| *isa == name) {
        Some((_, Ok(isa))) => Ok((isa, Mutation::default())),
        Some((_, Err(reason))) => Err(Unsupported {
            reason: format!("{}: {reason}", device.id),
            fix: Some(format!("use cpu:{}", best().name())),
        }),
        None => Err(Unsupported {
            reason: format!("no device {}", device.id),
            fix: Some(format!("use cpu:{}", best().name())),
        }),
    }
}

/// What this backend cannot do beyond what no backend can.
fn check(isa: Isa, architecture: &Architecture, options: &Options) -> Result<(), Unsupported> {
    if let Some(other) = options.numerics.filter(|asked| !classes(isa).contains(asked)) {
        let reason = format!("numerics {other:?} asked of cpu:{}", isa.name());
        return Err(Unsupported::new(reason, "ask for a8, f32 or requantised"));
    }
    options.check(architecture)?;
    match unfit_heads(architecture, options.kv) {
        Some(reason) => Err(Unsupported::new(reason, "use an f16 or f32 cache")),
        None => Ok(()),
    }
}

fn numerics(options: &Options) -> Numerics {
    options.numerics.unwrap_or(Numerics::A8)
}

/// Threads beyond the usable processors would only wait for each other.
fn threads(options: &Options) -> usize {
    Usable::now().threads(options.threads)
}

/// Saturates instead of overflowing: a context of 2^64 - 1 is a question to be answered with "no".
fn footprint(model: &ModelInfo, options: &Options, isa: Isa) -> Footprint {
    let architecture = &model.architecture;
    let context = options.context_of(architecture);
    let forms = model.formats.iter().fold(Forms::default(), |forms, &(format, _)| {
        forms.and(Kernel::choose(format, isa, numerics(options)).forms())
    });
    let layers = architecture.layers.len().saturating_mul(2).saturating_add(1);
    let sizes = Sizes::new(architecture, options.rows_of(architecture));
    Footprint {
        mapped_bytes: model.tensor_bytes,
        copied_bytes: (architecture.embedding as u64)
            .saturating_mul(layers as u64)
            .saturating_mul(4),
        kv_bytes: Kv::size(&architecture.layers, options.sequences, context, options.kv),
        scratch_bytes: sizes
            .scratch_bytes(threads(options), forms, isa)
            .saturating_add(head_bytes(architecture, options)),
    }
}

/// Logits of a row of every sequence; the session counts what it really holds.
fn head_bytes(architecture: &Architecture, options: &Options) -> u64 {
    (architecture.vocab as u64)
        .saturating_mul(options.sequences as u64)
        .saturating_mul(size_of::<f32>() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_device_is_preferred_and_every_missing_one_says_why() {
        let devices = Cpu.devices();
        assert_eq!(devices[0].id(), "cpu:scalar");
        let preferred = devices.iter().filter(|status| match status {
            DeviceStatus::Ready(device) => device.preferred,
            DeviceStatus::Missing { reason, .. } => {
                assert!(reason.contains("lacks"), "{reason}");
                false
            }
        });
        assert_eq!(preferred.count(), 1);
    }
}
