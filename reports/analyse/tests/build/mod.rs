//! Synthetic records for tests: what a run would have stored, from a few words.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod needs;
pub mod quality;

use std::collections::BTreeMap;

use yardstick_api::verify::Check;
use yardstick_api::{Device, DeviceClass, DeviceKind, Facts, Known, KvType, Numerics, Options};
use yardstick_record::{
    Ceiling, Cell, Direction, Environment, ModelRef, Outcome, Reading, Record, RunInfo, SCHEMA,
    Sample, Tool, Verification, WarmUp,
};

/// A record of `device × model × test` with `samples` of about `tokens_per_second`, deterministic in `launch`.
pub struct Build {
    pub record: Record,
}

pub fn cell(device: &str, model: &str, test: &str) -> Build {
    let test = test.parse().unwrap();
    let record = Record {
        schema: SCHEMA,
        id: String::new(),
        run: run(),
        tool: tool(),
        cell: Cell {
            device: device.to_owned(),
            model: model_ref(model),
            options: Options::default(),
            build: None,
            test,
            subject: None,
        },
        launch: 0,
        started: "2026-11-20T12:00:05Z".into(),
        rerun: format!("yardstick run --device {device} --model {model} --test {test}"),
        environment: environment(),
        device: Known::Value(Device {
            id: device.to_owned(),
            name: "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz".into(),
            kind: DeviceKind::Cpu,
            class: DeviceClass::Hardware,
            numerics: vec![Numerics::A8],
            memory_bytes: Known::Value(24 << 30),
            preferred: true,
        }),
        facts: Known::Value(facts(device)),
        load_ns: Known::Value(210_000_000),
        warm_up: Known::Value(WarmUp { repetitions: 4, nanoseconds: 800_000_000, steady: true }),
        samples: Vec::new(),
        readings: vec![peak_rss(180 << 20)],
        ceiling: Known::Value(Ceiling {
            bytes_per_second: 24.5e9,
            sustained_bytes_per_second: Some(22e9),
            working_set_bytes: 91_000_000,
            positions_read: None,
            threads: Known::Value(2),
            how: None,
        }),
        peak: None,
        pairing: None,
        quality: None,
        workload: None,
        timeline: None,
        soak: None,
        origin: None,
        shared: None,
        verification: Verification::judged(Numerics::A8, checks(6.5e-4)),
        outcome: Outcome::Ok,
    };
    Build { record }
}

impl Build {
    /// `count` samples at about this speed; every launch is a little different.
    pub fn speed(mut self, tokens_per_second: f64, count: usize) -> Build {
        let tokens = self.record.cell.test.tokens().unwrap_or(1) as u64;
        let steps = if self.record.cell.test.to_string().starts_with("tg") { tokens } else { 1 };
        let launch = f64::from(self.record.launch);
        self.record.samples = (0..count)
            .map(|i| {
                let wobble = 1.0 + 0.01 * ((i * 7 % 5) as f64 - 2.0) + 0.004 * launch;
                sample(tokens, (tokens as f64 * 1e9 / tokens_per_second * wobble) as u64, steps)
            })
            .collect();
        self
    }

    /// `count` samples of about this time.
    pub fn time(self, milliseconds: f64, count: usize) -> Build {
        self.speed(1e3 / milliseconds, count)
    }

    pub fn launch(mut self, launch: u32) -> Build {
        self.record.launch = launch;
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Record)) -> Build {
        change(&mut self.record);
        self
    }

    /// It ended otherwise: nothing was measured.
    pub fn ended(mut self, outcome: Outcome) -> Build {
        let reason = "nothing was measured";
        self.record.samples.clear();
        self.record.readings.clear();
        self.record.ceiling = Known::unavailable(reason);
        self.record.outcome = outcome;
        self
    }

    /// It was never reached: not even the model was opened.
    pub fn skipped(self, reason: &str, fix: Option<&str>) -> Build {
        let outcome = Outcome::Skipped { reason: reason.to_owned(), fix: fix.map(str::to_owned) };
        self.ended(outcome).with(|record| {
            record.device = Known::unavailable(reason);
            record.facts = Known::unavailable(reason);
            record.warm_up = Known::unavailable(reason);
            record.verification = Verification::skipped(reason);
        })
    }

    pub fn done(self) -> Record {
        self.record.seal()
    }
}

/// A cell over several launches.
pub fn launches(count: u32, one: impl Fn(u32) -> Build) -> Vec<Record> {
    (0..count).map(|launch| one(launch).done()).collect()
}

