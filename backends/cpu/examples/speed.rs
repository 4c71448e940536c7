//! A developer's stopwatch for kernels: prints prefill and decode speed of a GGUF file. It proves nothing and records
//! nothing; measurements are the harness's business.
//!
//! `cargo run --release -p yardstick-cpu --example speed -- FILE [DEVICE] [THREADS] [PROMPT] [GENERATE] [REPEATS] [DEPTH] [REPACK] [FOLDER] [SEQUENCES] [PROFILE] [NUMERICS]`

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use yardstick_api::{
    Backend, Batch, DeviceStatus, Limit, Numerics, Options, Rows, Sequence, Session, Span, Token,
};
use yardstick_cpu::Cpu;
use yardstick_model::Model;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |i: usize, default: usize| args.get(i).map_or(Ok(default), |text| text.parse::<usize>());
    let file = args.first().ok_or("which file?")?;
    let (threads, prompt, generate) = (number(2, 2)?, number(3, 512)?, number(4, 64)?);
    let (repeats, depth) = (number(5, 5)?, number(6, 0)?);
    let devices = Cpu.devices();
    let wanted = |status: &&DeviceStatus| match (status, args.get(1)) {
        (DeviceStatus::Ready(device), None) => device.preferred,
        (status, Some(id)) => status.id() == id,
        _ => false,
    };
    let Some(DeviceStatus::Ready(device)) = devices.iter().find(wanted) else {
        return Err("no such device here".into());
    };
    let model = Arc::new(Model::open(Path::new(file))?);
    let context = Some(depth + prompt.max(generate) + 1);
    let repack = number(7, 1)? != 0;
    let (sequences, profile) = (number(9, 1)?, number(10, 0)? != 0);
    let numerics = match args.get(11).map(String::as_str) {
        None => None,
        Some("f32") => Some(Numerics::F32),
        Some("bf16") => Some(Numerics::Bf16),
        Some("requantised") => Some(Numerics::Requantised),
        Some(other) => return Err(format!("no numerics {other}").into()),
    };
    let options = Options {
        threads: Some(threads),
        context,
        repack,
        sequences,
        profile,
        numerics,
        ..Options::default()
    };
    let start = Instant::now();
    let folder = args.get(8).filter(|folder| !folder.is_empty());
    let backend = Cpu.keeping(folder.map(Into::into));
    let mut session = backend.load(device, &model, &options)?;
    println!(
        "loaded in {:.2} s, {:?}",
        start.elapsed().as_secs_f64(),
        session.facts().notes["packed"]
    );
    let vocab = model.architecture().vocab as u64;
    let tokens: Vec<Token> =
        (0..depth + prompt).map(|i| (i as u64 * 7919 % vocab) as Token).collect();
    let first = Sequence(0);
    let read = Limit::Read { bytes: model.info().streamed_bytes };
    println!("{} on {}, {:?}", model.info().name, device.id, session.facts().kernels);
    let mut best = f64::INFINITY;
    for _ in 0..repeats {
        // The machine's memory is not always equally fast: the ceiling is measured beside each round.
        let ceiling = Cpu.ceiling(device, read, Some(threads));
        let ceiling = ceiling.value().map_or(f64::NAN, |reached| reached.value / 1e9);
        let mut line = String::new();
        for (name, count) in [("pp", prompt), ("tg", generate)] {
            for sequence in (0..sequences as u32).map(Sequence) {
                session.truncate(sequence, 0)?;
                if depth > 0 {
                    let spans = [Span { sequence, tokens: &tokens[..depth] }];
                    session.forward(&Batch { spans: &spans, rows: Rows::None })?;
                }
            }
            let (start, cpu) = (Instant::now(), cpu_seconds());
            if name == "pp" {
                let spans = [Span { sequence: first, tokens: &tokens[depth..] }];
                session.forward(&Batch { spans: &spans, rows: Rows::Last })?;
            } else {
                let mut last = start;
                let starts: Vec<_> = (0..sequences as u32).map(|s| (Sequence(s), 1)).collect();
                session.generate(&starts, count, &mut |_, _| {
                    let now = Instant::now();
                    best = best.min((now - last).as_secs_f64());
                    last = now;
                    ControlFlow::Continue(())
                })?;
            }
            let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
            let rate = count as f64 / wall;
            let read = rate * model.info().streamed_bytes as f64 / 1e9;
            line +=
                &format!("{name}{count} {rate:8.1} tok/s ({cpu:.2} s of processor in {wall:.2} s");
            let share = read / ceiling * 100.0;
            line += &match name {
                "tg" => format!(", {read:.1} GB/s, {share:.0} % of {ceiling:.1})"),
                _ => ")   ".into(),
            };
        }
        println!("{line}, best token {:.1} ms", best * 1e3);
    }
    print_profile(&mut *session);
    Ok(())
}

/// The last call's operations by name: time, and bytes read per second.
fn print_profile(session: &mut dyn Session) {
    let operations = session.profile().map_or_else(Vec::new, |profile| profile.operations);
    let mut names: Vec<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let of = || operations.iter().filter(|operation| operation.name == name);
        let nanoseconds: u64 = of().map(|operation| operation.nanoseconds).sum();
        let bytes: u64 = of().filter_map(|operation| operation.bytes.value()).sum();
        let rate = bytes as f64 / nanoseconds.max(1) as f64;
        println!("{name:12} {:8.1} us, {rate:6.1} GB/s", nanoseconds as f64 / 1e3);
    }
}

/// Processor time of this process; 0 where the system does not say.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
