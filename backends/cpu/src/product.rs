//! Matrix products of the forward pass: inputs made by each thread or shared, rows shared among the crew.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::engine::Scratch;
use crate::forward::Pass;
use crate::kernels::activations::Forms;
use crate::kernels::elementwise::add;
use crate::kernels::integer::Panel;
use crate::kernels::{FEW, Input, Out, TILE, multiply, task_rows};
use crate::weights::{Matrix, NormWeights};

/// A matrix (or the part that is one expert) and the buffer its product goes to, at an offset in each row.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) matrix: &'a Matrix,
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
    pub(crate) to: &'a Buffer<f32>,
    /// Row length of `to`.
    pub(crate) stride: usize,
    /// Where in it.
    pub(crate) offset: usize,
    /// The one column of a few that is multiplied; `None`: all.
    pub(crate) column: Option<usize>,
}

impl<'a> Job<'a> {
    /// All of a matrix, into rows of its own.
    pub(crate) fn whole(matrix: &'a Matrix, to: &'a Buffer<f32>) -> Job<'a> {
        Job {
            matrix,
            first_row: 0,
            rows: matrix.rows,
            to,
            stride: matrix.rows,
            offset: 0,
            column: None,
        }
    }

    /// The expert'th part of a matrix of experts.
    pub(crate) fn part(self, expert: usize, experts: usize) -> Job<'a> {
        let rows = self.matrix.rows / experts;
        Job { first_row: expert * rows, rows, stride: rows, ..self }
    }
}

impl<'a> Pass<'a> {
    /// Makes the input of a product from `count` rows that `fill` writes: few are made by each thread for itself,
    /// many are shared and end at a barrier.
    pub(crate) fn input<'s>(
        &self,
        scratch: &'s mut Scratch,
        (count, cols): (usize, usize),
        forms: Forms,
        fill: impl Fn(usize, &mut [f32]),
    ) -> (Input<'s>, &'s mut Panel)
    where
        'a: 's,
    {
        if count <= FEW {
            return self.few_rows(scratch, (count, cols), forms, fill);
        }
        let (isa, tiles) = (self.engine.isa, &self.engine.tiles);
        let Scratch { panel, lines, .. } = scratch;
        self.member.share(count.div_ceil(TILE), |tile| {
            let columns = (count - tile * TILE).min(TILE);
            for (i, line) in lines.chunks_exact_mut(cols).take(columns).enumerate() {
                fill(tile * TILE + i, line);
            }
            // SAFETY: the tile is this task's.
            unsafe { tiles.fill(isa, tile, &lines[..columns * cols], cols, forms) };
        });
        (Input::Tiles(tiles, count), panel)
    }

    /// As [`Pass::input`], by each thread for itself however many there are.
    pub(crate) fn few_rows<'s>(
        &self,
        scratch: &'s mut Scratch,
        (count, cols): (usize, usize),
        forms: Forms,
        fill: impl Fn(usize, &mut [f32]),
    ) -> (Input<'s>, &'s mut Panel) {
        let Scratch { rows, panel, lines, .. } = scratch;
        rows.reset(cols);
        for row in 0..count {
            fill(row, &mut lines[..cols]);
            rows.fill(self.engine.isa, row, &lines[..cols], forms);
        }
        (Input::Rows(rows, count), panel)
    }

    /// The stream, normalised, as input of a product.
    pub(crate) fn normalised<'s>(
        &self,
        norm: &NormWeights,
        scratch: &'s mut Scratch,
        forms: Forms,
    ) -> (Input<'s>, &'s mut Panel)
    where
        'a: 's,
    {
        let width = self.engine.sizes.embedding;
        self.input(scratch, (self.rows(), width), forms, |row, out| self.norm_row(row, norm, out))
    }

    /// Shares a product's rows among the crew. `done` runs after each task with the rows it finished.
    pub(crate) fn products(
        &self,
        jobs: &[&[Job<'_>]],
        input: Input<'_>,
        panel: &mut Panel,
        done: impl Fn(usize, Range<usize>),
    ) {
        // Each entry of `jobs` is one job, or two of equally many rows done together.
        let few = !matches!(input, Input::Tiles(..));
        let bytes =
            |jobs: &[Job<'_>]| jobs.iter().map(|j| j.rows * j.matrix.row_bytes()).sum::<usize>();
        let total: usize = jobs.iter().map(|jobs| bytes(jobs)).sum();
        let cut = |jobs: &[Job<'_>]| {
            let row = jobs.iter().map(|job| job.matrix.row_bytes()).sum();
            let stack = jobs.iter().map(|job| job.matrix.stack_rows()).max().unwrap_or(1);
            task_rows(row, few.then_some((jobs.len(), stack)), (total, self.member.threads()))
        };
        let tasks = |jobs: &[Job<'_>]| jobs[0].rows.div_ceil(cut(jobs).0);
        let all = jobs.iter().map(|jobs| tasks(jobs)).sum();
        let most = jobs.iter().map(|jobs| cut(jobs).1).max().unwrap_or(1);
        // Forth and back, so that of two matrices the one read last goes on where it was left.
        let mut forth = true;
        self.member.share_out(all, most, |mut taken| {
            let mut before = 0;
            for (i, jobs) in jobs.iter().enumerate() {
                let (each, first) = (cut(jobs).0, before);
                before += tasks(jobs);
                let here = taken.start..taken.end.min(before);
                if here.is_empty() {
                    continue;
                }
                taken.start = here.end;
                let row = |task: usize| ((task - first) * each).min(jobs[0].rows);
                let rows = row(here.start)..row(here.end);
                for j in 0..jobs.len() {
                    let own = |j: usize| if forth { j } else { jobs.len() - 1 - j };
                    if few && j + 1 < jobs.len() {
                        self.fetch(&jobs[own(j + 1)], &rows);
                    }
                    self.product(&jobs[own(j)], rows.clone(), input, panel);
                }
                forth = !forth;
                done(i, rows);
            }
        });
    }

    /// Asks for the first of some rows of the job that is done next.
    fn fetch(&self, next: &Job<'_>, rows: &Range<usize>) {
        let weights = self.engine.network.weights(next.matrix, next.first_row, next.rows);
        weights.fetch(rows.clone());
    }

    /// Some rows of one product, biases added.
    fn product(&self, job: &Job<'_>, rows: Range<usize>, input: Input<'_>, panel: &mut Panel) {
        let input = match (input, job.column) {
            (Input::Rows(x, _), Some(column)) => Input::Row(x, column),
            _ => input,
        };
        let weights = self.engine.network.weights(job.matrix, job.first_row, job.rows);
        // SAFETY: the rows are this task's.
        let out = unsafe { Out::new(job.to, job.offset, job.stride) };
        multiply(self.engine.isa, &weights, rows.clone(), input, &out, panel);
        if let Some(bias) = job.matrix.bias.get(rows.clone()).filter(|bias| !bias.is_empty()) {
            let count = match input {
                Input::Rows(_, count) | Input::Tiles(_, count) => count,
                Input::Row(..) => 1,
            };
            (0..count).for_each(|c| add(self.engine.isa, out.rows(c, rows.clone()), bias));
        }
    }
}
