//! The driver's own path, from `dlopen` to the last free, against libraries that stand in for NVIDIA's (`fakes/`): they do as
//! the documentation says, late, and end the process where it forbids a call. Each case is a process of its own, since a
//! library is loaded once; the tests whose names begin with `inside` are what those processes run.

mod emulator;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use emulator::Emulated;
use sha2::{Digest, Sha256};
use yardstick_api::conformance::synthetic;
use yardstick_api::{
    Backend, Batch, DeviceStatus, Error, Limit, Options, Rows, Sequence, Session, Span, Token,
};
use yardstick_cuda::Cuda;
use yardstick_model::Model;

/// Folders with fakes: of everything, without a compiler, and with a driver that is too old.
struct Fakes {
    whole: PathBuf,
    no_compiler: PathBuf,
    old: PathBuf,
}

fn fakes() -> Option<&'static Fakes> {
    static FAKES: OnceLock<Option<Fakes>> = OnceLock::new();
    FAKES.get_or_init(|| (cfg!(target_os = "linux") && emulator::possible()).then(build)).as_ref()
}

fn build() -> Fakes {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes");
    let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fakes");
    let [whole, no_compiler, old, kernels] =
        ["whole", "no-compiler", "old", "kernels"].map(|name| folder.join(name));
    for folder in [&whole, &no_compiler, &old, &kernels] {
        std::fs::create_dir_all(folder).expect("the tests' folder can be written");
    }
    let make = |source: &str, library: PathBuf, defines: &[String]| {
        // Another test program may load it now: made beside, then renamed.
        let part = library.with_extension(std::process::id().to_string());
        let mut compiler = Command::new("g++");
        compiler.args(["-std=c++17", "-O1", "-Wall", "-shared", "-fPIC"]).args(defines);
        compiler.arg("-o").arg(&part).arg(sources.join(source)).arg("-ldl");
        let output = compiler.output().expect("g++ runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(part, library).expect("renames");
    };
    let quoted = |name: &str, path: &Path| format!("-D{name}=\"{}\"", path.display());
    let paths = [quoted("FOLDER", &shim), quoted("OUT", &kernels)];
    make("nvrtc.cpp", whole.join("libnvrtc.so.13"), &paths);
    make("nvml.cpp", whole.join("libnvidia-ml.so.1"), &[]);
    make("cuda.cpp", whole.join("libcuda.so.1"), &[]);
    make("cuda.cpp", no_compiler.join("libcuda.so.1"), &[]);
    // One function has another name, as if it were not there yet.
    make("cuda.cpp", old.join("libcuda.so.1"), &["-DcuGraphUpload=cuGraphNothing".to_owned()]);
    Fakes { whole, no_compiler, old }
}

/// What a process with fakes prints behind `found: `, line by line.
fn run(inside: &str, folder: &Path, cuda: &str, nvrtc: &str) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("runs from a file"));
    child.args([inside, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    child.env("LD_LIBRARY_PATH", folder).env("FAKE_CUDA", cuda).env("FAKE_NVRTC", nvrtc);
    let output = child.output().expect("starts");
    let (out, err) = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b)).into();
    assert!(output.status.success(), "{inside} with {cuda} {nvrtc}: {out}{err}");
    out.lines().filter_map(|line| Some(line.split_once("found: ")?.1.to_owned())).collect()
}

fn plain() -> Arc<Model> {
    synthetic::models().expect("made-up models open").swap_remove(0).1
}

fn quantised() -> Arc<Model> {
    let models = synthetic::models().expect("made-up models open");
    models.into_iter().find(|(name, _)| *name == "gqa-q4_0").expect("there is one").1
}

fn forward(session: &mut dyn Session, tokens: &[Token]) -> Result<(), Error> {
    let spans = [Span { sequence: Sequence(0), tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::Last })
}

fn session(cuda: &Cuda, model: &Arc<Model>) -> Result<Box<dyn Session>, Error> {
    let DeviceStatus::Ready(device) = cuda.devices().remove(0) else { panic!("no device") };
    let options = Options { context: Some(64), sequences: 2, chunk: 16, ..Options::default() };
    cuda.load(&device, model, &options)
}

