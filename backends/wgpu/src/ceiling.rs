//! Ceilings: what this adapter reaches when a shader does nothing else. Measured from submission to completion, as
//! everything here is.

use std::path::Path;
use std::time::Duration;

use yardstick_api::{Error, Known, Limit, Reached, Round};

use crate::gpu::{self, Gpu, Key, part, whole};
use crate::shaders::{Operation, Variant};
use crate::wait::{now, since};

/// Time for the rounds that count, of each way.
const BUDGET: Duration = Duration::from_millis(100);
/// Rounds of each way at least and at most.
const ROUNDS: std::ops::RangeInclusive<usize> = 4..=40;
/// A round is made at least this long.
const ROUND: Duration = Duration::from_millis(5);
/// Operations of a round of every arithmetic shader, an invocation.
const OPERATIONS: u64 = 128;
/// Invocations of a workgroup.
const GROUP: u32 = 64;

/// What the adapter of a device reaches at a limit.
pub(crate) async fn measure(id: &str, limit: Limit, folder: Option<&Path>) -> Known<Reached> {
    let measured = of(id, limit, folder).await;
    measured.map_or_else(|error| Known::unavailable(error.to_string()), Known::Value)
}

async fn of(id: &str, limit: Limit, folder: Option<&Path>) -> Result<Reached, Error> {
    let gpu = gpu::open(id, folder).await?;
    match limit {
        Limit::Read { bytes } => read(&gpu, bytes).await,
        Limit::F32 => arithmetic(&gpu, Operation::PeakF32, "f32").await,
        Limit::Int8 => arithmetic(&gpu, Operation::PeakInt8, "int8 dot product").await,
        Limit::F16 if gpu.has_f16() => arithmetic(&gpu, Operation::PeakF16, "f16").await,
        _ => Err(Error::Device(format!("{} does not measure {limit}", gpu.found.info.name))),
    }
}

/// One way of doing it: dispatches, and how much they do together.
struct Way {
    how: String,
    amount: u64,
    pipeline: std::sync::Arc<gpu::Pipeline>,
    /// Bindings and workgroups.
    dispatches: Vec<(wgpu::BindGroup, u32)>,
}

impl Way {
    /// Runs it `times` times in one submission.
    async fn run(&self, gpu: &Gpu, times: u64) -> Result<Round, Error> {
        let start = now();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.pipeline.pipeline);
            for _ in 0..times {
                for (group, groups) in &self.dispatches {
                    pass.set_bind_group(0, group, &[]);
                    pass.dispatch_workgroups(*groups, 1, 1);
                }
            }
        }
        let index = gpu.queue.submit([encoder.finish()]);
        gpu.wait(Some(index)).await?;
        let nanoseconds = (since(start).as_nanos() as u64).max(1);
        Ok(Round { amount: self.amount * times, nanoseconds })
    }

    /// Rounds until the budget is spent, after one that counts for nothing and says how often to repeat.
    async fn rounds(&self, gpu: &Gpu) -> Result<Vec<Round>, Error> {
        self.run(gpu, 1).await?;
        let once = self.run(gpu, 1).await?.nanoseconds;
        let times = (ROUND.as_nanos() as u64).div_ceil(once);
        let (start, mut rounds) = (now(), Vec::new());
        while rounds.len() < *ROUNDS.end()
            && (rounds.len() < *ROUNDS.start() || since(start) < BUDGET)
        {
            rounds.push(self.run(gpu, times).await?);
        }
        Ok(rounds)
    }
}

fn rate(round: &Round) -> f64 {
    round.amount as f64 * 1e9 / round.nanoseconds as f64
}

/// The best of some ways.
async fn best(gpu: &Gpu, ways: &[Way], label: &str) -> Result<Reached, Error> {
    let mut best: Option<Reached> = None;
    for way in ways {
        let rounds = way.rounds(gpu).await?;
        let value = rounds.iter().map(rate).fold(0.0, f64::max);
        if best.as_ref().is_none_or(|best| value > best.value) {
            let threads = Known::unavailable("the driver schedules invocations");
            let (label, how) = (label.to_owned(), way.how.clone());
            best = Some(Reached { value, threads, label, how, rounds });
        }
    }
    best.ok_or_else(|| Error::Device("nothing was measured".into()))
}

