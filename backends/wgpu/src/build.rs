//! Building the programs of a model: one for a single token, with norms folded into products, one for many rows.
//! This is the one place that reads the architecture's description.

mod attention;
mod experts;
mod layer;
mod product;
mod trial;

use yardstick_api::Error;
use yardstick_model::Architecture;
use yardstick_model::arch::NormKind;

use crate::buffers::{Buffers, Numbers, all};
use crate::gpu::{Gpu, Key, Part};
use crate::matrix::Matrix;
use crate::program::{Depth, Grid, Program, Step};
use crate::shaders::{Operation, Variant};
use crate::sizes::Sizes;
use crate::tune::Tunings;
use crate::weights::Network;
pub(crate) use attention::workgroup_bytes;
use product::{After, Call};

/// Marks an absent offset in a shader's numbers.
pub(crate) const NONE: u32 = u32::MAX;

/// What programs are built from.
pub(crate) struct Builder<'a> {
    pub(crate) gpu: &'a Gpu,
    pub(crate) architecture: &'a Architecture,
    pub(crate) network: &'a Network,
    pub(crate) buffers: &'a Buffers,
    pub(crate) sizes: &'a Sizes,
    pub(crate) tunings: &'a Tunings,
    pub(crate) numbers: &'a mut Numbers,
    /// One token; else tiles.
    pub(crate) single: bool,
    /// Sums of squares that the last adding product leaves, one a workgroup.
    left: u32,
    steps: Vec<Step>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(
        gpu: &'a Gpu,
        architecture: &'a Architecture,
        (network, buffers, sizes): (&'a Network, &'a Buffers, &'a Sizes),
        tunings: &'a Tunings,
        numbers: &'a mut Numbers,
    ) -> Builder<'a> {
        let (single, left, steps) = (true, 0, Vec::new());
        Builder {
            gpu,
            architecture,
            network,
            buffers,
            sizes,
            tunings,
            numbers,
            single,
            left,
            steps,
        }
    }

    /// Both programs.
    pub(crate) fn programs(mut self) -> Result<[Program; 2], Error> {
        let single = self.program()?;
        self.single = false;
        Ok([single, self.program()?])
    }
}

