//! A preset's recipe: architecture, published shape and seed, as written in suites/models/NAME.toml.

use serde::Deserialize;

use super::metadata;
use super::per_layer::PerLayer;
use crate::arch::{Architecture, FAMILIES, Factors, Family};
use crate::gguf::Header;

/// Version of the generator and of the weights' statistics. Bump it with any change of them, and recompute the manifest.
pub(super) const GENERATOR: u32 = 1;

/// One recipe. Written in the words of GGUF's metadata; every weight follows from it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The file's name without `.toml`, and what was overridden: `smollm-135m?kv_heads=1`.
    #[serde(skip)]
    pub name: String,
    /// GGUF's `general.architecture`, one of the families in [`crate::arch`].
    pub architecture: String,
    /// Seed of every weight, or of the training.
    pub seed: u64,
    /// Context length.
    pub context: u32,
    /// Rows of the embedding and of the head.
    pub vocab: u32,
    /// Width of the residual stream.
    pub embedding: u32,
    /// Layers.
    pub layers: u32,
    /// Query heads.
    pub heads: PerLayer,
    /// Key and value heads.
    pub kv_heads: PerLayer,
    /// Width of a head.
    pub head_dim: u32,
    /// Inner width of the feed-forward block, of one expert where there are experts.
    pub ffn: PerLayer,
    /// Epsilon of every norm.
    pub norm_eps: f32,
    /// Base of the rotary frequencies; absent where positions are learned.
    #[serde(default)]
    pub rope_base: Option<f32>,
    /// The head is the token embedding.
    pub tied_head: bool,
    /// Divisors of the rotary frequencies, (head_dim / 2), Llama 3; absent without.
    #[serde(default)]
    pub rope_factors: Option<Vec<f32>>,
    /// Rotated elements of a head; absent: all.
    #[serde(default)]
    pub rope_dims: Option<u32>,
    /// Sliding window; absent without.
    #[serde(default)]
    pub window: Option<u32>,
    /// Soft cap of scores; absent: the family's.
    #[serde(default)]
    pub score_softcap: Option<f32>,
    /// Soft cap of logits; absent: the family's.
    #[serde(default)]
    pub logit_softcap: Option<f32>,
    /// Experts of a layer; absent: dense.
    #[serde(default)]
    pub experts: Option<u32>,
    /// Experts run per token.
    #[serde(default)]
    pub experts_used: Option<u32>,
    /// The weights are those of the trained file that is compiled in, and `seed` is its training's; else they are random.
    #[serde(default)]
    pub trained: bool,
    /// Why no hash of it is in the manifest, if so. Not part of the recipe's own hash.
    #[serde(default)]
    pub unhashed: Option<String>,
}

/// What is wrong with a recipe.
#[derive(Debug, thiserror::Error)]
#[error("preset {preset}: {problem}")]
pub struct RecipeError {
    /// The preset's name.
    pub preset: String,
    /// Key, what was found, what was expected.
    pub problem: String,
}

impl Recipe {
    /// Parses and checks a recipe.
    pub fn parse(name: &str, text: &str) -> Result<Recipe, RecipeError> {
        let error = |problem: String| RecipeError { preset: name.to_owned(), problem };
        let mut recipe: Recipe = toml::from_str(text).map_err(|e| error(e.to_string()))?;
        name.clone_into(&mut recipe.name);
        recipe.check().map_err(error)?;
        Ok(recipe)
    }

