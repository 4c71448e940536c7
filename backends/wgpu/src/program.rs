//! Programs: a forward pass as a list of steps whose pipelines and bindings are fixed when the model is loaded.

use std::sync::Arc;

use crate::gpu::Pipeline;

/// One dispatch, or one for each tile.
pub(crate) struct Step {
    /// What a profile calls it.
    pub(crate) name: &'static str,
    pub(crate) layer: Option<usize>,
    pub(crate) depth: Depth,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) group: wgpu::BindGroup,
    pub(crate) grid: Grid,
    /// Multiplications for a row, where they are many.
    pub(crate) work: u64,
    /// Bytes of weights it reads once.
    pub(crate) bytes: u64,
}

/// How many positions a token must see for a step to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Depth {
    Any,
    /// Up to [`crate::sizes::SHALLOW`].
    Shallow,
    /// More.
    Deep,
}

/// How many workgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grid {
    /// (x, 1): one token.
    One(u32),
    /// (x, rows)
    Rows(u32),
    /// (rows, 1)
    Each,
    /// (x, 1, so many): one token.
    Split(u32, u32),
    /// (x, so many a row)
    Several(u32, u32),
    /// (x, tiles), tiles of so many tokens.
    Tiles(u32, u32),
    /// (x, tiles), tiles of so many tokens that no binding counts.
    EachTile(u32, u32),
    /// (x, 1) for every tile of so many tokens, its input a window that begins at `from` bytes of the tile's `bytes`.
    Windows { x: u32, tile: u32, bytes: u32, from: u32 },
}

/// The steps of a forward pass.
#[derive(Default)]
pub(crate) struct Program {
    /// Everything up to the last layer.
    pub(crate) body: Vec<Step>,
    /// The last norm and the head, over the rows wanted.
    pub(crate) head: Vec<Step>,
    /// The choice of the next token.
    pub(crate) choice: Vec<Step>,
}

impl Program {
    /// Steps of a layer.
    pub(crate) fn of_layer(&self, layer: usize, deep: bool) -> usize {
        self.body.iter().filter(|step| step.layer == Some(layer) && step.is_for(deep)).count()
    }
}

impl Step {
    /// Whether it is taken for a token that sees many positions, or few.
    pub(crate) fn is_for(&self, deep: bool) -> bool {
        self.depth != if deep { Depth::Shallow } else { Depth::Deep }
    }
}

/// Records one step.
pub(crate) fn record_one(pass: &mut wgpu::ComputePass<'_>, step: &Step, rows: u32) {
    pass.set_pipeline(&step.pipeline.pipeline);
    match step.grid {
        Grid::One(x) => plain(pass, step, x, 1),
        Grid::Rows(x) => plain(pass, step, x, rows),
        Grid::Each => plain(pass, step, rows, 1),
        Grid::Split(x, splits) => {
            pass.set_bind_group(0, &step.group, &[]);
            pass.dispatch_workgroups(x, 1, splits);
        }
        Grid::Several(x, of_row) => plain(pass, step, x, rows * of_row),
        Grid::Tiles(x, tile) => {
            pass.set_bind_group(0, &step.group, &[0]);
            pass.dispatch_workgroups(x, rows.div_ceil(tile), 1);
        }
        Grid::EachTile(x, tile) => plain(pass, step, x, rows.div_ceil(tile)),
        Grid::Windows { x, tile, bytes, from } => {
            for i in 0..rows.div_ceil(tile) {
                pass.set_bind_group(0, &step.group, &[i * bytes + from, i * 256]);
                pass.dispatch_workgroups(x, 1, 1);
            }
        }
    }
}

fn plain(pass: &mut wgpu::ComputePass<'_>, step: &Step, x: u32, y: u32) {
    pass.set_bind_group(0, &step.group, &[]);
    pass.dispatch_workgroups(x, y, 1);
}

/// Dispatches recorded for so many rows of few positions.
pub(crate) fn dispatches(steps: &[Step], rows: u32) -> usize {
    let of = |step: &Step| match step.grid {
        Grid::Windows { tile, .. } => rows.div_ceil(tile) as usize,
        _ => 1,
    };
    steps.iter().filter(|step| step.is_for(false)).map(of).sum()
}
