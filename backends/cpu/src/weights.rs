//! The model's matrices with the kernels chosen for them; their bytes stay in the mapped file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use yardstick_api::{Error, Known, Numerics};
use yardstick_model::arch::{Activation, Experts, Ffn, Gate, Layer};
use yardstick_model::gguf::TensorInfo;
use yardstick_model::{Architecture, Format, Model};

use crate::kernels::activations::Forms;
use crate::kernels::integer::ROWS;
use crate::kernels::packed::Order;
use crate::kernels::{Isa, Kernel, Weights};
use crate::packed::{Place, Store, Wanted};
use crate::pages;
use crate::pool::Pool;

/// Everything a forward pass multiplies with.
pub(crate) struct Network {
    model: Arc<Model>,
    store: Store,
    pub(crate) embedding: Matrix,
    /// (positions, embedding), where positions are learned.
    pub(crate) positions: Option<Matrix>,
    pub(crate) head: Matrix,
    pub(crate) output_norm: NormWeights,
    pub(crate) layers: Vec<LayerWeights>,
}

/// One layer.
pub(crate) struct LayerWeights {
    pub(crate) attn_norm: NormWeights,
    /// `None`: the feed-forward block reads what attention reads.
    pub(crate) ffn_norm: Option<NormWeights>,
    /// Of what attention computed, before it is added to the stream.
    pub(crate) post_attention: Option<NormWeights>,
    /// Of what the feed-forward block computed.
    pub(crate) post_ffn: Option<NormWeights>,
    /// Q, K, V: (heads * key_dim, embedding), (kv_heads * key_dim, ..), (kv_heads * value_dim, ..)
    pub(crate) qkv: [Matrix; 3],
    /// Norms of queries and keys, as [`yardstick_model::arch::QkNorm`] says.
    pub(crate) qk_norm: Option<[Vec<f32>; 2]>,
    /// (embedding, heads * value_dim)
    pub(crate) output: Matrix,
    pub(crate) ffn: FfnWeights,
}

/// A norm of the stream, (embedding); without a bias it is empty.
pub(crate) struct NormWeights {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// A feed-forward block, or the experts of one.
pub(crate) struct FfnWeights {
    pub(crate) mixture: Option<Mixture>,
    /// (experts * width, embedding)
    pub(crate) gate: Option<Matrix>,
    /// (experts * width, embedding)
    pub(crate) up: Matrix,
    /// (experts * embedding, width)
    pub(crate) down: Matrix,
    pub(crate) activation: Activation,
    pub(crate) width: usize,
}

/// What a mixture has beside its experts.
pub(crate) struct Mixture {
    pub(crate) experts: Experts,
    /// (experts, embedding)
    pub(crate) router: Matrix,
    /// What every token passes.
    pub(crate) shared: Option<Box<FfnWeights>>,
}

/// One matrix, or some rows of a tensor: where it is and how it is multiplied.
pub(crate) struct Matrix {
    tensor: TensorInfo,
    /// Its first row in the tensor.
    first: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) kernel: Kernel,
    /// Where the whole tensor's panels are, once packed.
    packed: Option<Place>,
    /// Rows from which on products are asked for are multiples of this: those of an expert, or all.
    unit: usize,
    /// (rows), or empty; added to every product.
    pub(crate) bias: Vec<f32>,
}

impl Matrix {
    /// Bytes of one row.
    pub(crate) fn row_bytes(&self) -> usize {
        self.tensor.format.row_bytes(self.cols)
    }

    /// What the kernel reads.
    pub(crate) fn forms(&self) -> Forms {
        self.kernel.forms()
    }

    /// Rows that lie together: a task of few columns takes a multiple of them.
    pub(crate) fn stack_rows(&self) -> usize {
        self.packed.as_ref().map_or(ROWS, |place| place.order.rows())
    }

    /// Some of its rows as a matrix of their own.
    fn part(&self, rows: Range<usize>) -> Matrix {
        let bias = self.bias.get(rows.clone()).unwrap_or_default().to_vec();
        let (first, tensor) = (self.first + rows.start, self.tensor.clone());
        let (unit, cols) = (rows.len(), self.cols);
        let (kernel, packed) = (self.kernel, None);
        Matrix { tensor, first, rows: unit, cols, kernel, packed, unit, bias }
    }

