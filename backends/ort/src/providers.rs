//! The table of execution providers that are devices: one row each, and where on this machine each was found.

use std::path::Path;

use ort::memory::DeviceType;
use yardstick_api::{DeviceClass, DeviceKind, Numerics, WeightScheme};

use crate::runtime::{Inspected, Plugin, RuntimeFile, Search, inspect};
use crate::weights::Scheme;

/// One device there may be.
#[derive(Debug)]
pub(crate) struct Provider {
    /// The part of the id after the colon.
    pub(crate) what: &'static str,
    /// ONNX Runtime's name of it.
    pub(crate) name: &'static str,
    pub(crate) kind: DeviceKind,
    pub(crate) class: DeviceClass,
    /// The hardware a plug-in must offer.
    pub(crate) hardware: DeviceType,
    /// Which of the hardware a provider that is compiled in is asked for.
    pub(crate) option: Option<(&'static str, &'static str)>,
    /// Numerics it can be asked for, its default first.
    pub(crate) numerics: &'static [Numerics],
    /// Graphs are of the static form.
    pub(crate) fixed: bool,
    /// How weights are carried to it.
    pub(crate) scheme: Scheme,
    /// Rows of the static form's chunk at most.
    pub(crate) rows: usize,
    /// Bytes of memory that its graphs take for a byte of weights, all together, at most.
    pub(crate) copies: u64,
    /// How to get it.
    pub(crate) fix: &'static str,
    /// What more the hardware itself needs, where a provider is there and its device is not.
    pub(crate) driver: &'static str,
    /// Operating systems it exists on; empty: all.
    pub(crate) systems: &'static [&'static str],
}

/// What NPUs' own tools use.
const CHUNK: usize = 128;

const OPENVINO: Provider = Provider {
    what: "openvino-cpu",
    name: "OpenVINOExecutionProvider",
    kind: DeviceKind::Cpu,
    class: DeviceClass::Hardware,
    hardware: DeviceType::CPU,
    option: Some(("device_type", "CPU")),
    // Not bf16: OpenVINO 2025.4 computes single rows wrongly in it.
    numerics: &[Numerics::A8, Numerics::F32],
    fixed: true,
    scheme: Scheme::BLOCKS,
    rows: CHUNK,
    // The chunk's graph and the step's, each of which OpenVINO re-lays: 225 MiB for 78 MiB of smollm-135m's layers.
    copies: 6,
    fix: "pip install onnxruntime-openvino, into a folder of its own, and --runtime DIR",
    driver: "use a processor that OpenVINO runs on",
    systems: &["linux", "windows"],
};

const QNN: Provider = Provider {
    what: "qnn-htp",
    name: "QNNExecutionProvider",
    kind: DeviceKind::Npu,
    class: DeviceClass::Hardware,
    hardware: DeviceType::NPU,
    option: Some(("backend_type", "htp")),
    numerics: &[Numerics::F16],
    fixed: true,
    scheme: Scheme::DECODED,
    rows: CHUNK,
    // Two graphs; what each makes of its weights was not measured.
    copies: 2,
    fix: "pip install onnxruntime onnxruntime-qnn",
    driver: "use a machine with a Hexagon processor, or the emulator: ort:qnn-htp-emulator",
    systems: &["linux", "windows", "android"],
};

