//! Makes a model resident: converts it, writes its graphs, has sessions made of them, binds memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use yardstick_api::{Error, Footprint, Lengths, Numerics, Options};
use yardstick_model::Model;

use super::calibrate;
use super::dynamic::{Dynamic, Shape};
use super::facts::{Loaded, facts};
use super::fixed::{Fixed, Graphs};
use super::maker::Maker;
use super::{Form, OrtSession, failed};
use crate::backend::Provoke;
use crate::network::{Style, body, dynamic, head_alone};
use crate::placement::{Placement, Recorded, Verdict};
use crate::providers::Place;
use crate::runtime::{Process, process};
use crate::weights::{Converted, Scheme, converted};

/// Makes a model resident on a provider.
pub(crate) fn load(
    place: &Place,
    cache: &Path,
    model: &Arc<Model>,
    options: &Options,
    footprint: Footprint,
    provoke: Provoke,
) -> Result<Box<dyn yardstick_api::Session>, Error> {
    let scheme = if provoke.unsupported { Scheme::BLOCKS } else { place.provider.scheme };
    let scheme = Scheme { anew: options.weights, ..scheme };
    let mut converted = converted(cache, model, scheme)?;
    let start = Instant::now();
    let process = process(place.library())?;
    if let Some(plugin) = &place.plugin {
        process.register(plugin)?;
    }
    let numerics = options.numerics.unwrap_or(place.provider.numerics(options.weights)[0]);
    let threads = options.threads.unwrap_or_else(cores);
    if scheme.rounds_activations() && converted.index.ranges.is_empty() {
        let resident = Resident { place, process, threads };
        let ranges = calibrate::ranges(&resident, model, &converted, scheme)?;
        converted.keep(ranges)?;
    }
    let maker = Maker {
        place,
        process,
        threads,
        numerics,
        fallback: provoke.fallback,
        profiles: options.profile.then_some(cache),
        nodes: Vec::new(),
    };
    let context = options.context_of(model.architecture());
    let chunk = match place.provider.fixed {
        true => options.chunk.min(place.provider.rows).min(context),
        false => options.chunk,
    };
    let shape = Shape {
        context,
        sequences: options.sequences,
        kv: options.kv,
        chosen: options.rotary_context.unwrap_or(context),
    };
    let mut work = Work {
        maker,
        cache,
        echo: provoke.echo,
        model,
        converted: &converted,
        scheme,
        shape,
        chunk,
    };
    let form = work.form()?;
    let placement = work.placement()?;
    let loaded = Loaded {
        place,
        model,
        options,
        converted: &converted,
        scheme,
        footprint,
        context,
        chunk,
        numerics,
        threads,
        placement,
        compile: start.elapsed(),
    };
    Ok(Box::new(OrtSession {
        facts: facts(&loaded),
        form,
        model: Arc::clone(model),
        chunk: options.chunk,
        lengths: Lengths::new(options.sequences, context),
        logits: Vec::new(),
    }))
}

/// A runtime that was started, and how much of the machine it may use.
pub(super) struct Resident<'a> {
    pub(super) place: &'a Place,
    pub(super) process: &'static Process,
    pub(super) threads: usize,
}

/// Threads when nobody says how many.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Everything a form is made of.
struct Work<'a> {
    maker: Maker<'a>,
    /// Where recordings lie until they were read.
    cache: &'a Path,
    /// See [`Provoke::echo`].
    echo: bool,
    model: &'a Arc<Model>,
    converted: &'a Converted,
    scheme: Scheme,
    shape: Shape,
    chunk: usize,
}

impl Work<'_> {
    fn form(&mut self) -> Result<Box<dyn Form>, Error> {
        let fixed = self.maker.place.provider.fixed;
        let style = Style {
            accuracy: if self.maker.numerics == Numerics::A8 { 4 } else { 0 },
            scheme: self.scheme,
            kv: self.shape.kv,
            plain: fixed,
            echo: self.echo,
        };
        let (model, index, context) = (self.model, &self.converted.index, self.shape.context);
        if !fixed {
            let session = self.session(&dynamic(model, index, style, context)?)?;
            let form = Dynamic::new(session, model, &self.shape);
            return Ok(Box::new(form.map_err(failed)?));
        }
        let chunk = match self.chunk {
            1 => None,
            rows => Some(self.session(&body(model, index, style, context, rows)?)?),
        };
        let step = self.session(&body(model, index, style, context, 1)?)?;
        let head = self.session(&head_alone(model, index, style)?)?;
        let graphs = Graphs { chunk, step, head };
        let form = Fixed::new(graphs, model, &self.shape, self.chunk);
        Ok(Box::new(form.map_err(failed)?))
    }

    /// Where the nodes of the form made last are; where they are not all on the provider, also who took how much of the time.
    fn placement(&mut self) -> Result<Placement, Error> {
        let mut placement = Placement::of(std::mem::take(&mut self.maker.nodes));
        let provider = self.maker.place.provider;
        if placement.verdict(provider.name, provider.strict()) != Verdict::Placed {
            placement.times = self.times()?;
        }
        Ok(placement)
    }

    /// Nanoseconds by provider of a chunk and a step, the first such call apart, in sessions of their own that are recorded.
    fn times(&mut self) -> Result<Option<BTreeMap<String, u64>>, Error> {
        let profiles = self.maker.profiles.replace(self.cache);
        let form = self.form();
        (self.maker.profiles, _) = (profiles, std::mem::take(&mut self.maker.nodes));
        let mut form = form?;
        let tokens = vec![0; self.chunk.min(self.shape.context).max(1)];
        for _ in 0..2 {
            form.sessions().into_iter().for_each(Recorded::begin);
            for tokens in [&tokens[..], &[0]] {
                form.run(0, 0, tokens, &[tokens.len() - 1], &mut Vec::new())?;
            }
        }
        let mut times = BTreeMap::new();
        for session in form.sessions() {
            let Some(of_session) = session.times() else { return Ok(None) };
            for (provider, nanoseconds) in of_session {
                *times.entry(provider).or_insert(0) += nanoseconds;
            }
        }
        Ok(Some(times))
    }

    fn session(&mut self, graph: &[u8]) -> Result<Recorded, Error> {
        let file = write_graph(self.converted, graph)?;
        self.maker.session(&file)
    }
}

/// Writes the graph beside the weights it names; the same graph is the same file.
pub(super) fn write_graph(converted: &Converted, graph: &[u8]) -> Result<PathBuf, Error> {
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
