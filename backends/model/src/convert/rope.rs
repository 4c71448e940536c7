//! Rotary embeddings: `rope_parameters` of transformers 5, or `rope_theta` and `rope_scaling` of those before.

use super::config::Config;
use super::families::Source;
use crate::Error;
use crate::gguf::{Header, quote};

/// Factors that divide the frequencies, each a tensor of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Factors(pub(super) Vec<(&'static str, Vec<f32>)>);

impl Factors {
    /// The values of a tensor.
    pub(super) fn of(&self, name: &str) -> Option<&Vec<f32>> {
        self.0.iter().find(|row| row.0 == name).map(|row| &row.1)
    }
}

/// Where rotary settings stand: an object of their own, or config.json itself.
struct Settings<'a> {
    /// Base and share of turned dimensions.
    plain: &'a Config,
    /// Type and numbers of the scaling.
    scaling: Option<&'a Config>,
    config: &'a Config,
    context: u32,
    /// The family's GGUF files turn neighbours.
    neighbours: bool,
}

/// Sets `rope.*` for heads `head_dim` wide; what divides frequencies comes back.
pub(super) fn set(
    header: &mut Header,
    source: &Source,
    config: &Config,
    head_dim: u32,
) -> Result<Factors, Error> {
    let stated = config.inner("rope_parameters")?;
    let (nested, local) = match &stated {
        // One object a kind of layer, as Gemma 3 has them.
        Some(rope) => (rope.inner_if("full_attention")?, rope.inner_if("sliding_attention")?),
        None => (None, None),
    };
    let parameters = nested.or(stated);
    let scaling = match &parameters {
        Some(_) => parameters.clone(),
        None => config.inner("rope_scaling")?,
    };
    let context =
        config.first(&["max_position_embeddings", "rope_max_length", "max_context_length"]);
    let context = context.map_or(Ok(None), |key| config.unsigned(key))?.unwrap_or(2048);
    let settings = Settings {
        plain: parameters.as_ref().unwrap_or(config),
        scaling: scaling.as_ref(),
        config,
        context,
        neighbours: source.turns_neighbours(),
    };
    let key = |suffix: &str| format!("{}.rope.{suffix}", source.architecture);
    let base = match settings.plain.first(&["rope_theta", "rope_freq_constant"]) {
        Some(name) => settings.plain.float(name)?,
        None => config.float("rope_theta")?,
    };
    let base = base.unwrap_or(source.rope_base);
    header.set(&key("freq_base"), base as f32);
    let local = match &local {
        Some(local) => {
            local.only_plain()?;
            local.float("rope_theta")?
        }
        None => config.float("rope_local_base_freq")?,
    };
    if let Some(local) = local.filter(|&local| local != 10_000.0) {
        header.set(&key("freq_base_swa"), local as f32);
    }
    let dims = settings.dims(head_dim)?;
    header.set(&key("dimension_count"), dims);
    settings.scale(header, &key, base, dims)
}

