//! A developer's stopwatch for shaders: prints prefill and decode speed of a GGUF file. It proves nothing and records
//! nothing; measurements are the harness's business.
//!
//! `cargo run --release -p yardstick-wgpu --example adapter_speed -- FILE [DEVICE] [THREADS] [PROMPT] [GENERATE] [REPEATS] [DEPTH] [FOLDER]`,
//! where a PROMPT or GENERATE of 0 leaves that out, and FOLDER keeps tunings and compiled pipelines.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use yardstick_api::{Backend, Batch, DeviceStatus, Limit, Options, Rows, Sequence, Span, Token};
use yardstick_model::Model;
use yardstick_wgpu::Wgpu;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |i: usize, default: usize| args.get(i).map_or(Ok(default), |text| text.parse::<usize>());
    let file = args.first().ok_or("which file?")?;
    let (threads, prompt, generate) = (number(2, 2)?, number(3, 512)?, number(4, 64)?);
    let (repeats, depth) = (number(5, 5)?, number(6, 0)?);
    let wgpu = Wgpu::keeping(args.get(7).map(PathBuf::from));
    let devices = wgpu.devices();
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
    let options = Options { context, ..Options::default() };
    let start = Instant::now();
    let mut session = wgpu.load(device, &model, &options)?;
    println!("loaded in {:.2} s", start.elapsed().as_secs_f64());
    let vocab = model.architecture().vocab as u64;
    let tokens: Vec<Token> =
        (0..depth + prompt).map(|i| (i as u64 * 7919 % vocab) as Token).collect();
    let first = Sequence(0);
    let read = Limit::Read { bytes: model.info().streamed_bytes };
    let ceiling = wgpu.ceiling(device, read, Some(threads)).map(|reached| reached.value);
    println!(
        "{} on {}, read {ceiling:?}, {:?}",
        model.info().name,
        device.id,
        session.facts().kernels
    );
    let mut best = f64::INFINITY;
    for _ in 0..repeats {
        let mut line = String::new();
        let tests = [("pp", prompt), ("tg", generate)];
        for (name, count) in tests.into_iter().filter(|&(_, count)| count > 0) {
            session.truncate(first, 0)?;
            if depth > 0 {
                let spans = [Span { sequence: first, tokens: &tokens[..depth] }];
                session.forward(&Batch { spans: &spans, rows: Rows::None })?;
            }
            let (start, cpu) = (Instant::now(), cpu_seconds());
            if name == "pp" {
                let spans = [Span { sequence: first, tokens: &tokens[depth..] }];
                session.forward(&Batch { spans: &spans, rows: Rows::Last })?;
            } else {
                let mut last = start;
                session.generate(&[(first, 1)], count, &mut |_, _| {
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
            line += &if name == "tg" { format!(", {read:.1} GB/s)") } else { ")   ".into() };
        }
        println!("{line}, best token {:.1} ms", best * 1e3);
    }
    println!("{:?}", session.facts().notes.get("encoding"));
    Ok(())
}

/// Processor time of this process; 0 where the system does not say.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