/// Prefill, a copy of its sequence, one row, and two chains; everything that comes back, in words.
fn answers(cuda: &Cuda, model: &Arc<Model>) -> Result<Vec<String>, Error> {
    let mut session = session(cuda, model)?;
    let mut answers = Vec::new();
    for tokens in [&[1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3][..], &[2], &[1, 3]] {
        forward(&mut *session, tokens)?;
        answers.push(format!("{:?}", session.logits()?.values));
    }
    session.copy(Sequence(0), Sequence(1))?;
    session.truncate(Sequence(0), 4)?;
    for first in [&[(Sequence(0), 1)][..], &[(Sequence(0), 2), (Sequence(1), 2)]] {
        session.generate(first, 19, &mut |done, ids| {
            answers.push(format!("{done} {ids:?}"));
            ControlFlow::Continue(())
        })?;
    }
    Ok(answers)
}

#[test]
fn the_drivers_own_path_gives_the_answers_of_the_emulator_with_any_kernel_cache() {
    let Some(fakes) = fakes() else { return };
    let expected: Vec<String> = [plain(), quantised()]
        .iter()
        .flat_map(|model| answers(&Cuda::on(Emulated::new()), model).expect("runs"))
        .collect();
    let found = run("inside_answers", &fakes.whole, "", "");
    // Four caches: new, filled, with files that the driver does not take, and one that cannot be written.
    assert_eq!(found.len(), 4 * expected.len());
    for found in found.chunks(expected.len()) {
        assert_eq!(found, expected);
    }
}

#[test]
#[ignore = "run by the test above, with fakes on the library path"]
fn inside_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let all = |cache: &Path| {
        for model in [plain(), quantised()] {
            for answer in answers(&Cuda::new(Some(cache.to_owned())), &model).expect("runs") {
                println!("found: {answer}");
            }
        }
    };
    all(&cache);
    all(&cache);
    let files =
        || std::fs::read_dir(&cache).expect("was made").map(|file| file.expect("reads").path());
    assert!(files().count() > 10);
    for file in files() {
        let junk = b"\x7fELF of another driver\0";
        std::fs::write(&file, [&Sha256::digest(junk)[..], junk].concat()).expect("writes");
    }
    all(&cache);
    all(&files().next().expect("there are some"));
}

#[test]
fn what_a_machine_lacks_is_told_in_one_line_with_what_to_do() {
    let Some(fakes) = fakes() else { return };
    for (folder, cuda, nvrtc, reason, fix) in [
        (&fakes.whole, "devices=0", "", "finds no GPU", "nvidia-smi -L"),
        (&fakes.whole, "init=100", "", "finds no GPU", "nvidia-smi -L"),
        (&fakes.whole, "init=803", "", "another version", "reboot"),
        (&fakes.whole, "init=802", "", "not ready", "fabricmanager"),
        (&fakes.whole, "init=999", "", "words of the driver (CUDA_ERROR_999)", "nvidia-smi"),
        (&fakes.whole, "init=12345", "", "error 12345", "nvidia-smi"),
        (&fakes.whole, "version=11080", "", "of CUDA 11.8, 12.0 is needed", "525"),
        (&fakes.whole, "capability=61", "", "compute capability 6.1", ""),
        (&fakes.whole, "mode=2", "", "compute mode", "--compute-mode=DEFAULT"),
        (
            &fakes.whole,
            "",
            "version=14",
            "NVRTC is of CUDA 14.5, the driver of 13.0",
            "nvidia-cuda-nvrtc<14",
        ),
        (&fakes.whole, "version=12040", "", "the driver of 12.4", "nvidia-cuda-nvrtc-cu12"),
        (&fakes.whole, "", "without=90", "makes no code for compute capability 9.0", "pip install"),
        (
            &fakes.whole,
            "capability=130",
            "",
            "makes no code for compute capability 13.0",
            "pip install",
        ),
        (&fakes.no_compiler, "", "", "libnvrtc cannot be loaded", "pip install --no-deps --target"),
        (&fakes.old, "", "", "no cuGraphUpload: it is older than CUDA 12.0", "525"),
    ] {
        let found = run("inside_devices", folder, cuda, nvrtc);
        let [line] = &found[..] else { panic!("{cuda} {nvrtc}: {found:?}") };
        let told = line.split_once(" | ").expect("a reason and a fix");
        assert!(
            told.0.starts_with("missing: ") && told.0.contains(reason),
            "{cuda} {nvrtc}: {line}"
        );
        assert!(told.1.contains(fix), "{cuda} {nvrtc}: {line}");
    }
}

