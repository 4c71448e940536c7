//! Greedy generation without the host: each step's best token is the next step's input, on the device. The host
//! submits a round of steps, and the next round before it waits for the first.

use std::collections::VecDeque;

use yardstick_api::{Emit, Error, Sequence, Token};

use super::WgpuSession;
use super::batch::Row;
use super::submit::{Stage, submit};
use crate::sizes::{CHAIN, SHALLOW};

/// A round on its way: its steps, which half of the list its ids are in, and the submission that ends it.
struct Round {
    steps: usize,
    half: usize,
    done: wgpu::SubmissionIndex,
}

impl WgpuSession {
    pub(super) async fn chain(
        &mut self,
        first: &[(Sequence, Token)],
        n: usize,
        emit: &mut Emit<'_>,
    ) -> Result<(), Error> {
        let rows = self.start(first, n)?;
        if n == 0 || rows.is_empty() {
            return Ok(());
        }
        self.begin();
        self.send_rows(&rows);
        let picks: Vec<u8> = (0..rows.len() as u32).flat_map(u32::to_le_bytes).collect();
        self.gpu.queue.write_buffer(&self.buffers.picks, 0, &picks);
        let (mut sent, mut done, mut under_way) = (0, 0, VecDeque::new());
        while done < n {
            while sent < n && under_way.len() < 2 {
                let steps = CHAIN.min(n - sent);
                let deepest = rows.iter().map(|row| row.position).max().unwrap_or(0) + sent + steps;
                let deep = deepest > SHALLOW;
                under_way
                    .push_back(self.send_round(steps, rows.len(), deep, sent / CHAIN % 2).await?);
                sent += steps;
            }
            let Some(round) = under_way.pop_front() else { break };
            let ids = self.receive(&round, rows.len()).await?;
            rows.iter().for_each(|row| self.lengths[row.sequence] += round.steps);
            let stop = emit(done, &ids).is_break();
            done += round.steps;
            if stop {
                break;
            }
        }
        // What was sent beyond a stop only fills places that count as empty.
        if under_way.is_empty() { Ok(()) } else { self.gpu.wait(None).await }
    }

    /// The rows of the first step, or what is wrong with the call.
    fn start(&self, first: &[(Sequence, Token)], n: usize) -> Result<Vec<Row>, Error> {
        if first.len() > self.sizes.logit_rows.min(self.sizes.chunk) {
            let most = self.sizes.logit_rows.min(self.sizes.chunk);
            let reason = format!("{} sequences generate at once, at most {most}", first.len());
            return Err(Error::Invalid(reason));
        }
        let mut seen = vec![false; self.lengths.len()];
        let row = |&(sequence, token): &(Sequence, Token)| {
            let (sequence, position) = self.admit(sequence, n, &mut seen)?;
            Ok(Row { token: self.known(token)?, position, sequence, wanted: true })
        };
        first.iter().map(row).collect()
    }

    async fn send_round(
        &mut self,
        steps: usize,
        count: usize,
        deep: bool,
        half: usize,
    ) -> Result<Round, Error> {
        let program = if count == 1 { &self.single } else { &self.many };
        let rows = count as u32;
        let parts = [&program.body, &program.head, &program.choice];
        let stages = parts.map(|steps| Stage { steps, rows, deep }).repeat(steps);
        match &mut self.profiler {
            Some(profiler) => profiler.run(&self.gpu, &stages).await?,
            None => submit(&self.gpu, &mut self.pace, &stages)?,
        }
        let bytes = self.half_bytes();
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let (ids, staging) = (&self.buffers.ids, &self.buffers.id_staging[half]);
        encoder.copy_buffer_to_buffer(ids, half as u64 * bytes, staging, 0, bytes);
        Ok(Round { steps, half, done: self.gpu.queue.submit([encoder.finish()]) })
    }

    /// Bytes of the ids of a full round: a step's ids lie as far apart as there can be rows.
    fn half_bytes(&self) -> u64 {
        (CHAIN * self.sizes.logit_rows * 4) as u64
    }

    /// The ids of a round, step-major.
    async fn receive(&mut self, round: &Round, count: usize) -> Result<Vec<Token>, Error> {
        let staging = &self.buffers.id_staging[round.half];
        let bytes = self.gpu.read(staging, self.half_bytes(), Some(round.done.clone())).await?;
        let (words, _) = bytes.as_chunks::<4>();
        let steps = words.chunks_exact(self.sizes.logit_rows).take(round.steps);
        Ok(steps.flat_map(|step| &step[..count]).map(|id| u32::from_le_bytes(*id)).collect())
    }
}