/// Every device there may be, in the order they are listed.
pub(crate) const PROVIDERS: &[Provider] = &[
    Provider {
        what: "cpu",
        name: "CPUExecutionProvider",
        numerics: &[Numerics::A8, Numerics::F32],
        option: None,
        fixed: false,
        copies: 2,
        fix: "pip install onnxruntime, or name a library: --runtime FILE",
        driver: "",
        systems: &[],
        ..OPENVINO
    },
    OPENVINO,
    Provider {
        what: "openvino-npu",
        kind: DeviceKind::Npu,
        hardware: DeviceType::NPU,
        option: Some(("device_type", "NPU")),
        numerics: &[Numerics::F16],
        driver: "use a machine with an Intel NPU, install its driver (intel-npu-driver), and let this user open /dev/accel",
        ..OPENVINO
    },
    Provider {
        what: "openvino-gpu",
        kind: DeviceKind::Gpu,
        hardware: DeviceType::GPU,
        option: Some(("device_type", "GPU")),
        numerics: &[Numerics::F16, Numerics::F32],
        driver: "use a machine with an Intel GPU and install its driver (intel-opencl-icd)",
        ..OPENVINO
    },
    QNN,
    Provider {
        what: "qnn-htp-emulator",
        class: DeviceClass::Emulated,
        hardware: DeviceType::CPU,
        numerics: &[Numerics::F32],
        // Float graphs of 32 rows find no memory in the emulator of 2.7.0 (QNN_COMMON_ERROR_MEM_ALLOC); it is not there for speed.
        rows: 4,
        driver: "the emulator runs on x86-64 Linux and Windows",
        ..QNN
    },
    Provider {
        what: "coreml",
        name: "CoreMLExecutionProvider",
        kind: DeviceKind::Npu,
        option: None,
        numerics: &[Numerics::F16],
        fix: "pip install onnxruntime",
        driver: "use macOS on Apple silicon",
        systems: &["macos", "ios"],
        ..QNN
    },
    Provider {
        what: "nnapi",
        name: "NnapiExecutionProvider",
        kind: DeviceKind::Npu,
        option: None,
        numerics: &[Numerics::F16],
        fix: "name Android's library of ONNX Runtime: --runtime FILE",
        driver: "use Android",
        systems: &["android"],
        ..QNN
    },
    Provider {
        what: "xnnpack",
        name: "XnnpackExecutionProvider",
        option: None,
        fix: "build ONNX Runtime with --use_xnnpack and name its library: --runtime FILE",
        driver: "",
        numerics: &[Numerics::F32],
        systems: &[],
        ..OPENVINO
    },
    Provider {
        what: "cuda",
        name: "CUDAExecutionProvider",
        kind: DeviceKind::Gpu,
        hardware: DeviceType::GPU,
        option: None,
        numerics: &[Numerics::F32],
        fix: "pip install onnxruntime-gpu, into a folder of its own, and --runtime DIR",
        driver: "install NVIDIA's driver, CUDA and cuDNN",
        systems: &["linux", "windows"],
        ..OPENVINO
    },
];

/// Where a device was found.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) provider: &'static Provider,
    pub(crate) runtime: RuntimeFile,
    /// Of the runtime.
    pub(crate) version: String,
    /// Its library, where it is not compiled in.
    pub(crate) plugin: Option<Plugin>,
}

/// Why a device is not usable here, and what would change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Absent {
    pub(crate) reason: String,
    pub(crate) fix: Option<String>,
}

/// The runtimes of a search, asked what they are.
pub(crate) struct Survey<'a> {
    search: &'a Search,
    usable: Vec<(RuntimeFile, Inspected)>,
    /// What was found and cannot be used: file and reason.
    unusable: Vec<String>,
}

impl Provider {
    /// The row of a device's id.
    pub(crate) fn of(id: &str) -> Option<&'static Provider> {
        let what = id.strip_prefix("ort:")?;
        PROVIDERS.iter().find(|provider| provider.what == what)
    }

    /// Numerics it can be asked for with weights rounded anew, or the file's; its default first.
    pub(crate) fn numerics(&self, anew: Option<WeightScheme>) -> &'static [Numerics] {
        match anew {
            // Whatever the rest is computed in, activations are rounded.
            Some(anew) if anew.rounds_activations() => &[Numerics::A8],
            _ => self.numerics,
        }
    }

    /// Nothing on the processor may stand in for this device.
    pub(crate) fn strict(&self) -> bool {
        self.kind != DeviceKind::Cpu
    }
}