    /// Whether it can be made, or which key is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        let family = self.family()?;
        self.check_sizes()?;
        for (heads, kv_heads) in
            self.heads.values(self.layers).zip(self.kv_heads.values(self.layers))
        {
            if !heads.is_multiple_of(kv_heads) {
                return Err(format!(
                    "kv_heads: found {kv_heads}, expected a divisor of heads {heads}"
                ));
            }
        }
        self.check_rotary(family)?;
        let floats = [
            ("norm_eps", Some(self.norm_eps)),
            ("rope_base", self.rope_base),
            ("score_softcap", self.score_softcap),
            ("logit_softcap", self.logit_softcap),
        ];
        for (key, value) in floats {
            if value.is_some_and(|value| !(value.is_finite() && value > 0.0)) {
                let value = value.unwrap_or_default();
                return Err(format!("{key}: found {value}, expected a positive number"));
            }
        }
        self.network().map(drop).map_err(|error| error.problem)
    }

    fn check_sizes(&self) -> Result<(), String> {
        let one = |key, value: u32| (key, PerLayer::All(value));
        let sizes = [
            one("context", self.context),
            one("vocab", self.vocab),
            one("embedding", self.embedding),
            one("layers", self.layers),
            ("heads", self.heads.clone()),
            ("kv_heads", self.kv_heads.clone()),
            one("head_dim", self.head_dim),
            ("ffn", self.ffn.clone()),
        ];
        for (key, values) in sizes {
            values.check(key, self.layers)?;
        }
        let rows = self.heads.values(self.layers).map(|heads| heads.saturating_mul(self.head_dim));
        let widths = [self.embedding].into_iter().map(|width| ("embedding", width));
        let widths = widths.chain(self.ffn.values(self.layers).map(|width| ("ffn", width)));
        for (key, width) in widths.chain(rows.map(|width| ("heads * head_dim", width))) {
            if width % 32 != 0 {
                return Err(format!(
                    "{key}: found {width}, expected a multiple of 32, the smallest block"
                ));
            }
        }
        Ok(())
    }

    fn check_rotary(&self, family: &Family) -> Result<(), String> {
        if self.rope_factors.is_some() && !family.rope_factors {
            return Err(format!("rope_factors: found some, expected none with {}", family.name));
        }
        match (family.rotary, self.rope_base) {
            (Some(_), None) => return Err("rope_base: found none, expected a number".to_owned()),
            (None, Some(base)) => {
                return Err(format!("rope_base: found {base}, expected none with {}", family.name));
            }
            _ => {}
        }
        match &self.rope_factors {
            Some(factors) if factors.len() != self.head_dim as usize / 2 => Err(format!(
                "rope_factors: found {} values, expected {}",
                factors.len(),
                self.head_dim / 2
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn family(&self) -> Result<&'static Family, String> {
        FAMILIES.iter().find(|family| family.name == self.architecture).ok_or_else(|| {
            let known: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            format!(
                "architecture: found {:?}, expected one of {}",
                self.architecture,
                known.join(", ")
            )
        })
    }

    /// The recipe as the description that forward passes read.
    pub fn network(&self) -> Result<Architecture, RecipeError> {
        let error = |problem| RecipeError { preset: self.name.clone(), problem };
        let mut header = Header::new(self.name.as_str());
        let family = self.family().map_err(error)?;
        metadata::set_shape(&mut header, self, family);
        let stored = |name: &str| match name {
            "output.weight" => !self.tied_head,
            "rope_freqs.weight" => self.rope_factors.is_some(),
            _ => name.ends_with(".ffn_norm.weight"),
        };
        let network = Architecture::of_metadata(&header, &stored);
        let mut network = network.map_err(|problem| error(problem.to_string()))?;
        if let (Some(rotary), Some(factors)) = (network.rotary.first_mut(), &self.rope_factors) {
            rotary.factors = Factors::Fixed(factors.clone());
        }
        Ok(network)
    }

    /// Every fact of the recipe as text, floats as bits: what the recipe's hash is taken of. Comments and spelling do not count.
    pub(super) fn canonical(&self) -> String {
        let Recipe { name, architecture, seed, context, vocab, embedding, layers, .. } = self;
        let Recipe { heads, kv_heads, head_dim, ffn, tied_head, rope_factors, .. } = self;
        let factors: Vec<u32> = rope_factors.iter().flatten().map(|f| f.to_bits()).collect();
        let mut text = format!(
            "generator {GENERATOR}\nname {name}\narchitecture {architecture}\nseed {seed}\ncontext {context}\nvocab {vocab}\n\
             embedding {embedding}\nlayers {layers}\nheads {heads}\nkv_heads {kv_heads}\nhead_dim {head_dim}\n\
             ffn {ffn}\nnorm_eps {:08x}\nrope_base {:08x}\ntied_head {tied_head}\nrope_factors {factors:08x?}\n",
            self.norm_eps.to_bits(),
            self.rope_base.unwrap_or_default().to_bits(),
        );
        // Those that came later only where they are stated, so that older recipes keep their hash.
        let later = [
            ("rope_dims", self.rope_dims),
            ("window", self.window),
            ("score_softcap", self.score_softcap.map(f32::to_bits)),
            ("logit_softcap", self.logit_softcap.map(f32::to_bits)),
            ("experts", self.experts),
            ("experts_used", self.experts_used),
        ];
        for (key, value) in later {
            if let Some(value) = value {
                text += &format!("{key} {value}\n");
            }
        }
        text
    }

    /// SHA-256 of the recipe and the generator's version, as lower-case hex.
    pub fn sha256(&self) -> String {
        crate::quantize::hash::hex_of(self.canonical().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = include_str!("../../../../suites/models/tiny.toml");

    #[test]
    fn wrong_recipes_are_refused_with_the_key() {
        let cases = [
            ("heads = 4", "heads = 5", "kv_heads: found 2"),
            ("embedding = 256", "embedding = 250", "embedding: found 250"),
            ("layers = 3", "layers = 0", "layers: found 0"),
            ("head_dim = 64", "head_dim = 128", "rope_factors: found 32 values, expected 64"),
            ("norm_eps = 1e-5", "norm_eps = nan", "norm_eps: found NaN"),
            ("rope_base = 10000.0", "", "rope_base: found none"),
            ("kv_heads = 2", "kv_heads = [2, 2]", "kv_heads: found 2 values, expected 3"),
            ("ffn = 512", "ffn = [512, 0, 512]", "ffn: found 0"),
            ("ffn = 512", "ffn = 512\nrope_dims = 66", "rope.dimension_count"),
            ("seed = 1", "sede = 1", "unknown field `sede`"),
            (
                "architecture = \"llama\"",
                "architecture = \"llamma\"",
                "architecture: found \"llamma\"",
            ),
        ];
        for (from, to, expected) in cases {
            assert!(TINY.contains(from), "{from}");
            let message = Recipe::parse("x", &TINY.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(message.contains(expected), "{to}: {message}");
        }
    }

    #[test]
    fn comments_do_not_change_the_hash_but_numbers_do() {
        let hash = |text: &str| Recipe::parse("x", text).unwrap().sha256();
        assert_eq!(hash(TINY), hash(&format!("# another comment\n{TINY}")));
        assert_ne!(hash(TINY), hash(&TINY.replacen("seed = 1", "seed = 2", 1)));
    }
}
