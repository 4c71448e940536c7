//! The benches. `cargo bench` measures with criterion; without `--bench`, or with `--test`, every kernel runs once on a few rows.
#![allow(missing_docs)]

use std::cell::Cell;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use yardstick_cpu::bench::isas;
use yardstick_kernels::{Ceilings, Line, Name, Operation, Time, build, of_isa, work};

/// Where the lines go when it is not the output folder.
const VARIABLE: &str = "KERNELS_JSONL";

fn main() {
    if is_tried() {
        return try_all();
    }
    let output = output_folder();
    let mut criterion = Criterion::default().output_directory(&output).configure_from_args();
    let (mut ceilings, mut lines) = (Ceilings::default(), Vec::new());
    for (isa, usable) in isas() {
        if !usable {
            println!("skipped: cpu/{isa}: this processor lacks it");
            continue;
        }
        for name in of_isa(isa) {
            if let Some(line) = bench(&mut criterion, &output, &name, &mut ceilings) {
                println!("{:24}{}\n", "", line.text());
                lines.push(line);
            }
        }
    }
    criterion.final_summary();
    if !lines.is_empty() {
        keep(&output, &lines);
    }
}

/// Criterion's own rule, which it does not tell; lists are left to it.
fn is_tried() -> bool {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    (has("--test") || !has("--bench")) && !has("--list")
}

/// Runs every kernel once whose name holds the words of the command line.
fn try_all() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let usable = isas().into_iter().filter(|(_, usable)| *usable);
    let names = usable.flat_map(|(isa, _)| of_isa(isa));
    let chosen = names.filter(|name| words.iter().all(|word| name.to_string().contains(word)));
    let ran = chosen.map(|name| match build(&name, true) {
        Ok(mut run) => run(),
        Err(error) => panic!("{name}: {error}"),
    });
    println!("{} kernels ran once, on a few rows", ran.count());
}

/// `criterion/` in the target folder this program was built into.
fn output_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(3).map_or_else(|| "target".into(), PathBuf::from).join("criterion")
}

/// Runs one bench, if the filter lets it, and returns its result, if it was measured.
fn bench(
    criterion: &mut Criterion,
    output: &std::path::Path,
    name: &Name,
    ceilings: &mut Ceilings,
) -> Option<Line> {
    let work = match work(name) {
        Ok(work) => work,
        Err(error) => panic!("{name}: {error}"),
    };
    let group_name = format!("cpu/{}/{}", name.isa, name.format);
    let function = format!("{}/{}", name.operation.name(), name.shape);
    let ran = Cell::new(false);
    let mut group = criterion.benchmark_group(&group_name);
    group.throughput(Throughput::BytesDecimal(work.bytes)).sample_size(20);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    if matches!(name.operation, Operation::MatMat | Operation::Requantised) {
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
    }
    group.bench_function(&function, |bencher| {
        let mut run = match build(name, false) {
            Ok(run) => run,
            Err(error) => panic!("{name}: {error}"),
        };
        ran.set(true);
        bencher.iter(&mut run);
    });
    group.finish();
    if !ran.get() {
        return None;
    }
    match Time::read(output, &group_name, &function) {
        Ok(time) => Some(Line::new(name, &work, time, ceilings.bound(name, &work))),
        Err(error) => {
            eprintln!("{name}: no estimate: {error}");
            None
        }
    }
}

/// Writes the lines of this run, one JSON object each.
fn keep(output: &std::path::Path, lines: &[Line]) {
    let path =
        std::env::var_os(VARIABLE).map_or_else(|| output.join("kernels.jsonl"), PathBuf::from);
    let written = std::fs::File::create(&path).and_then(|mut file| {
        lines.iter().try_for_each(|line| {
            serde_json::to_writer(&mut file, line)?;
            file.write_all(b"\n")
        })
    });
    match written {
        Ok(()) => println!("{} results: {}", lines.len(), path.display()),
        Err(error) => eprintln!("{}: {error}; set {VARIABLE} to another file", path.display()),
    }
}