#[test]
fn a_gpu_is_described_by_the_driver_and_its_management_library() {
    let Some(fakes) = fakes() else { return };
    let found = run("inside_devices", &fakes.whole, "", "").join("\n");
    for words in [
        "ready: fake GPU 4293918720 bytes",
        "driver: NVIDIA 580.65.06, CUDA 13.0",
        "power limit: 700 W",
        "ECC: on",
        "MIG: off",
        "SM clock: 1980 MHz of 1980",
        "other processes: 1 compute on this GPU too",
        "compiler: NVRTC 13.5 (libnvrtc.so.13)",
    ] {
        assert!(found.contains(words), "{words} is not in {found}");
    }
}

#[test]
#[ignore = "run by the tests above, with fakes on the library path"]
fn inside_devices() {
    let cuda = Cuda::new(None);
    for status in cuda.devices() {
        match status {
            DeviceStatus::Missing { reason, fix, .. } => {
                println!("found: missing: {reason} | {}", fix.unwrap_or_default());
            }
            DeviceStatus::Ready(device) => {
                let memory = device.memory_bytes.value().copied().unwrap_or(0);
                println!("found: ready: {} {memory} bytes", device.name);
                let facts = session(&cuda, &plain()).expect("loads").facts();
                println!("found: driver: {}", facts.driver.value().expect("known"));
                for (name, value) in facts.notes {
                    println!("found: {name}: {}", value.value().cloned().unwrap_or_default());
                }
            }
        }
    }
}

#[test]
fn failures_are_sorted_and_carry_the_drivers_words() {
    let Some(fakes) = fakes() else { return };
    for (cuda, kind, words) in [
        ("memory=100000", "refused", "are available"),
        ("alloc=2 large=1000", "memory", "words of the driver (CUDA_ERROR_2)"),
        ("retain=46", "device", "another process holds the GPU"),
        ("fault=214 after=20", "lost", "reset it"),
        ("fault=719 after=20", "lost", "words of the driver (CUDA_ERROR_719)"),
        ("fault=700 after=0", "lost", "CUDA_ERROR_700"),
        ("fault=701 after=20", "device", "registers or shared memory"),
        ("fault=12345 after=20", "device", "error 12345"),
    ] {
        let found = run("inside_failure", &fakes.whole, cuda, "");
        let [line] = &found[..] else { panic!("{cuda}: {found:?}") };
        assert!(line.starts_with(kind) && line.contains(words), "{cuda}: {line}");
    }
    let found = run("inside_failure", &fakes.whole, "", "broken=1").join("\n");
    assert!(found.contains("device: ") && found.contains("broken on purpose"), "{found}");
}

#[test]
#[ignore = "run by the test above, with fakes on the library path"]
fn inside_failure() {
    match answers(&Cuda::new(None), &plain()).expect_err("something is wrong") {
        Error::OutOfMemory(text) => println!("found: memory: {text}"),
        Error::DeviceLost(text) => println!("found: lost: {text}"),
        Error::Device(text) => println!("found: device: {text}"),
        Error::Unsupported(refusal) => println!("found: refused: {refusal}"),
        other => println!("found: other: {other}"),
    }
}

#[test]
fn ceilings_are_taken_by_the_devices_own_clock() {
    let Some(fakes) = fakes() else { return };
    let found = run("inside_ceilings", &fakes.whole, "", "");
    // The fake's clock moves a microsecond with each thing done: two events and what is between them.
    assert_eq!(found, ["barrier 1005 ns of 200 launches"], "{found:?}");
}

#[test]
#[ignore = "run by the test above, with fakes on the library path"]
fn inside_ceilings() {
    let cuda = Cuda::new(None);
    let DeviceStatus::Ready(device) = cuda.devices().remove(0) else { panic!("no device") };
    let reached = cuda.ceiling(&device, Limit::Barrier, None);
    let reached = reached.value().expect("measured");
    let amount = reached.rounds[0].amount;
    println!("found: barrier {:.0} ns of {amount} launches", reached.value);
}
