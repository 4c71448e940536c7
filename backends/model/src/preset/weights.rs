//! The weights of one tensor of a preset: realistic scales, outlier channels, and a forward pass that stays sane.
//!
//! The scales were chosen so that (measured over all presets) attention matters and depends on position, every
//! layer changes the logits by more than 1 %, and yet 8-bit activations cost less than 1e-3 of the logits' energy:
//! * the residual stream starts at the embedding's size and the blocks add `ATTENTION + FFN` times its energy;
//! * scores `q.k / sqrt(head_dim)` have a standard deviation of about 2;
//! * a few channels of the embedding carry a large constant, as in trained models; norms damp them, and queries and
//!   keys read them, which gives every head a pattern of its own over positions;
//! * the final norm of a tied head has mixed signs, else every token would predict itself.

use super::random::{DEVIATION, Stream};
use super::recipe::Recipe;
use crate::arch::TensorSpec;

/// Standard deviation of the logits.
const LOGITS: f32 = 2.5;
/// Energy that all attention blocks add to the residual stream, relative to the embedding's.
const ATTENTION: f32 = 2.0;
/// Energy that all feed-forward blocks add.
const FFN: f32 = 1.0;
/// Mean square of a head's output for unit values: scores of deviation 2 over some ten tokens.
const HEAD_ENERGY: f32 = 0.3;
/// Mean square of `silu(g) * u` for unit normal g and u.
const GATED_ENERGY: f32 = 0.36;
/// Standard deviation of a query's or key's element; its square is the deviation of the scores.
const QUERY: f32 = 1.5;
/// Standard deviation of a router's scores: some experts are chosen far more often than others.
const ROUTER: f32 = 1.75;
/// Constant of an outlier channel, in deviations of the embedding.
const OUTLIER: f32 = 6.0;
/// What the norms make of an outlier channel.
const OUTLIER_NORM: f32 = 0.4;
/// One outlier channel per this many, and at least three.
const OUTLIER_EVERY: usize = 192;
/// Column scales, one drawn per input channel; their mean square is `COLUMN_ENERGY`.
const COLUMNS: [f32; 8] = [0.5, 0.7, 0.85, 1.0, 1.0, 1.1, 1.25, 1.4];
const COLUMN_ENERGY: f32 = 1.024_375;

/// How the weights of one kind of tensor are spread.
#[derive(Clone, Copy)]
struct Spread {
    /// Standard deviation of ordinary weights.
    sigma: f32,
    /// Added to every weight.
    centre: f32,
    /// Factor of the columns that read outlier channels.
    outlier_columns: f32,
    /// Factor of the rows that write outlier channels.
    outlier_rows: f32,
    /// Constant added in outlier columns, with the channel's sign.
    outlier_constant: f32,
    /// Half of the weights change sign.
    mixed_signs: bool,
    /// Columns differ in scale.
    varied_columns: bool,
    /// So many rows first are multiplied by this.
    first_rows: (usize, f32),
}

const MATRIX: Spread = Spread {
    sigma: 0.0,
    centre: 0.0,
    outlier_columns: 1.0,
    outlier_rows: 1.0,
    outlier_constant: 0.0,
    mixed_signs: false,
    varied_columns: true,
    first_rows: (0, 1.0),
};
const VECTOR: Spread = Spread { varied_columns: false, ..MATRIX };
const NORM: Spread = Spread { sigma: 0.1, centre: 1.0, outlier_columns: OUTLIER_NORM, ..VECTOR };