    /// Every row that products start from is a multiple of this; 0: they start from the tensor's first.
    fn starts(&self) -> usize {
        let unit = if self.unit == self.rows { 0 } else { self.unit };
        greatest_common_divisor(self.first, unit)
    }
}

/// Of 0 and n it is n.
fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl FfnWeights {
    fn all_mut(&mut self) -> Vec<&mut Matrix> {
        let mut all: Vec<&mut Matrix> = self.gate.iter_mut().collect();
        all.extend([&mut self.up, &mut self.down]);
        if let Some(mixture) = &mut self.mixture {
            all.push(&mut mixture.router);
            all.extend(mixture.shared.iter_mut().flat_map(|shared| shared.all_mut()));
        }
        all
    }

    /// What the kernels of gate and up read.
    pub(crate) fn forms(&self) -> Forms {
        self.gate.iter().fold(self.up.forms(), |forms, gate| forms.and(gate.forms()))
    }

    fn matrices(&self) -> Vec<&Matrix> {
        let mut all: Vec<&Matrix> = self.gate.iter().chain([&self.up, &self.down]).collect();
        if let Some(mixture) = &self.mixture {
            all.push(&mixture.router);
            all.extend(mixture.shared.iter().flat_map(|shared| shared.matrices()));
        }
        all
    }
}

impl LayerWeights {
    fn all_mut(&mut self) -> Vec<&mut Matrix> {
        let mut all: Vec<&mut Matrix> = self.qkv.iter_mut().chain([&mut self.output]).collect();
        all.extend(self.ffn.all_mut());
        all
    }
}

impl Network {
    /// Looks everything up and chooses the kernels.
    pub(crate) fn new(model: Arc<Model>, isa: Isa, numerics: Numerics) -> Result<Network, Error> {
        let find = Find { model: &model, isa, numerics };
        let architecture = model.architecture();
        let embedding = find.matrix("token_embd")?;
        let positions = architecture.positions.map(|_| find.matrix("position_embd")).transpose()?;
        let mut head = find.matrix(if architecture.tied_head { "token_embd" } else { "output" })?;
        head.bias = model.vector("output.bias").unwrap_or_default();
        let output_norm = find.norm("output_norm")?;
        let layers = (0..architecture.layers.len()).map(|i| find.layer(architecture, i));
        let layers = layers.collect::<Result<_, Error>>()?;
        let store = Store::none("not asked for");
        Ok(Network { embedding, positions, head, output_norm, layers, store, model })
    }