impl Settings<'_> {
    /// How many dimensions of a head turn.
    fn dims(&self, head_dim: u32) -> Result<u32, Error> {
        let from = [self.plain, self.config];
        let names = ["partial_rotary_factor", "rope_pct", "rotary_pct"];
        for (config, name) in from.iter().flat_map(|config| names.map(|name| (config, name))) {
            let Some(share) = config.float(name)? else { continue };
            if !(share > 0.0 && share <= 1.0) {
                return Err(config.invalid(name, share, "a share above 0, at most 1"));
            }
            let dims = (f64::from(head_dim) * share) as u32;
            if dims < head_dim && self.neighbours {
                // Their heads are reordered as a whole, which a part of them does not survive.
                let what = format!("{name} = {share} in a family that turns neighbours in GGUF");
                return Err(config.unsupported(what, "1"));
            }
            return Ok(dims);
        }
        Ok(head_dim)
    }

    /// Sets what scales positions.
    fn scale(
        &self,
        header: &mut Header,
        key: &dyn Fn(&str) -> String,
        base: f64,
        dims: u32,
    ) -> Result<Factors, Error> {
        let Some(scaling) = self.scaling else { return Ok(Factors::default()) };
        let name = scaling.first(&["rope_type", "type"]);
        let kind = name.map_or(Ok(None), |name| scaling.text(name))?.unwrap_or("default");
        match kind {
            // Beyond the context only, which no test passes.
            "default" | "dynamic" => Ok(Factors::default()),
            "linear" => {
                header.set(&key("scaling.type"), "linear");
                header.set(&key("scaling.factor"), self.factor(scaling)? as f32);
                Ok(Factors::default())
            }
            "llama3" => Ok(Factors(vec![("rope_freqs.weight", self.llama3(scaling, base, dims)?)])),
            "yarn" => {
                self.yarn(header, key, scaling)?;
                Ok(Factors::default())
            }
            "longrope" | "su" => self.longrope(header, key, scaling, dims),
            other => {
                let what = format!("rope_scaling of type {}", quote(other));
                let supported = "default, dynamic, linear, llama3, yarn, longrope";
                Err(scaling.unsupported(what, supported))
            }
        }
    }

    fn factor(&self, scaling: &Config) -> Result<f64, Error> {
        positive(scaling, "factor")?
            .ok_or_else(|| scaling.invalid("factor", "no such key", "a positive number"))
    }

    /// The context before it was extended.
    fn original(&self, scaling: &Config) -> Result<u32, Error> {
        let key = "original_max_position_embeddings";
        // Phi-3's stands outside, and counts more.
        let original = self.config.unsigned(key)?.or(scaling.unsigned(key)?);
        match original.unwrap_or(self.context) {
            0 => Err(scaling.invalid(key, 0, "at least 1")),
            original => Ok(original),
        }
    }

    /// One divisor a pair: long waves are stretched, short ones left, those between blended.
    fn llama3(&self, scaling: &Config, base: f64, dims: u32) -> Result<Vec<f32>, Error> {
        let factor = self.factor(scaling)?;
        let low = positive(scaling, "low_freq_factor")?.unwrap_or(1.0);
        let high = positive(scaling, "high_freq_factor")?.unwrap_or(4.0);
        if high <= low {
            let expected = format!("more than low_freq_factor {low}");
            return Err(scaling.invalid("high_freq_factor", high, expected));
        }
        let original = f64::from(self.original(scaling)?);
        let divisor = |pair: u32| {
            let wave = std::f64::consts::TAU * base.powf(f64::from(2 * pair) / f64::from(dims));
            if wave < original / high {
                1.0
            } else if wave > original / low {
                factor
            } else {
                let smooth = (original / wave - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        };
        Ok((0..dims / 2).map(|pair| divisor(pair) as f32).collect())
    }

    fn yarn(
        &self,
        header: &mut Header,
        key: &dyn Fn(&str) -> String,
        scaling: &Config,
    ) -> Result<(), Error> {
        let factor = self.factor(scaling)?;
        if scaling.bool("truncate")? == Some(false) {
            return Err(scaling.unsupported("yarn with truncate = false".into(), "truncate = true"));
        }
        header.set(&key("scaling.type"), "yarn");
        header.set(&key("scaling.factor"), factor as f32);
        header.set(&key("scaling.original_context_length"), self.original(scaling)?);
        for (from, to) in [("beta_fast", "yarn_beta_fast"), ("beta_slow", "yarn_beta_slow")] {
            if let Some(beta) = positive(scaling, from)? {
                header.set(&key(&format!("scaling.{to}")), beta as f32);
            }
        }
        // GGUF's factor is on top of the paper's.
        let growth = |by: f64| if factor <= 1.0 { 1.0 } else { 0.1 * by * factor.ln() + 1.0 };
        let scales = (positive(scaling, "mscale")?, positive(scaling, "mscale_all_dim")?);
        let wanted = match (positive(scaling, "attention_factor")?, scales) {
            (Some(stated), _) => stated,
            (None, (Some(one), Some(all))) => growth(one) / growth(all),
            (None, _) => growth(1.0),
        };
        if wanted != growth(1.0) {
            header.set(&key("scaling.attn_factor"), (wanted / growth(1.0)) as f32);
        }
        Ok(())
    }

    fn longrope(
        &self,
        header: &mut Header,
        key: &dyn Fn(&str) -> String,
        scaling: &Config,
        dims: u32,
    ) -> Result<Factors, Error> {
        let original = self.original(scaling)?;
        let mut factors = Factors::default();
        for (from, to) in [
            ("long_factor", "rope_factors_long.weight"),
            ("short_factor", "rope_factors_short.weight"),
        ] {
            let values = scaling.floats(from)?;
            let found = values.as_ref().map_or(0, Vec::len);
            match values.filter(|values| values.len() == dims as usize / 2) {
                Some(values) => factors.0.push((to, values)),
                None => {
                    let expected = format!("{} numbers, one for each pair that turns", dims / 2);
                    return Err(scaling.invalid(from, format!("{found} numbers"), expected));
                }
            }
        }
        header.set(&key("scaling.type"), "longrope");
        header.set(&key("scaling.original_context_length"), original);
        // transformers prefers the ratio of contexts where config.json states the original one beside it.
        let ratio = f64::from(self.context) / f64::from(original);
        let outside = self.config.value("original_max_position_embeddings").is_some();
        let stated = positive(scaling, "factor")?.filter(|_| !outside);
        let ratio = stated.unwrap_or(ratio);
        let grown = if ratio <= 1.0 || original <= 1 {
            1.0
        } else {
            (1.0 + ratio.ln() / f64::from(original).ln()).sqrt()
        };
        let magnitude = positive(scaling, "attention_factor")?.unwrap_or(grown);
        header.set(&key("scaling.attn_factor"), magnitude as f32);
        Ok(factors)
    }
}

fn positive(config: &Config, key: &str) -> Result<Option<f64>, Error> {
    match config.float(key)? {
        Some(value) if value <= 0.0 => Err(config.invalid(key, value, "a positive number")),
        found => Ok(found),
    }
}

impl Config {
    /// The object under a key, if there is an object.
    fn inner_if(&self, key: &str) -> Result<Option<Config>, Error> {
        if self.value(key).is_some_and(|value| value.is_object()) {
            self.inner(key)
        } else {
            Ok(None)
        }
    }

    /// Layers with a window turn without scaling.
    fn only_plain(&self) -> Result<(), Error> {
        match self.text("rope_type")?.unwrap_or("default") {
            "default" => Ok(()),
            other => {
                let what = format!("layers with a window and rope_type {}", quote(other));
                Err(self.unsupported(what, "default"))
            }
        }
    }
}
