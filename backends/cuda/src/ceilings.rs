//! Ceilings: what a GPU reaches at each limit with the instructions the kernels use, by the GPU's own clock.

use yardstick_api::{Error, Known, Limit, Reached, Round};

use crate::forward::THREADS;
use crate::machine::Argument::{Address, Count};
use crate::machine::{Driver, Gpu, Graph, Launch, Unit};
use crate::scratch::RESIDENT;

/// Rounds that count, behind one that does not.
const ROUNDS: usize = 10;
/// A round reads about this much, or takes so long that starting it does not count.
const ROUND_BYTES: u64 = 8 << 30;
/// Launches of a round of barriers.
const MEETINGS: usize = 200;

/// How much a round is, and how it is made.
struct Work {
    label: String,
    how: String,
    amount: u64,
    graph: Graph,
}

/// What a GPU reaches at a limit; or why it is not measured.
pub(crate) fn measure(driver: &mut dyn Driver, gpu: &Gpu, limit: Limit) -> Result<Reached, String> {
    let words = |error: Error| error.to_string();
    let work = match limit {
        Limit::Read { bytes } => read(driver, gpu, bytes).map_err(words)?,
        Limit::Int8 => peak(driver, gpu, 0, 64, "int8 dp4a").map_err(words)?,
        Limit::F32 => peak(driver, gpu, 4, 16, "f32").map_err(words)?,
        Limit::Bf16Matrix | Limit::Int8Matrix if !gpu.has_bf16_matrices() => {
            return Err(format!("{} has no tensor cores that the kernels use", gpu.name));
        }
        Limit::Bf16Matrix => peak(driver, gpu, 1, 32_768 / 32, "bf16 mma.sync").map_err(words)?,
        Limit::Int8Matrix => peak(driver, gpu, 3, 65_536 / 32, "int8 mma.sync").map_err(words)?,
        Limit::Barrier => barrier(driver, gpu).map_err(words)?,
        Limit::Bf16 | Limit::F16 => {
            return Err("the kernels do this on tensor cores only".into());
        }
        Limit::Wake => return Err("nothing of a GPU sleeps between tokens".into()),
    };
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        let nanoseconds = driver.time_replay(work.graph).map_err(words)?;
        rounds.push(Round { amount: work.amount, nanoseconds });
    }
    // The first finds cold clocks.
    rounds.remove(0);
    let fastest = rounds.iter().map(|round| round.nanoseconds.max(1)).min().unwrap_or(1);
    let value = match limit.is_latency() {
        true => fastest as f64 / work.amount as f64,
        false => work.amount as f64 * 1e9 / fastest as f64,
    };
    let threads = Known::unavailable("a GPU's threads come and go with every kernel");
    Ok(Reached { value, threads, label: work.label, how: work.how, rounds })
}

/// Blocks of a launch that fills the GPU.
fn full(gpu: &Gpu) -> u32 {
    gpu.processors * RESIDENT as u32
}

/// So many launches of a kernel, one behind the other.
fn record(
    driver: &mut dyn Driver,
    gpu: &Gpu,
    unit: Unit,
    arguments: Vec<crate::machine::Argument>,
    times: usize,
) -> Result<Graph, Error> {
    let (kernel, name) = (driver.compile(&unit)?, unit.entry);
    let launch = Launch { kernel, name, grid: [full(gpu), 1, 1], threads: THREADS, arguments };
    driver.record(&vec![launch; times])
}

fn read(driver: &mut dyn Driver, gpu: &Gpu, bytes: u64) -> Result<Work, Error> {
    let bytes = (bytes / 64 * 64).max(64);
    if bytes / 16 > u64::from(u32::MAX) || bytes > driver.free_bytes()? {
        return Err(Error::OutOfMemory(format!("{bytes} bytes to read do not fit")));
    }
    let (data, out) = (driver.allocate(bytes, "memory to read")?, driver.allocate(4, "a result")?);
    let emulated = gpu.class != yardstick_api::DeviceClass::Hardware;
    let repeats = if emulated { 1 } else { (ROUND_BYTES / bytes).clamp(1, 1 << 16) };
    let unit = Unit { entry: "read", defines: vec![] };
    let arguments =
        vec![Address(data), Count((bytes / 16) as u32), Count(repeats as u32), Address(out)];
    Ok(Work {
        label: if bytes > 48 << 20 { "memory" } else { "L2" }.into(),
        how: format!("16-byte loads, four at once, {} blocks of {THREADS}", full(gpu)),
        amount: bytes * repeats,
        graph: record(driver, gpu, unit, arguments, 1)?,
    })
}

/// `operations` a thread does in a round of the kernel.
fn peak(
    driver: &mut dyn Driver,
    gpu: &Gpu,
    kind: u32,
    operations: u64,
    label: &str,
) -> Result<Work, Error> {
    let emulated = gpu.class != yardstick_api::DeviceClass::Hardware;
    let repeats: u32 = if emulated { 2 } else { 20_000 };
    let out = driver.allocate(4, "a result")?;
    let unit = Unit { entry: "peak", defines: vec![("KIND", kind.to_string())] };
    let graph = record(driver, gpu, unit, vec![Count(repeats), Address(out)], 1)?;
    let threads = u64::from(full(gpu) * THREADS);
    Ok(Work {
        label: label.into(),
        how: format!("eight chains a thread, {} blocks of {THREADS}", full(gpu)),
        amount: operations * u64::from(repeats) * threads,
        graph,
    })
}

fn barrier(driver: &mut dyn Driver, gpu: &Gpu) -> Result<Work, Error> {
    let out = driver.allocate(4, "a result")?;
    let unit = Unit { entry: "barrier", defines: vec![] };
    let graph = record(driver, gpu, unit, vec![Address(out)], MEETINGS)?;
    Ok(Work {
        label: "launch after launch".into(),
        how: format!(
            "{MEETINGS} launches of one graph that do nothing, {} blocks of {THREADS}",
            full(gpu)
        ),
        amount: MEETINGS as u64,
        graph,
    })
}
