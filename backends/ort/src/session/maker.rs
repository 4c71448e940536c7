//! Makes the runtime's sessions: the provider, its precision, what it may leave to the processor, and the proof of what it took.

use std::path::Path;

use ort::ep::{self, ExecutionProviderDispatch};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use yardstick_api::{Error, Numerics};

use super::failed;
use crate::placement::{Node, Placement, RECORD, Recorded, Recording, Verdict, assigned};
use crate::providers::Place;
use crate::runtime::Process;

/// What the sessions of one load are made with.
pub(super) struct Maker<'a> {
    pub(super) place: &'a Place,
    pub(super) process: &'static Process,
    pub(super) threads: usize,
    pub(super) numerics: Numerics,
    /// The processor may stand in: only to prove that the account of nodes notices.
    pub(super) fallback: bool,
    /// Where profiles are recorded, if they are.
    pub(super) profiles: Option<&'a Path>,
    /// Nodes of the sessions made so far.
    pub(super) nodes: Vec<Node>,
}

/// What the runtime says when a provider did not take a node and the processor may not.
const FALLBACK: &str = "fallback to CPU EP has been explicitly disabled";

impl Maker<'_> {
    /// A session over a graph, or why there is none; one whose products would run elsewhere is none.
    pub(super) fn session(&mut self, graph: &Path) -> Result<Recorded, Error> {
        self.process.log.take();
        let recording = self.profiles.map(Recording::new);
        let made = self.builder(recording.as_ref());
        let made = made.and_then(|mut builder| builder.commit_from_file(graph));
        let session = made.map_err(|error| self.explained(error))?;
        let nodes = assigned(&session).map_err(failed)?;
        let placement = Placement::of(nodes.iter().cloned());
        let provider = self.place.provider;
        if placement.verdict(provider.name, provider.strict()) == Verdict::Invalid {
            return Err(Error::Misplaced(format!(
                "asked for ort:{}, placed elsewhere: {}",
                provider.what,
                placement.elsewhere(provider.name)
            )));
        }
        self.nodes.extend(nodes);
        Ok(Recorded::new(session, recording))
    }

    fn builder(&self, recording: Option<&Recording>) -> ort::Result<SessionBuilder> {
        let mut builder = SessionBuilder::new(&self.process.environment)?
            .with_intra_threads(self.threads)?
            .with_inter_threads(1)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_config_entry(RECORD, "1")?;
        if let Some(recording) = recording {
            builder = builder.with_profiling(recording.prefix())?;
        }
        let provider = self.place.provider;
        if provider.strict() && !self.fallback {
            builder = builder.with_disable_cpu_fallback()?;
        }
        let options = options(self.place, self.numerics, self.threads);
        // The processor by name too: where a plug-in is registered that offers the processor, the runtime would choose that one.
        if self.place.plugin.is_some() || provider.name == "CPUExecutionProvider" {
            let wanted = self.process.environment.devices().filter(|device| {
                device.ep().is_ok_and(|name| name == provider.name)
                    && device.hardware_device().ty() == provider.hardware
            });
            let options: Vec<(String, String)> = options
                .into_iter()
                .map(|(key, value)| (format!("{}.{key}", provider.name), value))
                .collect();
            return Ok(builder.with_devices(wanted, Some(&options))?);
        }
        // Without a provider the runtime would choose one by a policy of its own.
        Ok(builder.with_execution_providers([compiled_in(provider.name, &options)])?)
    }

    /// The runtime's error with the reason it logged; what a provider left to the processor is not a failure but an answer.
    fn explained(&self, error: ort::Error) -> Error {
        let said = self.process.log.take();
        let provider = self.place.provider;
        match (failed(error), said.last()) {
            (Error::Device(message), said) if message.contains(FALLBACK) => {
                let reason = said.map_or_else(String::new, |said| format!(" ({said})"));
                Error::Misplaced(format!(
                    "asked for ort:{}: {} did not take every node, and the processor may not stand in{reason}",
                    provider.what, provider.name
                ))
            }
            (Error::Device(message), Some(reason)) if !message.contains(reason.as_str()) => {
                Error::Device(format!("{message}: {reason}"))
            }
            (error, _) => error,
        }
    }
}