impl Builder<'_> {
    fn program(&mut self) -> Result<Program, Error> {
        self.embed()?;
        for layer in 0..self.architecture.layers.len() {
            if !self.skips(layer) {
                self.layer(layer)?;
            }
        }
        let body = std::mem::take(&mut self.steps);
        self.head()?;
        let head = std::mem::take(&mut self.steps);
        self.choice()?;
        Ok(Program { body, head, choice: std::mem::take(&mut self.steps) })
    }

    /// The norm before a product is folded into it: its weight by the product before, its factor by itself.
    fn folds(&self) -> bool {
        let plain = |post: bool, parallel: bool| !post && !parallel;
        self.single
            && self.architecture.norm.kind == NormKind::Rms
            && self.architecture.layers.iter().all(|layer| plain(layer.post_norms, layer.parallel))
            && layer::foldable(self.network)
            // At most one a pair of panels.
            && self.sizes.embedding.div_ceil(16) + 4 <= crate::sizes::SUMS
    }

    fn embed(&mut self) -> Result<(), Error> {
        let (network, scale) = (self.network, self.architecture.embedding_scale);
        self.embed_from("token_embd", &network.embedding, 0, 0, scale)?;
        if let Some(positions) = &network.positions {
            self.embed_from("position_embd", positions, 1, 1, 1.0)?;
        }
        Ok(())
    }

    fn embed_from(
        &mut self,
        name: &'static str,
        table: &Matrix,
        by: u32,
        add: u32,
        scale: f32,
    ) -> Result<(), Error> {
        for part in &table.parts {
            let width = self.sizes.embedding as u32;
            let words =
                [table.units, part.supers, part.first, part.rows, width, by, add, scale.to_bits()];
            let [codes, high, scales] = part.bindings();
            let buffers = self.buffers;
            let parts = [codes, high, scales, all(&buffers.rows), all(&buffers.stream)];
            let key = key(Operation::Embed, Some(table.format), &[]);
            self.step(name, None, key, &words, &parts, Grid::Rows(table.units.div_ceil(64)))?;
        }
        Ok(())
    }

    /// Adds a step; its numbers are binding 0, `parts` the others.
    fn step(
        &mut self,
        name: &'static str,
        layer: Option<usize>,
        key: Key,
        words: &[u32],
        parts: &[Part<'_>],
        grid: Grid,
    ) -> Result<(), Error> {
        let texels = self.gpu.texels && key.format.is_some();
        let variant = Variant { texels, subgroups: self.gpu.subgroups };
        let pipeline = self.gpu.pipeline(Key { variant, ..key })?;
        let at = self.numbers.put(self.gpu, words)?;
        let mut bound = vec![self.numbers.bind(&at)];
        bound.extend_from_slice(parts);
        let group = self.gpu.bind(&pipeline, &bound);
        let depth = Depth::Any;
        self.steps.push(Step { name, layer, depth, pipeline, group, grid, work: 0, bytes: 0 });
        Ok(())
    }

    /// Says for how many positions the last step is.
    fn depth(&mut self, depth: Depth) {
        if let Some(step) = self.steps.last_mut() {
            step.depth = depth;
        }
    }

    /// Says how many multiplications the last step makes for a row, and the bytes of weights it reads once.
    fn work(&mut self, work: u64, bytes: u64) {
        if let Some(step) = self.steps.last_mut() {
            (step.work, step.bytes) = (work, bytes);
        }
    }

    /// A norm of the stream by its GGUF name, for products of tiles of `tile` tokens to read.
    fn norm(&mut self, name: &'static str, layer: Option<usize>, tile: u32) -> Result<(), Error> {
        let stride = self.normed_stride();
        let (input, output) = (&self.buffers.stream, &self.buffers.normed);
        self.norm_of(name, layer, input, output, [tile, stride], None)
    }

    /// Columns of the normed stream with padding.
    fn normed_stride(&self) -> u32 {
        (crate::planes::units(self.sizes.embedding) * crate::planes::UNIT) as u32
    }

    fn norm_of(
        &mut self,
        name: &'static str,
        layer: Option<usize>,
        input: &wgpu::Buffer,
        output: &wgpu::Buffer,
        [tile, stride]: [u32; 2],
        added: Option<f32>,
    ) -> Result<(), Error> {
        let norm = self.architecture.norm;
        let find = |part: &str| match layer {
            Some(layer) => self.network.vectors.of_layer(layer, &format!("{name}.{part}")),
            None => self.network.vectors.find(&format!("{name}.{part}")),
        };
        let weight = find("weight")
            .ok_or_else(|| Error::Device(format!("{name}.weight: not in the model file")))?;
        let words = [
            self.sizes.embedding as u32,
            u32::from(norm.kind == NormKind::Layer),
            weight,
            find("bias").unwrap_or(NONE),
            tile,
            stride,
            u32::from(added.is_some()),
            u32::from(layer.is_none()),
            norm.eps.to_bits(),
            added.unwrap_or(1.0).to_bits(),
        ];
        let (vectors, picks) = (&self.network.vectors.buffer, &self.buffers.picks);
        let parts = [all(input), all(output), all(vectors), all(picks)];
        self.step(name, layer, key(Operation::Norm, None, &[]), &words, &parts, Grid::Each)
    }

    /// The last norm and the head.
    fn head(&mut self) -> Result<(), Error> {
        let (architecture, network, buffers) = (self.architecture, self.network, self.buffers);
        let head = network.head();
        let after = After {
            bias: network.vectors.find("output.bias"),
            scale: architecture.logit_scale,
            cap: architecture.logit_softcap.unwrap_or(0.0),
            folded: self.folds(),
            ..After::default()
        };
        let linear = after.cap == 0.0;
        let tile = self.tile(head, linear);
        if !after.folded {
            self.norm("output_norm", None, tile)?;
        }
        let call = Call {
            name: "output",
            layer: None,
            matrix: head,
            first: 0,
            input: &buffers.normed,
            output: &buffers.logits,
            stride: architecture.vocab as u32,
            out_tile: 0,
            gated: false,
        };
        self.product(call, after, tile)
    }

    fn choice(&mut self) -> Result<(), Error> {
        let (buffers, groups) = (self.buffers, self.sizes.groups() as u32);
        let vocab = self.sizes.vocab as u32;
        let parts = [all(&buffers.logits), all(&buffers.candidates)];
        let best = key(Operation::Best, None, &[]);
        self.step("best", None, best, &[vocab, groups], &parts, Grid::Rows(groups))?;
        let parts = [all(&buffers.candidates), all(&buffers.rows), all(&buffers.ids)];
        // The ids of a step lie side by side, as far apart as there can be rows.
        let most = self.sizes.logit_rows as u32;
        let choose = key(Operation::Choose, None, &[]);
        let slots = 2 * crate::sizes::CHAIN as u32;
        self.step("choose", None, choose, &[groups, most, slots], &parts, Grid::Each)
    }
}

/// A pipeline's name.
fn key(
    operation: Operation,
    format: Option<yardstick_model::Format>,
    constants: &[(&'static str, u32)],
) -> Key {
    Key { operation, format, variant: Variant::default(), constants: constants.to_vec() }
}
