//! Makes sessions: converts the model, writes the graph, starts the provider, asks where the nodes went.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ort::ep::CPU;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use yardstick_api::{Error, Footprint, Lengths, Numerics, Options};
use yardstick_model::Model;

use super::dynamic::{Dynamic, Shape};
use super::facts::{Loaded, facts};
use super::{OrtSession, failed};
use crate::network::{Style, dynamic};
use crate::placement::{Placement, RECORD, Recording, Verdict, assigned};
use crate::providers::Place;
use crate::runtime::{Process, process};
use crate::weights::{Converted, converted};

/// Makes a model resident on a provider.
pub(crate) fn load(
    place: &Place,
    cache: &Path,
    model: &Arc<Model>,
    options: &Options,
    footprint: Footprint,
) -> Result<Box<dyn yardstick_api::Session>, Error> {
    let converted = converted(cache, model)?;
    let start = Instant::now();
    let process = process(place.library())?;
    if let Some(plugin) = &place.plugin {
        process.register(plugin)?;
    }
    let context = options.context_of(model.architecture());
    let numerics = options.numerics.unwrap_or(place.provider.numerics[0]);
    let threads = options.threads.unwrap_or_else(cores);
    let accuracy = if numerics == Numerics::A8 { 4 } else { 0 };
    let style = Style { accuracy, kv: options.kv };
    let graph = dynamic(model, &converted.index, style, context)?;
    let graph = write_graph(&converted, &graph)?;
    let recording = options.profile.then(|| Recording::new(cache)).transpose()?;
    let maker = Maker { place, process, threads, recording: recording.as_ref() };
    let session = maker.session(&graph)?;
    let placement = maker.proven(&session)?;
    let shape = Shape {
        context,
        sequences: options.sequences,
        kv: options.kv,
        chosen: options.rotary_context.unwrap_or(context),
    };
    let form = Dynamic::new(session, model, &shape, recording).map_err(failed)?;
    let compile = start.elapsed();
    let loaded = Loaded {
        place,
        model,
        options,
        converted: &converted,
        footprint,
        context,
        numerics,
        threads,
        placement,
        compile,
    };
    Ok(Box::new(OrtSession {
        facts: facts(&loaded),
        form: Box::new(form),
        model: Arc::clone(model),
        chunk: options.chunk,
        lengths: Lengths::new(options.sequences, context),
        logits: Vec::new(),
    }))
}

/// Threads when nobody says how many.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Writes the graph beside the weights it names; the same graph is the same file.
fn write_graph(converted: &Converted, graph: &[u8]) -> Result<PathBuf, Error> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    graph.hash(&mut hasher);
    let path = converted.folder.join(format!("{:016x}.onnx", hasher.finish()));
    if std::fs::read(&path).is_ok_and(|found| found == graph) {
        return Ok(path);
    }
    let part = path.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&part, graph)
        .and_then(|()| std::fs::rename(&part, &path))
        .map_err(|error| Error::Device(format!("{}: {error}", path.display())))?;
    Ok(path)
}

/// What sessions of one load are made with.
struct Maker<'a> {
    place: &'a Place,
    process: &'static Process,
    threads: usize,
    recording: Option<&'a Recording>,
}

impl Maker<'_> {
    fn session(&self, graph: &Path) -> Result<Session, Error> {
        self.process.log.take();
        let mut builder = self.builder().map_err(|error| self.explained(error))?;
        builder.commit_from_file(graph).map_err(|error| self.explained(error))
    }

    fn builder(&self) -> ort::Result<SessionBuilder> {
        let mut builder = SessionBuilder::new(&self.process.environment)?
            .with_intra_threads(self.threads)?
            .with_inter_threads(1)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_config_entry(RECORD, "1")?;
        if let Some(recording) = self.recording {
            builder = builder.with_profiling(recording.prefix())?;
        }
        builder = builder
            .with_execution_providers([CPU::default().with_arena_allocator(true).build()])?;
        Ok(builder)
    }

    /// Where its nodes are, or that they are elsewhere.
    fn proven(&self, session: &Session) -> Result<Placement, Error> {
        let placement = assigned(session).map_err(failed)?;
        let provider = self.place.provider;
        match placement.verdict(provider.name, provider.strict()) {
            Verdict::Placed | Verdict::Partial { .. } => Ok(placement),
            Verdict::Invalid => Err(Error::Misplaced(format!(
                "asked for ort:{}, placed elsewhere: {}",
                provider.what,
                placement.elsewhere(provider.name)
            ))),
        }
    }

    /// The runtime's error with the reason it logged.
    fn explained<R>(&self, error: ort::Error<R>) -> Error {
        let said = self.process.log.take();
        match (failed(error), said.last()) {
            (Error::Device(message), Some(reason)) if !message.contains(reason.as_str()) => {
                Error::Device(format!("{message}: {reason}"))
            }
            (error, _) => error,
        }
    }
}

/// Times of a load, for the facts.
pub(super) fn parts(read: Duration, convert: Duration, compile: Duration) -> String {
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    format!("read {:.1} ms, convert {:.1} ms, compile {:.1} ms", ms(read), ms(convert), ms(compile))
}
