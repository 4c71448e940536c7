//! What the worker does for each call: finds devices, keeps one session, runs and times it.

mod bulk;
mod complete;
mod fault;
mod measure;
mod workload;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use yardstick_api::{Backend, Device, DeviceStatus, Limit, Options, Sequence, Session};
use yardstick_model::Model;
use yardstick_model::tokenizer::Tokenizer;

use super::output::Output;
use crate::protocol::{Answer, Call, Load, VERSION};
use bulk::LogitsAsked;
pub(super) use fault::Fault;

/// State between calls.
pub(super) struct Calls<'a> {
    backends: &'a [&'a dyn Backend],
    output: Output,
    /// The worker's clock starts here.
    epoch: Instant,
    /// Devices by backend, as listed once.
    found: BTreeMap<String, Vec<DeviceStatus>>,
    resident: Option<Resident<'a>>,
}

/// The model on its device.
struct Resident<'a> {
    backend: &'a dyn Backend,
    device: Device,
    path: PathBuf,
    options: Options,
    vocab: usize,
    /// `None` only while `load` is being timed, or after it failed.
    session: Option<Box<dyn Session>>,
    /// Positions of sequence 0 that hold the tests' filler.
    filled: usize,
    /// Of the file, once a prompt came as text.
    tokenizer: Option<Arc<Tokenizer>>,
}

impl Resident<'_> {
    fn session(&mut self) -> Result<&mut (dyn Session + 'static), Fault> {
        let lost = || Fault::invalid("the session was lost while loading it again");
        self.session.as_deref_mut().ok_or_else(lost)
    }
}

/// Says that the call under way was cancelled.
type Stop<'a> = &'a dyn Fn() -> bool;