/// GGUF name without `blk.N.`, and its spread in a tensor of so many columns.
type Kind = (&'static str, fn(&Recipe, u32) -> Spread);

/// Every kind of random tensor.
const KINDS: &[Kind] = &[
    ("token_embd.weight", |r, _| Spread {
        sigma: embedding_sigma(r),
        outlier_constant: OUTLIER * embedding_sigma(r),
        ..MATRIX
    }),
    ("output.weight", |r, _| Spread { sigma: embedding_sigma(r), ..MATRIX }),
    ("output_norm.weight", |r, _| Spread { mixed_signs: r.tied_head, ..NORM }),
    ("attn_norm.weight", |_, _| NORM),
    ("ffn_norm.weight", |_, _| NORM),
    ("attn_q.weight", |r, _| Spread {
        sigma: QUERY / root(r.embedding),
        outlier_columns: 2.0,
        ..MATRIX
    }),
    ("attn_k.weight", |r, _| Spread {
        sigma: QUERY / root(r.embedding),
        outlier_columns: 2.0,
        ..MATRIX
    }),
    ("attn_v.weight", |r, _| Spread { sigma: 1.0 / root(r.embedding), ..MATRIX }),
    ("attn_q.bias", |_, _| Spread { sigma: 0.6, ..VECTOR }),
    ("attn_k.bias", |_, _| Spread { sigma: 1.1, ..VECTOR }),
    ("attn_v.bias", |_, _| Spread { sigma: 0.1, ..VECTOR }),
    ("attn_output.weight", |r, inputs| branch(r, ATTENTION / HEAD_ENERGY, inputs)),
    ("ffn_gate.weight", |r, _| Spread { sigma: 1.0 / root(r.embedding), ..MATRIX }),
    ("ffn_up.weight", |r, _| Spread { sigma: 1.0 / root(r.embedding), ..MATRIX }),
    ("ffn_down.weight", |r, inputs| branch(r, FFN / GATED_ENERGY, inputs)),
    ("attn_qkv.weight", |r, _| Spread {
        sigma: 1.0 / root(r.embedding),
        first_rows: (query_and_key_rows(r), QUERY),
        ..MATRIX
    }),
    ("attn_qkv.bias", |_, _| Spread { sigma: 0.3, ..VECTOR }),
    ("attn_q_norm.weight", |_, _| HEAD_NORM),
    ("attn_k_norm.weight", |_, _| HEAD_NORM),
    ("post_attention_norm.weight", |r, _| post_norm(r, ATTENTION)),
    ("post_ffw_norm.weight", |r, _| post_norm(r, FFN)),
    ("position_embd.weight", |r, _| Spread { sigma: embedding_sigma(r) / 2.0, ..VECTOR }),
    ("output_norm.bias", |_, _| SMALL),
    ("attn_norm.bias", |_, _| SMALL),
    ("ffn_norm.bias", |_, _| SMALL),
    ("attn_output.bias", |r, _| Spread { sigma: embedding_sigma(r) / 10.0, ..VECTOR }),
    ("ffn_down.bias", |r, _| Spread { sigma: embedding_sigma(r) / 10.0, ..VECTOR }),
    ("ffn_up.bias", |_, _| SMALL),
    ("ffn_gate_inp.weight", |r, _| Spread { sigma: ROUTER / root(r.embedding), ..MATRIX }),
    ("ffn_gate_exps.weight", |r, _| Spread { sigma: 1.0 / root(r.embedding), ..MATRIX }),
    ("ffn_up_exps.weight", |r, _| Spread { sigma: 1.0 / root(r.embedding), ..MATRIX }),
    ("ffn_down_exps.weight", |r, inputs| branch(r, FFN / GATED_ENERGY * experts_used(r), inputs)),
];

/// A norm of queries or keys: what a projection's spread is elsewhere.
const HEAD_NORM: Spread = Spread { sigma: 0.1 * QUERY, centre: QUERY, ..VECTOR };
/// A bias that matters little.
const SMALL: Spread = Spread { sigma: 0.1, ..VECTOR };

/// A norm behind a block: all layers together add `energy` times the embedding's.
fn post_norm(recipe: &Recipe, energy: f32) -> Spread {
    // The families with such norms multiply the embedding by the root of its width.
    let embedding = embedding_sigma(recipe) * root(recipe.embedding);
    let centre = embedding * (energy / recipe.layers as f32).sqrt();
    Spread { sigma: centre / 10.0, centre, ..VECTOR }
}

/// Rows of queries and keys in a fused projection of the first layer; where layers differ, norms of heads make up for it.
fn query_and_key_rows(recipe: &Recipe) -> usize {
    ((recipe.heads.first() + recipe.kv_heads.first()) * recipe.head_dim) as usize
}

/// What makes up for the shares of experts, whose squares sum to about `1 / used` with this router. Half of the energy
/// of a dense block: which expert is chosen changes with the smallest error, and that must not drown what is compared.
fn experts_used(recipe: &Recipe) -> f32 {
    recipe.experts_used.unwrap_or(1) as f32 / 2.0
}

fn root(n: u32) -> f32 {
    (n as f32).sqrt()
}

fn embedding_sigma(recipe: &Recipe) -> f32 {
    LOGITS / root(recipe.embedding)
}

/// A projection of `inputs` columns back to the residual stream; all layers together add `energy` times the embedding's.
fn branch(recipe: &Recipe, energy: f32, inputs: u32) -> Spread {
    let sigma = embedding_sigma(recipe) * (energy / recipe.layers as f32).sqrt() / root(inputs);
    Spread { sigma, outlier_rows: 2.0, ..MATRIX }
}

/// The rows of one tensor; any thread may ask for any row.
pub(super) enum Weights {
    /// Given values, one row: the rotary factors.
    Given(Vec<f32>),
    /// Drawn from the seed.
    Random(Random),
}

/// What a random tensor's rows are drawn with.
pub(super) struct Random {
    stream: Stream,
    /// Standard deviation of each column over the generator's own, (cols).
    scales: Vec<f32>,
    /// Added to each column, (cols); empty where nothing is.
    offsets: Vec<f32>,
    /// Rows multiplied by `outlier_factor`.
    outlier_rows: Vec<usize>,
    outlier_factor: f32,
    /// So many rows first are multiplied by this.
    first_rows: (usize, f32),
}

impl Weights {
    /// How to make a tensor of this recipe; `None` for a tensor no preset has.
    pub(super) fn of(recipe: &Recipe, tensor: &TensorSpec) -> Option<Weights> {
        if tensor.part == "rope_freqs.weight" {
            return recipe.rope_factors.clone().map(Weights::Given);
        }
        let cols = u32::try_from(tensor.shape[0]).ok()?;
        let spread = KINDS.iter().find(|kind| kind.0 == tensor.part)?.1(recipe, cols);
        Some(Weights::Random(Random::new(recipe, tensor, spread)))
    }

    /// Makes whole rows, from row `first` on; `out` holds a multiple of `cols`.
    pub(super) fn rows(&self, first: usize, cols: usize, out: &mut [f32]) {
        match self {
            Weights::Given(values) => out.iter_mut().zip(values).for_each(|(o, v)| *o = *v),
            Weights::Random(random) => {
                for (row, out) in (first..).zip(out.chunks_exact_mut(cols)) {
                    random.row(row, out);
                }
            }
        }
    }
}

impl Random {
    fn new(recipe: &Recipe, tensor: &TensorSpec, spread: Spread) -> Random {
        let stream = Stream::named(recipe.seed, &tensor.name);
        let columns = Stream::named(recipe.seed, &format!("columns of {}", tensor.name));
        let cols = tensor.shape[0];
        let sign = |at| if spread.mixed_signs && columns.word(at) >> 63 == 1 { -1.0 } else { 1.0 };
        let scale = |at| match spread.varied_columns {
            true => COLUMNS[(columns.word(at) % 8) as usize] / COLUMN_ENERGY.sqrt(),
            false => 1.0,
        };
        let unit = spread.sigma / DEVIATION;
        let mut scales: Vec<f32> = (0..cols as u64).map(|c| unit * scale(c) * sign(c)).collect();
        let mut offsets: Vec<f32> = (0..cols as u64).map(|c| spread.centre * sign(c)).collect();
        for (channel, channel_sign) in outliers(recipe) {
            // Columns of other widths than the residual stream have neither factor nor constant.
            if spread.outlier_columns != 1.0 {
                scales[channel] *= spread.outlier_columns;
                offsets[channel] *= spread.outlier_columns;
            }
            if spread.outlier_constant != 0.0 {
                offsets[channel] = spread.outlier_constant * channel_sign;
            }
        }
        if offsets.iter().all(|&offset| offset == 0.0) {
            offsets.clear();
        }
        let mut outlier_rows: Vec<usize> = outliers(recipe).map(|(channel, _)| channel).collect();
        if spread.outlier_rows == 1.0 {
            outlier_rows.clear();
        }
        let (outlier_factor, first_rows) = (spread.outlier_rows, spread.first_rows);
        Random { stream, scales, offsets, outlier_rows, outlier_factor, first_rows }
    }

    fn row(&self, row: usize, out: &mut [f32]) {
        let mut factor = if self.outlier_rows.contains(&row) { self.outlier_factor } else { 1.0 };
        if row < self.first_rows.0 {
            factor *= self.first_rows.1;
        }
        self.stream.sub(row as u64).fill(&self.scales, factor, out);
        for (value, offset) in out.iter_mut().zip(&self.offsets) {
            *value += offset;
        }
    }
}

/// The outlier channels of the residual stream with their signs, without repetition.
pub(super) fn outliers(recipe: &Recipe) -> impl Iterator<Item = (usize, f32)> {
    let width = recipe.embedding as usize;
    let stream = Stream::named(recipe.seed, "outlier channels");
    let mut found: Vec<(usize, f32)> = Vec::new();
    let mut index = 0;
    while found.len() < (width / OUTLIER_EVERY).max(3) {
        let word = stream.word(index);
        let channel = ((word >> 1) % width as u64) as usize;
        if found.iter().all(|&(other, _)| other != channel) {
            found.push((channel, if word & 1 == 1 { -1.0 } else { 1.0 }));
        }
        index += 1;
    }
    found.into_iter()
}