impl<'a> Survey<'a> {
    /// Asks every runtime there is.
    pub(crate) fn new(search: &'a Search) -> Survey<'a> {
        let (mut usable, mut unusable) = (Vec::new(), Vec::new());
        for file in search.runtimes() {
            match inspect(&file.path) {
                Ok(inspected) => usable.push((file, inspected)),
                Err(error) => {
                    unusable.push(format!("{} ({}): {error}", file.path.display(), file.found))
                }
            }
        }
        Survey { search, usable, unusable }
    }

    /// Where a provider is usable, or why it is not.
    pub(crate) fn find(&self, provider: &'static Provider) -> Result<Place, Absent> {
        let system = std::env::consts::OS;
        if !provider.systems.is_empty() && !provider.systems.contains(&system) {
            let reason = format!("{} does not exist on {system}", provider.name);
            return Err(Absent { reason, fix: Some(provider.driver.to_owned()) });
        }
        let Some((first, inspected)) = self.usable.first() else { return Err(self.nothing()) };
        if provider.what == "cpu" {
            return Ok(place(provider, first, inspected, None));
        }
        let mut refusal = None;
        if let Some(plugin) = self.plugin(provider) {
            match self.offered(provider, &plugin, inspected) {
                Ok(()) => return Ok(place(provider, first, inspected, Some(plugin))),
                Err(reason) => refusal = Some(reason),
            }
        }
        let compiled_in = |(_, inspected): &&(RuntimeFile, Inspected)| {
            inspected.providers.iter().any(|name| name == provider.name)
        };
        if let Some((file, inspected)) = self.usable.iter().find(compiled_in) {
            match starts(provider, inspected) {
                Ok(()) => return Ok(place(provider, file, inspected, None)),
                Err(reason) => refusal = Some(reason),
            }
        }
        Err(match refusal {
            Some(reason) => Absent { reason, fix: Some(provider.driver.to_owned()) },
            None => self.lacking(provider),
        })
    }

    fn plugin(&self, provider: &Provider) -> Option<Plugin> {
        self.search.plugins().into_iter().find(|plugin| plugin.provider == provider.name)
    }

    fn offered(
        &self,
        provider: &Provider,
        plugin: &Plugin,
        inspected: &Inspected,
    ) -> Result<(), String> {
        let offered = inspected.trial()?.plugin(provider.name, &plugin.path)?;
        if offered.iter().any(|offered| offered.kind == provider.hardware) {
            return Ok(());
        }
        let found: Vec<String> =
            offered.iter().map(|o| format!("{:?} of {}", o.kind, o.vendor)).collect();
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        let (kind, at) = (provider.hardware, plugin.path.display());
        Err(format!("{} offers {found} here, no {kind:?} ({at})", provider.name))
    }

    fn nothing(&self) -> Absent {
        let reason = match self.unusable.is_empty() {
            true => format!("no ONNX Runtime was found in {}", self.search.describe()),
            false => format!("no usable ONNX Runtime: {}", self.unusable.join("; ")),
        };
        let fix = "pip install onnxruntime (1.24 or newer), or name a library: --runtime FILE";
        Absent { reason, fix: Some(fix.to_owned()) }
    }

    fn lacking(&self, provider: &Provider) -> Absent {
        let found: Vec<String> = self
            .usable
            .iter()
            .map(|(file, inspected)| format!("{} at {}", inspected.version, file.path.display()))
            .collect();
        let reason =
            format!("no ONNX Runtime here has {} (found {})", provider.name, found.join(", "));
        Absent { reason, fix: Some(provider.fix.to_owned()) }
    }
}

fn starts(provider: &Provider, inspected: &Inspected) -> Result<(), String> {
    let short = provider.name.strip_suffix("ExecutionProvider").unwrap_or(provider.name);
    let options: Vec<(&str, &str)> = provider.option.into_iter().collect();
    inspected.trial()?.starts(short, &options)
}

fn place(
    provider: &'static Provider,
    runtime: &RuntimeFile,
    inspected: &Inspected,
    plugin: Option<Plugin>,
) -> Place {
    let version = inspected.version.clone();
    Place { provider, runtime: runtime.clone(), version, plugin }
}

impl Place {
    /// What people are told of where it came from.
    pub(crate) fn source(&self) -> String {
        let runtime = format!("ONNX Runtime {}, {}", self.version, self.runtime.found);
        match &self.plugin {
            Some(plugin) => format!("{runtime}; plug-in {}", plugin.path.display()),
            None => runtime,
        }
    }

    /// The runtime's library.
    pub(crate) fn library(&self) -> &Path {
        &self.runtime.path
    }
}
