//! Which tensors the new file gets and what each is made of; config.json and tensors held against each other.

use std::collections::BTreeSet;

use super::assemble::{Assembly, Part};
use super::config::Config;
use super::families::Source;
use super::lora::{Lora, Target};
use super::metadata::Shape;
use super::names::{Lay, Place};
use crate::arch::TensorSpec;
use crate::gguf::{Header, quote};
use crate::safetensors::{Checkpoint, View};
use crate::{Architecture, Error};

/// A tensor of the new file.
pub(super) struct Planned<'a> {
    pub(super) spec: TensorSpec,
    pub(super) assembly: Assembly<'a>,
}

/// All that a plan is made from.
pub(super) struct Planner<'a> {
    pub(super) source: &'static Source,
    pub(super) config: &'a Config,
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) shape: &'a Shape,
    pub(super) lora: Option<&'a Lora>,
    prefix: &'static str,
    /// Tensors of the checkpoint that were used.
    used: BTreeSet<&'a str>,
    adapted: BTreeSet<String>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        source: &'static Source,
        config: &'a Config,
        checkpoint: &'a Checkpoint,
        shape: &'a Shape,
        lora: Option<&'a Lora>,
    ) -> Planner<'a> {
        let fits = |prefix: &&&str| {
            let place = source.names.place(prefix, None, "token_embd.weight");
            place.is_some_and(|place| checkpoint.tensor(&place.name).is_some())
        };
        let prefix = source.names.prefixes.iter().find(fits).or(source.names.prefixes.first());
        let prefix = prefix.copied().unwrap_or("");
        let (used, adapted) = (BTreeSet::new(), BTreeSet::new());
        Planner { source, config, checkpoint, shape, lora, prefix, used, adapted }
    }

    /// Every tensor of the new file, in its order.
    pub(super) fn plan(mut self, header: &Header) -> Result<Vec<Planned<'a>>, Error> {
        let tied = self.tied()?;
        let architecture = Architecture::of_metadata(header, &|name| self.stored(name, tied))
            .map_err(|error| self.of_config(error))?;
        self.switches(architecture.layers.len())?;
        let mut planned = Vec::new();
        for spec in architecture.tensors() {
            let assembly = self.assemble(&spec)?;
            planned.push(Planned { spec, assembly });
        }
        self.leftover(tied)?;
        self.lora.map_or(Ok(()), |lora| lora.all_used(&self.adapted))?;
        Ok(planned)
    }

    /// Metadata that no architecture can be read from came from config.json.
    fn of_config(&self, error: Error) -> Error {
        match error {
            Error::Invalid { field, found, expected, .. } => {
                self.config.invalid(&field, found, expected)
            }
            other => other,
        }
    }

    /// Whether the head is the embedding.
    fn tied(&self) -> Result<bool, Error> {
        let key = ["tie_word_embeddings", "share_input_output_layers"];
        let stated = self.config.first(&key).map_or(Ok(None), |key| self.config.bool(key))?;
        Ok(stated.unwrap_or(self.source.tied))
    }

    fn place(&self, layer: Option<usize>, part: &str) -> Option<Place> {
        self.source.names.place(self.prefix, layer, part)
    }

    /// Whether a GGUF tensor has something to be made from.
    fn stored(&self, name: &str, tied: bool) -> bool {
        let (layer, part) = split(name);
        if self.shape.factors.of(part).is_some() {
            return true;
        }
        if part == "output.weight" {
            // Missing, it is missed later by its name.
            return !tied;
        }
        let Some(place) = self.place(layer, part) else { return false };
        let name =
            if place.lay == Lay::Stacked { place.name.replacen("{}", "0", 1) } else { place.name };
        self.checkpoint.tensor(&name).is_some()
    }

    /// Keys that say whether tensors are there agree with the tensors.
    fn switches(&self, layers: usize) -> Result<(), Error> {
        for switch in self.source.switches {
            let Some(stated) = self.config.bool(switch.key)? else { continue };
            for layer in 0..layers {
                let name = format!("blk.{layer}.{}", switch.part);
                if self.stored(&name, true) == (stated != switch.inverted) {
                    continue;
                }
                let place = self.place(Some(layer), switch.part);
                let tensor =
                    place.map(|place| place.name.replacen("{}", "0", 1)).unwrap_or_default();
                let is = if stated == switch.inverted { "a" } else { "no" };
                let found =
                    format!("{stated}, but the checkpoint has {is} tensor {}", quote(&tensor));
                return Err(self.config.invalid(switch.key, found, "what the tensors say"));
            }
        }
        Ok(())
    }

    fn assemble(&mut self, spec: &TensorSpec) -> Result<Assembly<'a>, Error> {
        if let Some(values) = self.shape.factors.of(spec.part) {
            return Ok(Assembly::Given(values.clone()));
        }
        let Some(place) = self.place(spec.layer, spec.part) else {
            let what =
                format!("tensor {} in a checkpoint of {}", spec.name, self.source.model_type);
            return Err(self.config.unsupported(what, "the tensors of its own family"));
        };
        let count =
            if place.lay == Lay::Stacked { spec.shape.last().copied().unwrap_or(1) } else { 1 };
        // The shape of one tensor as GGUF has it.
        let one = match place.lay {
            Lay::Stacked => &spec.shape[..spec.shape.len() - 1],
            _ => &spec.shape[..],
        };
        let mut parts = Vec::new();
        for i in 0..count {
            let name = match place.lay {
                Lay::Stacked => place.name.replacen("{}", &i.to_string(), 1),
                _ => place.name.clone(),
            };
            parts.push(self.part(spec, &name, place.lay, one)?);
        }
        let plus = if self.source.norms_less_one && spec.part.ends_with("norm.weight") {
            1.0
        } else {
            0.0
        };
        let width = self.shape.head_dim as usize;
        let turned = self.turns(spec.part).then_some(width);
        let rows = spec.shape[1..].iter().product();
        let after = self.delta(Target::Gguf(&spec.name), [rows, spec.shape[0]])?;
        Ok(Assembly::Parts { parts, turned, plus, after })
    }

    /// Queries and keys of families whose GGUF files turn neighbours.
    fn turns(&self, part: &str) -> bool {
        let turned = ["attn_q.weight", "attn_k.weight", "attn_q.bias", "attn_k.bias"];
        self.source.turns_neighbours() && turned.contains(&part)
    }

    /// One tensor of the checkpoint, whose shape must be what the architecture needs.
    fn part(
        &mut self,
        spec: &TensorSpec,
        name: &str,
        lay: Lay,
        shape: &[usize],
    ) -> Result<Part<'a>, Error> {
        let (cols, rows) = (shape[0], shape[1..].iter().product::<usize>());
        let half = matches!(lay, Lay::FirstHalf | Lay::SecondHalf);
        let wanted: Vec<usize> = match (lay, shape.len()) {
            (_, 1) => vec![cols],
            (Lay::Transposed, _) => vec![cols, rows],
            _ => vec![if half { 2 * rows } else { rows }, cols],
        };
        let view = self.view(spec, name, &wanted)?;
        let all = if half { 2 * rows } else { rows };
        let delta = self.delta(Target::Checkpoint(name), [all, cols])?;
        let first = if lay == Lay::SecondHalf { rows } else { 0 };
        Ok(Part { view, transposed: lay == Lay::Transposed, rows, first, delta })
    }

    fn delta(
        &mut self,
        target: Target<'_>,
        shape: [usize; 2],
    ) -> Result<Option<super::lora::Delta<'a>>, Error> {
        let Some(lora) = self.lora else { return Ok(None) };
        lora.delta(target, shape, &mut self.adapted)
    }

    fn view(&mut self, spec: &TensorSpec, name: &str, wanted: &[usize]) -> Result<View<'a>, Error> {
        let field = format!("tensor {} ({})", quote(name), spec.name);
        let says = format!("as config.json says ({})", self.shape.words);
        let Some(view) = self.checkpoint.tensor(name) else {
            let folder = self.checkpoint.path().display();
            let found = format!("no such tensor in {folder}");
            return Err(self.config.invalid(&field, found, format!("shape {wanted:?}, {says}")));
        };
        if view.shape != wanted {
            let file = self.checkpoint.path_of(name).display();
            let found = format!("shape {:?} in {file}", view.shape);
            return Err(self.config.invalid(&field, found, format!("{wanted:?}, {says}")));
        }
        if view.dtype.format().is_none() {
            let file = self.checkpoint.path_of(name).display();
            let found = format!("{} in {file}", view.dtype.name());
            return Err(self.config.invalid(&field, found, "F32, F16 or BF16"));
        }
        self.used.insert(view.name);
        Ok(view)
    }

    /// Nothing is left out silently.
    fn leftover(&self, tied: bool) -> Result<(), Error> {
        let extra = self.checkpoint.tensors().find(|tensor| {
            let head = tied && tensor.name == "lm_head.weight";
            !self.used.contains(tensor.name) && !head && !self.source.names.is_ignored(tensor.name)
        });
        let Some(extra) = extra else { return Ok(()) };
        let field = format!("tensor {}", quote(extra.name));
        let found =
            format!("shape {:?} in {}", extra.shape, self.checkpoint.path_of(extra.name).display());
        let expected = format!(
            "no such tensor in a {} as config.json describes it ({})",
            self.source.model_type, self.shape.words
        );
        Err(self.config.invalid(&field, found, expected))
    }
}

/// Layer and part of a GGUF name.
fn split(name: &str) -> (Option<usize>, &str) {
    let inner = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
    match inner.and_then(|(layer, part)| Some((layer.parse().ok()?, part))) {
        Some((layer, part)) => (Some(layer), part),
        None => (None, name),
    }
}