pub fn checks(nmse: f64) -> Vec<Check> {
    let limit = Numerics::A8.nmse_limit();
    vec![
        check("prefill", nmse, limit, 32),
        check("step", nmse * 0.9, limit, 8),
        check("generate", 0.02, 0.44, 16),
    ]
}

fn check(name: &str, value: f64, limit: f64, compared: usize) -> Check {
    Check { name: name.to_owned(), value: Known::Value(value), limit, compared }
}

pub fn sample(tokens: u64, nanoseconds: u64, steps: u64) -> Sample {
    // The first tenth of a generation is slower, as caches fill; then it grows with the context.
    let emits_ns = (1..=steps)
        .map(|i| {
            let share = i as f64 / steps as f64;
            (nanoseconds as f64 * (0.9 * share + 0.1 * share * share)) as u64
        })
        .collect();
    Sample {
        started_ns: 0,
        nanoseconds,
        tokens,
        cpu_ns: Some(nanoseconds * 39 / 20),
        emits_ns,
        marks: Vec::new(),
    }
}

pub fn peak_rss(bytes: u64) -> Reading {
    Reading {
        name: "peak_rss_bytes".into(),
        value: Known::Value(bytes as f64),
        unit: "bytes".into(),
        better: Some(Direction::Lower),
        source: "/proc/PID/status VmHWM".into(),
        scope: "test".into(),
        precision: None,
    }
}

fn run() -> RunInfo {
    RunInfo {
        id: "20261120T120000Z-0001".into(),
        started: "2026-11-20T12:00:00Z".into(),
        suite: "suites/quick.toml".into(),
        command: vec!["yardstick".into(), "run".into()],
        seed: 7,
    }
}

fn tool() -> Tool {
    Tool {
        name: "yardstick".into(),
        version: "0.1.0".into(),
        commit: Known::Value("0123456789abcdef0123456789abcdef01234567".into()),
        build: Known::Value("rustc 1.95.0, x86_64-unknown-linux-gnu, release".into()),
    }
}

fn environment() -> Environment {
    let mut environment = Environment::default();
    environment.set("cpu.model", "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz");
    environment.set("cpu.logical_cores", 2);
    environment.set("memory.total_bytes", 25_769_803_776_u64);
    environment.set("os.name", "Debian GNU/Linux 12");
    environment.missing("cpu.governor", "no /sys/devices/system/cpu/cpu0/cpufreq");
    environment.missing("power.rapl", "no /sys/class/powercap: the hypervisor hides it");
    environment
}

fn model_ref(name: &str) -> ModelRef {
    let (bytes, parameters) = match name {
        "smollm-135m:Q4_0" => (91_729_344, 134_515_008),
        "smollm-135m:Q8_0" => (144_811_456, 134_515_008),
        "llama-3.2-1b:Q4_0" => (770_929_376, 1_235_814_400),
        "rustdoc-6m:F16" => (13_700_000, 5_800_000),
        "rustdoc-6m:Q8_0" => (8_100_000, 5_800_000),
        "rustdoc-6m:Q6_K" => (6_700_000, 5_800_000),
        "rustdoc-6m:Q4_K_M" => (5_500_000, 5_800_000),
        "rustdoc-6m:Q4_0" => (5_300_000, 5_800_000),
        "rustdoc-6m:Q2_K" => (4_200_000, 5_800_000),
        _ => (105_454_400, 134_515_008),
    };
    let hash: String = name.bytes().cycle().take(32).map(|b| format!("{b:02x}")).collect();
    ModelRef {
        name: name.to_owned(),
        sha256: Known::Value(hash),
        architecture: Known::Value("llama".into()),
        quantisation: Known::Value(name.rsplit(':').next().unwrap_or(name).to_owned()),
        parameters: Known::Value(parameters),
        file_bytes: Known::Value(bytes),
        tensor_bytes: Known::Value(bytes - 1_700_000),
        random_weights: Some("random weights".into()),
    }
}

fn facts(device: &str) -> Facts {
    Facts {
        device: device.to_owned(),
        isa: Known::Value("avx512-vnni".into()),
        adapter: Known::Value("Intel Xeon".into()),
        driver: Known::unavailable("a processor has no driver"),
        threads: Known::Value(2),
        context: 1024,
        sequences: 1,
        chunk: 512,
        kv: KvType::F16,
        numerics: Numerics::A8,
        mapped_bytes: 90_000_000,
        copied_bytes: 0,
        kv_bytes: 1024 * 23_040,
        scratch_bytes: 4_000_000,
        streamed_bytes: 90_000_000,
        kernels: BTreeMap::from([("Q4_0".into(), "avx512-vnni row dot".into())]),
        notes: BTreeMap::new(),
    }
}
