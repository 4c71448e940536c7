//! The backend: which devices there are, what a model takes on them, what is missing, and loading.

use std::path::PathBuf;
use std::sync::Arc;

use yardstick_api::{
    Backend, Device, DeviceStatus, Error, Footprint, KvType, Options, Session, Unsupported,
    WeightScheme, host, unfit_heads,
};
use yardstick_model::arch::Requirement;
use yardstick_model::{Model, ModelInfo};

use crate::footprint::footprint;
use crate::providers::{PROVIDERS, Place, Provider, Survey};
use crate::runtime::Search;
use crate::session;
use crate::weights::Scheme;

/// What a session may look at and write.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where runtimes are looked for.
    pub search: Search,
    /// Where converted models are kept; `None`: nothing can be loaded.
    pub cache: Option<PathBuf>,
    /// What to do wrong on purpose, for tests of the proof; nothing.
    pub provoke: Provoke,
}

/// Ways to be misplaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provoke {
    /// Graphs use an operator that providers of decoded weights lack.
    pub unsupported: bool,
    /// The processor may stand in silently, which is the runtime's default.
    pub fallback: bool,
    /// Graphs of the static form have one node that only the processor's provider can run.
    pub echo: bool,
}

/// ONNX Runtime's execution providers.
#[derive(Clone, Debug, Default)]
pub struct Ort {
    settings: Settings,
}

/// What graphs can express.
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
    Requirement::Window,
    Requirement::ScoreSoftcap,
    Requirement::LogitSoftcap,
    Requirement::Scales,
    Requirement::ParallelBlocks,
    Requirement::UnequalLayers,
];

impl Ort {
    /// Looks where it is told to, and nowhere else.
    pub fn new(settings: Settings) -> Ort {
        Ort { settings }
    }

    fn status(&self, survey: &Survey<'_>, provider: &'static Provider) -> DeviceStatus {
        match survey.find(provider) {
            Ok(place) => DeviceStatus::Ready(device(&place)),
            Err(absent) => DeviceStatus::Missing {
                id: format!("ort:{}", provider.what),
                reason: absent.reason,
                fix: absent.fix,
            },
        }
    }
}

/// A device as people see it.
fn device(place: &Place) -> Device {
    let provider = place.provider;
    let processor = host::processor();
    let processor = processor.value().map_or("processor", String::as_str);
    let hardware = match provider.what {
        "cpu" | "openvino-cpu" | "xnnpack" => processor.to_owned(),
        "qnn-htp-emulator" => format!("emulated Hexagon on {processor}"),
        _ => format!("{:?}", provider.kind).to_lowercase(),
    };
    Device {
        id: format!("ort:{}", provider.what),
        name: format!("{hardware}, {} ({})", provider.name, place.source()),
        kind: provider.kind,
        class: provider.class,
        numerics: provider.numerics.to_vec(),
        memory_bytes: host::available_memory(),
        preferred: false,
    }
}

impl Backend for Ort {
    fn name(&self) -> &str {
        "ort"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        let survey = Survey::new(&self.settings.search);
        let mut all: Vec<DeviceStatus> =
            PROVIDERS.iter().map(|provider| self.status(&survey, provider)).collect();
        // The first that is there, which is the plainest: a bare `ort` should mean what ONNX Runtime does unless told otherwise.
        if let Some(DeviceStatus::Ready(device)) =
            all.iter_mut().find(|status| matches!(status, DeviceStatus::Ready(_)))
        {
            device.preferred = true;
        }
        all
    }

    fn plan(
        &self,
        device: &Device,
        model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported> {
        let provider = find(device)?;
        options.check(&model.architecture)?;
        check_options(provider, options)?;
        check_model(provider, model, options)?;
        let scheme = Scheme { anew: options.weights, ..provider.scheme };
        let footprint = footprint(model, options, scheme, provider.copies);
        footprint.fit(&host::available_memory())?;
        Ok(footprint)
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        let footprint = self.plan(device, model.info(), options)?;
        let provider = find(device)?;
        let place = Survey::new(&self.settings.search)
            .find(provider)
            .map_err(|absent| Unsupported { reason: absent.reason, fix: absent.fix })?;
        let Some(cache) = &self.settings.cache else {
            let reason = "there is no folder for converted models";
            return Err(Unsupported::new(reason, "pass --cache-dir DIR").into());
        };
        session::load(&place, cache, model, options, footprint, self.settings.provoke)
    }

    fn takes_weights(&self, _: &Device, _: WeightScheme) -> bool {
        true
    }
}

fn refuse<T>(reason: String, fix: &str) -> Result<T, Unsupported> {
    Err(Unsupported::new(reason, fix))
}

fn find(device: &Device) -> Result<&'static Provider, Unsupported> {
    match Provider::of(&device.id) {
        Some(provider) => Ok(provider),
        None => refuse(format!("no device {}", device.id), "use ort:cpu; yardstick devices"),
    }
}

fn check_options(provider: &Provider, options: &Options) -> Result<(), Unsupported> {
    let can = provider.numerics(options.weights);
    if let Some(asked) = options.numerics.filter(|asked| !can.contains(asked)) {
        return refuse(
            format!("numerics {asked:?} asked of {}, which has {can:?}", provider.what),
            "leave numerics open",
        );
    }
    match options.kv {
        KvType::Q8_0 => refuse(
            "ONNX Runtime keeps no keys and values in 8 bits here".into(),
            "use --kv f16 or f32",
        ),
        _ => Ok(()),
    }
}

/// What this model needs that graphs, or the operators they are made of, lack.
fn check_model(
    provider: &Provider,
    model: &ModelInfo,
    options: &Options,
) -> Result<(), Unsupported> {
    let architecture = &model.architecture;
    let supported = SUPPORTED.iter().copied();
    // Attention in plain operators takes heads of any width; the operator of its own, with which calibrations run, does not.
    let calibrated = options.weights.is_some_and(WeightScheme::rounds_activations);
    let plain = (provider.fixed && !calibrated).then_some(Requirement::UnequalHeads);
    let supported: Vec<Requirement> = supported.chain(plain).collect();
    if let Some(missing) = architecture.missing(&supported) {
        let reason = format!("{missing}, which the graphs made for ONNX Runtime lack");
        return refuse(reason, "use another backend, or a model without");
    }
    if let Some(reason) = unfit_heads(architecture, options.kv) {
        return refuse(reason, "use --kv f16 or f32");
    }
    let positions = options.context_of(architecture);
    if positions > i32::MAX as usize {
        return refuse(
            format!("a context of {positions}, at most {}", i32::MAX),
            "use a shorter one",
        );
    }
    Ok(())
}