impl<'a> Calls<'a> {
    pub(super) fn new(backends: &'a [&'a dyn Backend], output: Output) -> Calls<'a> {
        let epoch = Instant::now();
        Calls { backends, output, epoch, found: BTreeMap::new(), resident: None }
    }

    /// Does what is asked.
    pub(super) fn answer(&mut self, id: u64, call: Call, stop: Stop<'_>) -> Result<Answer, Fault> {
        match call {
            Call::Hello { protocol } => self.hello(protocol),
            Call::Devices { backend } => {
                Ok(Answer::Devices { devices: self.list(&backend)?.to_vec() })
            }
            Call::Plan(load) => self.plan(&load),
            Call::Load(load) => self.load(&load),
            Call::Observe { file } => self.observe(&file),
            Call::Expect { generated, file } => self.expect(&generated, &file),
            Call::Prepare { test } => self.prepare(id, test, stop),
            Call::WarmUp { test, seconds } => self.warm_up(test, seconds, stop),
            Call::Sample { test, sampling } => self.sample(id, test, &sampling, stop),
            Call::Ceiling { device, limit, threads } => self.ceiling(&device, limit, threads),
            Call::Generate { tokens, n } => self.generate(&tokens, n, stop),
            Call::Logits { tokens, step, held, skip, file } => {
                self.logits(&LogitsAsked { tokens: &tokens, step, held, skip, file: &file })
            }
            Call::Complete { prompt, n, stop: ends } => self.complete(&prompt, n, &ends, stop),
            Call::Chat { turns, reuse } => self.chat(id, &turns, reuse, stop),
            Call::Serve(queue) => self.serve(id, &queue, stop),
            Call::Unload => {
                self.resident = None;
                Ok(Answer::Unloaded)
            }
            Call::Profile => Ok(Answer::Profile { profile: self.resident()?.session()?.profile() }),
            Call::Cancel => Err(Fault::invalid("a cancel is not a call")),
            Call::Stop => {
                self.resident = None;
                Ok(Answer::Stopped)
            }
        }
    }

    fn hello(&self, protocol: u32) -> Result<Answer, Fault> {
        if protocol != VERSION {
            let message = format!("protocol {protocol} is not spoken here, only {VERSION}");
            return Err(Fault::invalid(message));
        }
        Ok(Answer::Hello {
            protocol: VERSION,
            name: "yardstick".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            backends: self.backends.iter().map(|backend| backend.name().to_owned()).collect(),
        })
    }

    fn backend(&self, name: &str) -> Result<&'a dyn Backend, Fault> {
        let found = self.backends.iter().find(|backend| backend.name() == name).copied();
        found.ok_or_else(|| Fault::invalid(format!("there is no backend {name:?}")))
    }

    fn list(&mut self, name: &str) -> Result<&[DeviceStatus], Fault> {
        let backend = self.backend(name)?;
        let devices = self.found.entry(name.to_owned()).or_insert_with(|| backend.devices());
        Ok(devices)
    }

    fn device(&mut self, id: &str) -> Result<Device, Fault> {
        let name = id.split(':').next().unwrap_or(id);
        match self.list(name)?.iter().find(|status| status.id() == id) {
            Some(DeviceStatus::Ready(device)) => Ok(device.clone()),
            Some(DeviceStatus::Missing { reason, fix, .. }) => {
                Err(Fault::unsupported(reason.clone(), fix.clone()))
            }
            None => Err(Fault::invalid(format!("there is no device {id:?}"))),
        }
    }

    fn resident(&mut self) -> Result<&mut Resident<'a>, Fault> {
        self.resident.as_mut().ok_or_else(|| Fault::invalid("no model is loaded"))
    }

    fn plan(&mut self, load: &Load) -> Result<Answer, Fault> {
        let device = self.device(&load.device)?;
        let model = Model::open(Path::new(&load.model)).map_err(Fault::model)?;
        let backend = self.backend(device.backend())?;
        takes_weights(backend, &device, &load.options)?;
        let footprint = backend.plan(&device, model.info(), &load.options);
        footprint
            .map(|footprint| Answer::Planned { footprint })
            .map_err(|refusal| Fault::unsupported(refusal.reason, refusal.fix))
    }

    fn load(&mut self, load: &Load) -> Result<Answer, Fault> {
        self.resident = None;
        let device = self.device(&load.device)?;
        let backend = self.backend(device.backend())?;
        takes_weights(backend, &device, &load.options)?;
        let path = PathBuf::from(&load.model);
        let start = Instant::now();
        let model = Arc::new(Model::open(&path).map_err(Fault::model)?);
        let mut session = backend.load(&device, &model, &load.options)?;
        session.synchronize()?;
        let load_ns = start.elapsed().as_nanos() as u64;
        let (vocab, facts) = (model.architecture().vocab, session.facts());
        self.resident = Some(Resident {
            backend,
            device,
            path,
            options: load.options.clone(),
            vocab,
            session: Some(session),
            filled: 0,
            tokenizer: None,
        });
        Ok(Answer::Loaded { facts, load_ns })
    }

    fn ceiling(&mut self, id: &str, limit: Limit, threads: Option<usize>) -> Result<Answer, Fault> {
        let device = self.device(id)?;
        let backend = self.backend(device.backend())?;
        Ok(Answer::Ceiling { reached: backend.ceiling(&device, limit, threads) })
    }

    fn generate(&mut self, tokens: &[u32], n: usize, stop: Stop<'_>) -> Result<Answer, Fault> {
        let resident = self.resident()?;
        resident.filled = 0;
        let session = resident.session()?;
        let Some((&last, prompt)) = tokens.split_last() else {
            return Err(Fault::invalid("generate takes at least one token"));
        };
        session.truncate(Sequence(0), 0)?;
        if !prompt.is_empty() {
            let spans = [yardstick_api::Span { sequence: Sequence(0), tokens: prompt }];
            let rows = yardstick_api::Rows::None;
            session.forward(&yardstick_api::Batch { spans: &spans, rows })?;
        }
        let mut ids = Vec::new();
        session.generate(&[(Sequence(0), last)], n, &mut |_, emitted| {
            ids.extend_from_slice(emitted);
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(Answer::Generated { ids })
    }
}

/// Weights are rounded anew by backends that know how, and by no other silently.
fn takes_weights(backend: &dyn Backend, device: &Device, options: &Options) -> Result<(), Fault> {
    match options.weights {
        Some(scheme) if !backend.takes_weights(device, scheme) => {
            let reason = format!("{} does not run weights rounded to {}", device.id, scheme.name());
            Err(Fault::unsupported(reason, Some("leave --weights at file".to_owned())))
        }
        _ => Ok(()),
    }
}
