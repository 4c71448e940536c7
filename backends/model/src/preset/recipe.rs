//! A preset's recipe: architecture, published shape and seed, as written in suites/models/NAME.toml.

use serde::Deserialize;

use crate::arch::{Architecture, FAMILIES, Factors, Family, Numbers, Rotary, Scales};

/// Version of the generator and of the weights' statistics. Bump it with any change of them, and recompute the manifest.
pub(super) const GENERATOR: u32 = 1;

/// One recipe. Written in the words of GGUF's metadata; every weight follows from it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The file's name without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// GGUF's `general.architecture`, one of the families in [`crate::arch`].
    pub architecture: String,
    /// Seed of every weight.
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
    pub heads: u32,
    /// Key and value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Inner width of the feed-forward block.
    pub ffn: u32,
    /// Epsilon of every RMS norm.
    pub norm_eps: f32,
    /// Base of the rotary frequencies.
    pub rope_base: f32,
    /// The head is the token embedding.
    pub tied_head: bool,
    /// Divisors of the rotary frequencies, (head_dim / 2), Llama 3; absent without.
    #[serde(default)]
    pub rope_factors: Option<Vec<f32>>,
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

    fn check(&self) -> Result<(), String> {
        let family = self.family()?;
        if self.rope_factors.is_some() && !family.rope_factors {
            return Err(format!("rope_factors: found some, expected none with {}", family.name));
        }
        let sizes = [
            ("context", self.context),
            ("vocab", self.vocab),
            ("embedding", self.embedding),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("ffn", self.ffn),
        ];
        for (key, value) in sizes {
            if value == 0 || value > 1 << 20 {
                return Err(format!("{key}: found {value}, expected 1 to {}", 1 << 20));
            }
        }
        for (key, width) in
            [("embedding", self.embedding), ("ffn", self.ffn), ("head_dim", self.head_dim)]
        {
            if width % 32 != 0 {
                return Err(format!(
                    "{key}: found {width}, expected a multiple of 32, the smallest block"
                ));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(format!(
                "kv_heads: found {}, expected a divisor of heads {}",
                self.kv_heads, self.heads
            ));
        }
        for (key, value) in [("norm_eps", self.norm_eps), ("rope_base", self.rope_base)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(format!("{key}: found {value}, expected a positive number"));
            }
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

    fn family(&self) -> Result<&'static Family, String> {
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
        let family = self.family().map_err(error)?;
        let (layers, head_dim) = (self.layers as usize, self.head_dim as usize);
        let factors = self.rope_factors.clone().map_or(Factors::None, Factors::Fixed);
        let rotary = family.rotary.map(|style| Rotary {
            style,
            dims: head_dim,
            base: self.rope_base,
            scale: 1.0,
            factors,
            magnitude: 1.0,
            yarn: None,
        });
        let numbers = Numbers {
            vocab: self.vocab as usize,
            embedding: self.embedding as usize,
            context: self.context as usize,
            norm_eps: self.norm_eps,
            heads: vec![self.heads as usize; layers],
            kv_heads: vec![self.kv_heads as usize; layers],
            widths: vec![self.ffn as usize; layers],
            windows: vec![None; layers],
            key_dim: head_dim,
            value_dim: head_dim,
            experts: None,
            rotary: rotary.map(|rotary| (rotary, None)),
            softcaps: [None; 2],
            scales: Scales::default(),
            temperature: None,
            ignored: Vec::new(),
        };
        Ok(family.build(numbers, &|name| name == "output.weight" && !self.tied_head))
    }

    /// Every fact of the recipe as text, floats as bits: what the recipe's hash is taken of. Comments and spelling do not count.
    pub(super) fn canonical(&self) -> String {
        let Recipe { name, architecture, seed, context, vocab, embedding, layers, .. } = self;
        let Recipe {
            heads,
            kv_heads,
            head_dim,
            ffn,
            norm_eps,
            rope_base,
            tied_head,
            rope_factors,
            ..
        } = self;
        let factors: Vec<u32> = rope_factors.iter().flatten().map(|f| f.to_bits()).collect();
        format!(
            "generator {GENERATOR}\nname {name}\narchitecture {architecture}\nseed {seed}\ncontext {context}\nvocab {vocab}\n\
             embedding {embedding}\nlayers {layers}\nheads {heads}\nkv_heads {kv_heads}\nhead_dim {head_dim}\n\
             ffn {ffn}\nnorm_eps {:08x}\nrope_base {:08x}\ntied_head {tied_head}\nrope_factors {factors:08x?}\n",
            norm_eps.to_bits(),
            rope_base.to_bits(),
        )
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