    /// The model underneath.
    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// A matrix's rows from `first` on, `rows` of them, as the kernels take them.
    pub(crate) fn weights(&self, matrix: &Matrix, first: usize, rows: usize) -> Weights<'_> {
        let (stride, first) = (matrix.row_bytes(), matrix.first + first);
        let (kernel, format, cols) = (matrix.kernel, matrix.tensor.format, matrix.cols);
        if let Some(place) = &matrix.packed {
            // Whole panels, and stacks: `wanted` looked at what products start from.
            let end = (first + rows).next_multiple_of(ROWS) * stride;
            let bytes = &self.store.bytes(place)[first * stride..end];
            return Weights { kernel, format, cols, packed: Some(place.order), bytes };
        }
        let bytes = &self.model.gguf().bytes(&matrix.tensor)[first * stride..][..rows * stride];
        Weights { kernel, format, cols, packed: None, bytes }
    }

    /// One row of a table, as it is in the file.
    pub(crate) fn row(&self, table: &Matrix, row: usize) -> (Format, &[u8]) {
        let (stride, row) = (table.row_bytes(), table.first + row);
        let bytes = self.model.gguf().bytes(&table.tensor);
        (table.tensor.format, &bytes[row * stride..(row + 1) * stride])
    }

    /// Packs what can be packed, or finds it packed in `folder`. `others` is what the model takes besides.
    pub(crate) fn pack(&mut self, folder: Option<&Path>, pool: &mut Pool, others: u64) {
        let wanted = self.wanted();
        self.store = Store::open(&self.model, &wanted, folder, pool, others);
        let Network { layers, head, store, .. } = self;
        let mut all: Vec<&mut Matrix> = layers.iter_mut().flat_map(LayerWeights::all_mut).collect();
        all.push(head);
        all.into_iter().for_each(|matrix| matrix.packed = store.place(&matrix.tensor.name));
    }

    /// On what pages the model's own file is, where half of the weights or more are read from it. `folder`: see [`pages::settle`].
    pub(crate) fn file_pages(&self, folder: Option<&Path>) -> Option<Known<String>> {
        let bytes = |matrix: &Matrix| (matrix.rows * matrix.row_bytes()) as u64;
        let direct =
            self.matrices().filter(|matrix| matrix.packed.is_none()).map(bytes).sum::<u64>();
        if 2 * direct < self.model.info().streamed_bytes {
            return None;
        }
        // What this process has mapped could not be read anew.
        self.model.gguf().tensors().iter().for_each(|tensor| self.model.gguf().release(tensor));
        let file = File::open(self.model.gguf().path());
        Some(file.map_or_else(
            |error| Known::unavailable(error.to_string()),
            |file| pages::settle(&file, folder),
        ))
    }

    /// How weights were packed, or why not.
    pub(crate) fn packing(&self) -> Known<String> {
        self.store.how.clone()
    }

    /// Every tensor all of whose parts fit panels, once, in the order decode reads them.
    fn wanted(&self) -> Vec<Wanted> {
        let mut starts = BTreeMap::<&str, usize>::new();
        for matrix in self.matrices() {
            let all = starts.entry(&matrix.tensor.name).or_default();
            *all = greatest_common_divisor(*all, matrix.starts());
        }
        let wanted = self.matrices().filter_map(|matrix| {
            let pack = matrix.kernel.packer(matrix.cols)?;
            let tensor = &matrix.tensor;
            let starts = starts.remove(tensor.name.as_str())?;
            starts.is_multiple_of(ROWS).then(|| Wanted {
                tensor: tensor.clone(),
                rows: tensor.shape[1..].iter().product(),
                cols: matrix.cols,
                order: Order::of(tensor.format, matrix.cols, starts),
                pack,
            })
        });
        wanted.collect()
    }

    fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let layers = self
            .layers
            .iter()
            .flat_map(|layer| layer.qkv.iter().chain([&layer.output]).chain(layer.ffn.matrices()));
        layers.chain([&self.head])
    }

    /// Everything the matrices read.
    pub(crate) fn forms(&self) -> Forms {
        self.matrices().fold(Forms::default(), |forms, matrix| forms.and(matrix.forms()))
    }

    /// The class of the arithmetic.
    pub(crate) fn numerics(&self) -> Numerics {
        match self.forms() {
            _ if self.matrices().any(|matrix| matrix.kernel.requantises()) => Numerics::Requantised,
            forms if forms.bytes() => Numerics::A8,
            forms if forms.brain => Numerics::Bf16,
            _ => Numerics::F32,
        }
    }

    /// Kernel of each format, for the facts.
    pub(crate) fn kernels(&self, isa: Isa) -> BTreeMap<String, String> {
        let mut all = BTreeMap::<String, BTreeSet<String>>::new();
        for matrix in self.matrices() {
            let name = matrix.tensor.format.name().to_owned();
            all.entry(name)
                .or_default()
                .insert(matrix.kernel.describe(isa, matrix.packed.is_some()));
        }
        let joined = |ways: BTreeSet<String>| ways.into_iter().collect::<Vec<_>>().join("; ");
        all.into_iter().map(|(name, ways)| (name, joined(ways))).collect()
    }

    /// Bytes of the norms and biases, which are decoded copies, and of weights packed into memory of our own.
    pub(crate) fn copied_bytes(&self) -> u64 {
        let norm = |norm: &NormWeights| norm.weight.len() + norm.bias.len();
        let layer = |layer: &LayerWeights| {
            let norms = [&layer.ffn_norm, &layer.post_attention, &layer.post_ffn];
            let norms = norms.into_iter().flatten().chain([&layer.attn_norm]).map(norm);
            norms.chain(layer.qk_norm.iter().flatten().map(Vec::len)).sum::<usize>()
        };
        let biases = self.matrices().map(|matrix| matrix.bias.len()).sum::<usize>();
        let norms = norm(&self.output_norm) + self.layers.iter().map(layer).sum::<usize>();
        ((norms + biases) * size_of::<f32>()) as u64 + self.store.private_bytes()
    }
}

