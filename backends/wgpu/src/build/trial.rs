//! One product of a loaded model by itself, for tuning to time.

use std::time::Duration;

use yardstick_api::Error;

use super::Builder;
use super::product::{After, Call};
use crate::matrix::Matrix;
use crate::program::record_one;
use crate::sizes::TILE;
use crate::wait::{now, since};

impl Builder<'_> {
    /// The time of a product with a matrix, of one token or of a tile of them: the shortest of three rounds of at least a
    /// few milliseconds.
    pub(crate) async fn time(&mut self, matrix: &Matrix, single: bool) -> Result<Duration, Error> {
        let buffers = self.buffers;
        // Whatever lies in it; the longest, for the columns of any matrix.
        let inputs = [&buffers.normed, &buffers.attended, &buffers.inner];
        let longest = inputs.into_iter().max_by_key(|buffer| buffer.size());
        let call = Call {
            name: "trial",
            layer: None,
            matrix,
            first: 0,
            input: longest.unwrap_or(&buffers.normed),
            output: &buffers.logits,
            stride: matrix.rows as u32,
            out_tile: 0,
            gated: false,
        };
        self.single = single;
        self.product(call, After::default(), self.tile(matrix, true))?;
        let rows = if single { 1 } else { TILE as u32 };
        let once = self.round(rows, 1).await?.max(Duration::from_micros(1));
        let times = (Duration::from_millis(4).as_nanos() / once.as_nanos()).clamp(1, 200) as u32;
        let mut best = once;
        for _ in 0..3 {
            best = best.min(self.round(rows, times).await? / times);
        }
        self.steps.clear();
        Ok(best)
    }

    async fn round(&self, rows: u32, times: u32) -> Result<Duration, Error> {
        let start = now();
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in 0..times {
                self.steps.iter().for_each(|step| record_one(&mut pass, step, rows));
            }
        }
        let index = self.gpu.queue.submit([encoder.finish()]);
        self.gpu.wait(Some(index)).await?;
        Ok(since(start))
    }
}
