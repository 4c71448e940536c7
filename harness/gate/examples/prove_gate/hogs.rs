//! What runs beside: nothing, a busy loop, two bursty memory hogs, or a compiler in a loop.

use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Processes beside the trials; killed when dropped.
pub(crate) struct Hogs(Vec<Child>);

impl Hogs {
    pub(crate) fn start(condition: &str) -> Result<Hogs, String> {
        let kinds: &[&str] = match condition {
            "none" => &[],
            "cpu" => &["cpu"],
            "memory" => &["memory", "memory"],
            "compiler" => &["compiler"],
            _ => return Err(format!("{condition}: expected none, cpu, memory or compiler")),
        };
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut hogs = Hogs(Vec::new());
        for kind in kinds {
            let mut command = Command::new(&own);
            command
                .args(["hog", kind])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            hogs.0.push(command.spawn().map_err(|error| format!("hog {kind}: {error}"))?);
        }
        Ok(hogs)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        // A hog leaves when its input ends, and takes along whom it started.
        self.0.iter_mut().for_each(|hog| drop(hog.stdin.take()));
        let until = Instant::now() + Duration::from_secs(2);
        for hog in &mut self.0 {
            while matches!(hog.try_wait(), Ok(None)) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

/// The compiler that a hog runs; it must not outlive the hog, or compilers pile up beside the next trials.
static COMPILER: Mutex<Option<Child>> = Mutex::new(None);

fn compiler_of_now() -> MutexGuard<'static, Option<Child>> {
    COMPILER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves when whoever started it is gone or closes its input.
fn leave_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        // Held to the end: no other is started.
        let mut compiler = compiler_of_now();
        if let Some(compiler) = &mut *compiler {
            let _ = compiler.kill();
            let _ = compiler.wait();
        }
        std::process::exit(0);
    });
}

/// Is such a process, for ever.
pub(crate) fn be(kind: &str) -> Result<(), String> {
    leave_with_parent();
    match kind {
        "cpu" => loop {
            std::hint::black_box((0..1_000_000_u64).sum::<u64>());
        },
        "memory" => memory(),
        "compiler" => compiler(),
        _ => Err(format!("{kind}: no such hog")),
    }
}

/// Streams 256 MiB for a while, then rests, for times that are never the same twice.
fn memory() -> ! {
    let mut values = vec![1_u64; 32 << 20];
    let mut state = u64::from(std::process::id());
    loop {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (busy, rest) = (20 + (state >> 33) % 200, 20 + (state >> 45) % 200);
        let until = Instant::now() + Duration::from_millis(busy);
        while Instant::now() < until {
            values.iter_mut().step_by(8).for_each(|value| *value = value.wrapping_add(state));
            std::hint::black_box(&mut values);
        }
        std::thread::sleep(Duration::from_millis(rest));
    }
}

/// Compiles one file again and again.
fn compiler() -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("prove-gate-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let source = folder.join("busy.rs");
    let functions: String = (0..400)
        .map(|n| format!("pub fn f{n}(v: &[u64]) -> Vec<u64> {{ let mut v: Vec<u64> = v.iter().map(|x| x.rotate_left({n} % 64)).collect(); v.sort_by(|a, b| b.cmp(a)); v.dedup(); v }}\n"))
        .collect();
    std::fs::write(&source, functions).map_err(|error| error.to_string())?;
    loop {
        let mut command = Command::new("rustc");
        command.args(["-O", "--crate-type", "lib", "--out-dir"]).arg(&folder).arg(&source);
        let mut compiler = compiler_of_now();
        let started = command.stdin(Stdio::null()).spawn();
        *compiler = Some(started.map_err(|error| format!("rustc: {error}"))?);
        drop(compiler);
        let ran = loop {
            let ended = compiler_of_now().as_mut().map(Child::try_wait);
            match ended {
                Some(Ok(Some(status))) => break status,
                Some(Ok(None)) => std::thread::sleep(Duration::from_millis(5)),
                _ => return Err("rustc: it cannot be waited for".to_owned()),
            }
        };
        if !ran.success() {
            return Err(format!("rustc: {ran}"));
        }
    }
}