/// Looks tensors up.
struct Find<'a> {
    model: &'a Model,
    isa: Isa,
    numerics: Numerics,
}

impl Find<'_> {
    fn absent(&self, name: &str) -> Error {
        Error::Device(format!("{}: no tensor {name}", self.model.gguf().path().display()))
    }

    /// A matrix with its bias, where there is one; `name` without `.weight`.
    fn matrix(&self, name: &str) -> Result<Matrix, Error> {
        let weight = format!("{name}.weight");
        let tensor = self.model.gguf().tensor(&weight).ok_or_else(|| self.absent(&weight))?.clone();
        let (cols, rows) = (tensor.shape[0], tensor.shape[1..].iter().product());
        let kernel = Kernel::choose(tensor.format, self.isa, self.numerics);
        let bias = self.model.vector(&format!("{name}.bias")).unwrap_or_default();
        Ok(Matrix { tensor, first: 0, rows, cols, kernel, packed: None, unit: rows, bias })
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, Error> {
        self.model.values(name).ok_or_else(|| self.absent(name))
    }

    fn norm(&self, name: &str) -> Result<NormWeights, Error> {
        let bias = self.model.vector(&format!("{name}.bias")).unwrap_or_default();
        Ok(NormWeights { weight: self.values(&format!("{name}.weight"))?, bias })
    }

    fn layer(&self, architecture: &Architecture, i: usize) -> Result<LayerWeights, Error> {
        let shape = &architecture.layers[i];
        let name = |part: &str| format!("blk.{i}.{part}");
        let norm = |wanted: bool, part: &str| wanted.then(|| self.norm(&name(part))).transpose();
        let qk_norm = |_| {
            let [q, k] = ["attn_q_norm.weight", "attn_k_norm.weight"].map(name);
            Ok::<_, Error>([self.values(&q)?, self.values(&k)?])
        };
        Ok(LayerWeights {
            attn_norm: self.norm(&name("attn_norm"))?,
            ffn_norm: norm(!shape.parallel, "ffn_norm")?,
            post_attention: norm(shape.post_norms, "post_attention_norm")?,
            post_ffn: norm(shape.post_norms, "post_ffw_norm")?,
            qkv: self.qkv(shape, i)?,
            qk_norm: shape.qk_norm.map(qk_norm).transpose()?,
            output: self.matrix(&name("attn_output"))?,
            ffn: self.ffn(&shape.ffn, i)?,
        })
    }

    fn qkv(&self, shape: &Layer, i: usize) -> Result<[Matrix; 3], Error> {
        let matrix = |part: &str| self.matrix(&format!("blk.{i}.{part}"));
        if !shape.fused_qkv {
            return Ok([matrix("attn_q")?, matrix("attn_k")?, matrix("attn_v")?]);
        }
        let ([q, k, v], fused) = (shape.qkv_rows(), matrix("attn_qkv")?);
        Ok([fused.part(0..q), fused.part(q..q + k), fused.part(q + k..q + k + v)])
    }

    fn ffn(&self, ffn: &Ffn, i: usize) -> Result<FfnWeights, Error> {
        let (width, activation) = (ffn.width, ffn.activation);
        let block = |end: &str, mixture| {
            let matrix = |part: &str| self.matrix(&format!("blk.{i}.{part}{end}"));
            let (up, down) = (matrix("ffn_up")?, matrix("ffn_down")?);
            let (gate, up) = match ffn.gate {
                Gate::None => (None, up),
                Gate::Separate => (Some(matrix("ffn_gate")?), up),
                Gate::Fused => (Some(up.part(0..width)), up.part(width..2 * width)),
            };
            Ok::<_, Error>(FfnWeights { mixture, gate, up, down, activation, width })
        };
        let Some(experts) = ffn.experts else { return block("", None) };
        let router = self.matrix(&format!("blk.{i}.ffn_gate_inp"))?;
        let shared =
            |width| Ok::<_, Error>(Box::new(FfnWeights { width, ..block("_shexp", None)? }));
        let shared = experts.shared.map(shared).transpose()?;
        let mut all = block("_exps", Some(Mixture { experts, router, shared }))?;
        for matrix in all.gate.iter_mut().chain([&mut all.up, &mut all.down]) {
            matrix.unit = matrix.rows / experts.count.max(1);
        }
        Ok(all)
    }
}