/// Options of a provider: which hardware, which precision, how many threads. Precision is always said: OpenVINO computes in bf16 on some
/// processors and quantises activations on all, unless told otherwise.
pub(super) fn options(place: &Place, numerics: Numerics, threads: usize) -> Vec<(String, String)> {
    let provider = place.provider;
    let mut options: Vec<(String, String)> = Vec::new();
    let mut set = |key: &str, value: &str| options.push((key.to_owned(), value.to_owned()));
    if let Some((key, value)) = provider.option {
        set(key, value);
    }
    if provider.name == "OpenVINOExecutionProvider" {
        let hint = match numerics {
            Numerics::F16 => "f16",
            Numerics::Bf16 => "bf16",
            Numerics::F32 | Numerics::A8 | Numerics::Requantised => "f32",
        };
        let group = if numerics == Numerics::A8 { "32" } else { "0" };
        let device = provider.option.map_or("CPU", |(_, device)| device);
        let mut config = serde_json::Map::new();
        let mut say = |key: &str, value: String| config.insert(key.to_owned(), value.into());
        say("INFERENCE_PRECISION_HINT", hint.to_owned());
        if device == "CPU" {
            say("DYNAMIC_QUANTIZATION_GROUP_SIZE", group.to_owned());
            say("INFERENCE_NUM_THREADS", threads.to_string());
        }
        set("load_config", &serde_json::json!({ device: config }).to_string());
    }
    options
}

/// A provider of the runtime's own library.
fn compiled_in(name: &str, options: &[(String, String)]) -> ExecutionProviderDispatch {
    use ep::ArbitrarilyConfigurableExecutionProvider as _;
    macro_rules! with_options {
        ($provider:expr) => {{
            let start = $provider;
            let set = options
                .iter()
                .fold(start, |provider, (key, value)| provider.with_arbitrary_config(key, value));
            set.build()
        }};
    }
    match name {
        "OpenVINOExecutionProvider" => with_options!(ep::OpenVINO::default()),
        "QNNExecutionProvider" => with_options!(ep::QNN::default()),
        "CUDAExecutionProvider" => with_options!(ep::CUDA::default()),
        "CoreMLExecutionProvider" => ep::CoreML::default().build(),
        "NnapiExecutionProvider" => ep::NNAPI::default().build(),
        "XnnpackExecutionProvider" => ep::XNNPACK::default().build(),
        _ => ep::CPU::default().with_arena_allocator(true).build(),
    }
    .error_on_failure()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Provider;
    use crate::runtime::RuntimeFile;

    #[test]
    fn openvino_is_always_told_its_precision() {
        let place = |what: &str| Place {
            provider: Provider::of(&format!("ort:{what}")).unwrap(),
            runtime: RuntimeFile { path: "x".into(), found: String::new() },
            version: "1.24.1".into(),
            plugin: None,
        };
        for (what, numerics, expected) in [
            ("openvino-cpu", Numerics::F32, r#""DYNAMIC_QUANTIZATION_GROUP_SIZE":"0""#),
            ("openvino-cpu", Numerics::A8, r#""DYNAMIC_QUANTIZATION_GROUP_SIZE":"32""#),
            ("openvino-cpu", Numerics::Bf16, r#""INFERENCE_PRECISION_HINT":"bf16""#),
            ("openvino-npu", Numerics::F16, r#"{"NPU":{"INFERENCE_PRECISION_HINT":"f16"}}"#),
        ] {
            let options = options(&place(what), numerics, 2);
            let (key, value) = &options[1];
            assert_eq!(key, "load_config");
            assert!(value.contains(expected), "{what} {numerics:?}: {value}");
        }
        assert_eq!(options(&place("cpu"), Numerics::F32, 2), []);
    }
}