/// Workgroups worth trying: some adapters want few and long ones, most want many.
const GROUPS: [u32; 3] = [16, 256, 2048];

async fn read(gpu: &Gpu, bytes: u64) -> Result<Reached, Error> {
    let binding = gpu.limits.max_storage_buffer_binding_size.min(gpu.limits.max_buffer_size);
    // The largest step of any way, so that all read the same bytes.
    let step = u64::from(GROUPS[2]) * u64::from(GROUP) * 16 * 4;
    let bytes = bytes.max(1);
    let of_part = binding / step * step;
    let parts = bytes.div_ceil(of_part.max(1));
    let each = (bytes / parts).next_multiple_of(step).min(of_part);
    let buffers =
        (0..parts).map(|_| gpu.storage("read", each)).collect::<Result<Vec<_>, Error>>()?;
    let out = gpu.storage("unread", 16)?;
    let numbers = gpu.buffer("numbers", 256 * 3, wgpu::BufferUsages::UNIFORM)?;
    let pipeline = gpu.pipeline(key(Operation::PeakRead))?;
    let mut ways = Vec::new();
    for (i, groups) in (0..).zip(GROUPS) {
        send(gpu, &numbers, i, &[(each / 16) as u32, groups * GROUP]);
        let bind = |buffer: &wgpu::Buffer| {
            let parts = [part(&numbers, i * 256, 256), part(buffer, 0, each), whole(&out)];
            (gpu.bind(&pipeline, &parts), groups)
        };
        ways.push(Way {
            how: format!("{groups} workgroups of {GROUP}, 16 bytes a load; {parts} buffers"),
            amount: each * parts,
            pipeline: std::sync::Arc::clone(&pipeline),
            dispatches: buffers.iter().map(bind).collect(),
        });
    }
    if each <= gpu.texture_bytes() {
        ways.extend(texels(gpu, &buffers, each, &numbers, &out)?);
    }
    best(gpu, &ways, "device memory").await
}

/// The same words from textures, which software adapters fetch faster.
fn texels(
    gpu: &Gpu,
    buffers: &[wgpu::Buffer],
    each: u64,
    numbers: &wgpu::Buffer,
    out: &wgpu::Buffer,
) -> Result<Vec<Way>, Error> {
    let pipeline = gpu.pipeline(key(Operation::PeakTexels))?;
    let views = buffers.iter().map(|buffer| gpu.texels("read", buffer).map(|(view, _)| view));
    let views = views.collect::<Result<Vec<_>, Error>>()?;
    let way = |(i, groups): (u64, u32)| {
        let bind = |view: &wgpu::TextureView| {
            let view = gpu::Part::TextureView(view);
            (gpu.bind(&pipeline, &[part(numbers, i * 256, 256), view, whole(out)]), groups)
        };
        Way {
            how: format!(
                "{groups} workgroups of {GROUP}, texels of 16 bytes; {} textures",
                views.len()
            ),
            amount: each * views.len() as u64,
            dispatches: views.iter().map(bind).collect(),
            pipeline: std::sync::Arc::clone(&pipeline),
        }
    };
    Ok((0..).zip(GROUPS).map(way).collect())
}

async fn arithmetic(gpu: &Gpu, operation: Operation, label: &str) -> Result<Reached, Error> {
    const ROUNDS: u32 = 256;
    let out = gpu.storage("unread", 16)?;
    let numbers = gpu.buffer("numbers", 256, wgpu::BufferUsages::UNIFORM)?;
    send(gpu, &numbers, 0, &[ROUNDS]);
    let pipeline = gpu.pipeline(key(operation))?;
    let way = |groups: u32| Way {
        how: format!("{groups} workgroups of {GROUP}"),
        amount: u64::from(groups * GROUP) * u64::from(ROUNDS) * OPERATIONS,
        dispatches: vec![(gpu.bind(&pipeline, &[whole(&numbers), whole(&out)]), groups)],
        pipeline: std::sync::Arc::clone(&pipeline),
    };
    best(gpu, &GROUPS.map(way), label).await
}

fn send(gpu: &Gpu, numbers: &wgpu::Buffer, slot: u64, words: &[u32]) {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    gpu.queue.write_buffer(numbers, slot * 256, &bytes);
}

fn key(operation: Operation) -> Key {
    Key { operation, format: None, variant: Variant::default(), constants: Vec::new() }
}
