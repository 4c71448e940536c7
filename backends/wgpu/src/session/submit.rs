//! Submissions: recorded steps sent to the device in portions that a display driver's watchdog tolerates, and, in
//! profiling runs, timed one by one.

use std::time::{Duration, Instant};

use yardstick_api::{Error, Known, OperationTime, Profile};

use crate::gpu::Gpu;
use crate::program::{Step, record_one};
use crate::wait::{now, since};

/// Longest time a submission should take.
const LONGEST: Duration = Duration::from_millis(200);
/// Steps timed in one submission; a query set holds a few thousand.
const TIMED: usize = 1000;

/// How much work a submission may hold, learned from how fast the device was.
pub(super) struct Pace {
    /// Multiplications a submission may hold.
    budget: u64,
    /// Work sent since the device was idle, and since when.
    sent: u64,
    since: Option<Instant>,
    /// Submissions since the last report.
    pub(super) submissions: u64,
    /// Time spent recording commands.
    pub(super) encoding: Duration,
    /// Time spent in the driver's submission, where software adapters compute.
    pub(super) submitting: Duration,
}

impl Pace {
    pub(super) fn new(software: bool) -> Pace {
        let budget = if software { 100_000_000 } else { 20_000_000_000 };
        let (encoding, submitting) = (Duration::ZERO, Duration::ZERO);
        Pace { budget, sent: 0, since: None, submissions: 0, encoding, submitting }
    }

    fn note_sent(&mut self, work: u64) {
        self.since = self.since.or_else(now);
        self.sent += work;
        self.submissions += 1;
    }

    /// The device is idle again.
    pub(super) fn note_idle(&mut self) {
        let work = std::mem::take(&mut self.sent);
        let seconds = since(self.since.take()).as_secs_f64();
        // Short ones say more about the driver than about the device.
        if seconds > 0.01 && work > 0 {
            let rate = work as f64 / seconds;
            self.budget = ((rate * LONGEST.as_secs_f64()) as u64).max(10_000_000);
        }
    }
}

/// A list of steps for so many rows.
#[derive(Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) steps: &'a [Step],
    pub(super) rows: u32,
    /// A row sees many positions.
    pub(super) deep: bool,
}

/// The steps of stages, each with its rows.
fn steps_of<'a>(stages: &'a [Stage<'a>]) -> impl Iterator<Item = (&'a Step, u32)> {
    let of = |stage: &'a Stage<'a>| {
        let steps = stage.steps.iter().filter(|step| step.is_for(stage.deep));
        steps.map(|step| (step, stage.rows))
    };
    stages.iter().flat_map(of)
}

/// Records and submits stages.
pub(super) fn submit(gpu: &Gpu, pace: &mut Pace, stages: &[Stage<'_>]) -> Result<(), Error> {
    let mut steps = steps_of(stages).peekable();
    while steps.peek().is_some() {
        let begun = now();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut work = 0;
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            while work < pace.budget
                && let Some((step, rows)) = steps.next()
            {
                record_one(&mut pass, step, rows);
                work += step.work * u64::from(rows);
            }
        }
        let commands = encoder.finish();
        pace.encoding += since(begun);
        let recorded = now();
        gpu.queue.submit([commands]);
        pace.submitting += since(recorded);
        pace.note_sent(work);
    }
    gpu.fault.check()
}

/// Times of operations, added up since the last call began.
pub(super) struct Profiler {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    times: Vec<OperationTime>,
}

impl Profiler {
    pub(super) fn new(gpu: &Gpu) -> Result<Profiler, Error> {
        use wgpu::BufferUsages as U;
        let count = TIMED as u32 + 1;
        let bytes = u64::from(count) * 8;
        let descriptor =
            wgpu::QuerySetDescriptor { label: None, ty: wgpu::QueryType::Timestamp, count };
        Ok(Profiler {
            queries: gpu.device.create_query_set(&descriptor),
            resolved: gpu.buffer("timestamps", bytes, U::QUERY_RESOLVE | U::COPY_SRC)?,
            staging: gpu.buffer("timestamps read", bytes, U::MAP_READ)?,
            times: Vec::new(),
        })
    }

    /// Forgets what was added up.
    pub(super) fn begin(&mut self) {
        self.times.clear();
    }

    pub(super) fn profile(&self) -> Profile {
        Profile { operations: self.times.clone() }
    }

    /// Runs stages to their end, a timestamp between any two steps.
    pub(super) async fn run(&mut self, gpu: &Gpu, stages: &[Stage<'_>]) -> Result<(), Error> {
        let steps: Vec<(&Step, u32)> = steps_of(stages).collect();
        for part in steps.chunks(TIMED) {
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.write_timestamp(&self.queries, 0);
                for (&(step, rows), i) in part.iter().zip(1..) {
                    record_one(&mut pass, step, rows);
                    pass.write_timestamp(&self.queries, i);
                }
            }
            let count = part.len() as u32 + 1;
            let bytes = u64::from(count) * 8;
            encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
            encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, bytes);
            let index = gpu.queue.submit([encoder.finish()]);
            let read = gpu.read(&self.staging, bytes, Some(index)).await?;
            self.add(part, &read, f64::from(gpu.queue.get_timestamp_period()));
        }
        Ok(())
    }

    fn add(&mut self, steps: &[(&Step, u32)], read: &[u8], period: f64) {
        let (stamps, _) = read.as_chunks::<8>();
        let stamps: Vec<u64> = stamps.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        for ((step, rows), pair) in steps.iter().zip(stamps.windows(2)) {
            let nanoseconds = (pair[1].saturating_sub(pair[0]) as f64 * period) as u64;
            let same =
                |time: &&mut OperationTime| time.name == step.name && time.layer == step.layer;
            let time = match self.times.iter_mut().find(same) {
                Some(time) => time,
                None => {
                    let none = OperationTime::timed(step.name, 0, 0);
                    self.times.push(OperationTime { layer: step.layer, ..none });
                    let Some(time) = self.times.last_mut() else { continue };
                    time
                }
            };
            time.calls += 1;
            time.nanoseconds += nanoseconds;
            if step.work > 0 {
                let so_far = |known: &Known<u64>| known.value().copied().unwrap_or(0);
                time.bytes = Known::Value(so_far(&time.bytes) + step.bytes);
                let operations = 2 * step.work * u64::from(*rows);
                time.operations = Known::Value(so_far(&time.operations) + operations);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_follows_the_speed_measured() {
        let mut pace = Pace::new(true);
        pace.since = Instant::now().checked_sub(Duration::from_secs(2));
        pace.sent = 2_000_000_000;
        pace.note_idle();
        assert!((150_000_000..=200_000_000).contains(&pace.budget), "{}", pace.budget);
        // Nothing was sent: nothing is learned.
        let before = pace.budget;
        pace.note_idle();
        assert_eq!(pace.budget, before);
    }
}
