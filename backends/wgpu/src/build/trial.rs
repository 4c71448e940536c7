//! One product of a loaded model by itself, for tuning to time.

use std::time::Duration;

use yardstick_api::Error;

use super::Builder;
use super::product::{After, Call};
use crate::matrix::Matrix;
use crate::program::record_one;
use crate::wait::{now, since};

impl Builder<'_> {
    /// The time of one token's product with a matrix, the shortest of three rounds of at least a few milliseconds.
    pub(crate) async fn time(&mut self, matrix: &Matrix) -> Result<Duration, Error> {
        let call = Call {
            name: "trial",
            layer: None,
            matrix,
            first: 0,
            input: &self.buffers.normed,
            output: &self.buffers.logits,
            stride: matrix.rows as u32,
            out_tile: 0,
            gated: false,
        };
        self.single = true;
        self.product(call, After::default(), 1)?;
        let mut times = 1;
        let once = self.round(times).await?.max(Duration::from_micros(1));
        times = (Duration::from_millis(4).as_nanos() / once.as_nanos()).clamp(1, 200) as u32;
        let mut best = once;
        for _ in 0..3 {
            best = best.min(self.round(times).await? / times);
        }
        self.steps.clear();
        Ok(best)
    }

    async fn round(&self, times: u32) -> Result<Duration, Error> {
        let start = now();
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in 0..times {
                self.steps.iter().for_each(|step| record_one(&mut pass, step, 1));
            }
        }
        let index = self.gpu.queue.submit([encoder.finish()]);
        self.gpu.wait(Some(index)).await?;
        Ok(since(start))
    }
}
