//! A Yardstick worker to start from, in Rust: speaks backends/PROTOCOL.md over stdio and runs a model that is real and
//! tiny, a unigram: every token's logit follows from its id alone, whatever came before. It ignores the file's weights, so
//! verification fails, visibly. Replace what is marked FILL IN by calls of your engine.
//!
//! usage: yardstick run --worker unigram=target/release/unigram-worker --devices unigram ...

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A call that failed: kind, message, and the line that would change it.
type Fault = (&'static str, String, Option<String>);
type Answer = Result<Value, Fault>;

/// Id of the last cancel: calls with a smaller one end early.
static CANCELLED: AtomicU64 = AtomicU64::new(0);

const DEVICE: &str = "unigram:0";

fn main() {
    let (requests, incoming) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(request) = line.map(|line| serde_json::from_str::<Value>(&line)) else { break };
            let request = request.unwrap_or(Value::Null);
            if request["call"] == "cancel" {
                CANCELLED.store(request["id"].as_u64().unwrap_or(0), Ordering::Relaxed);
            } else if requests.send(request).is_err() {
                return;
            }
        }
        // The parent is gone, perhaps in the middle of a call.
        std::process::exit(0);
    });
    thread::spawn(|| {
        for beat in 1_u64.. {
            thread::sleep(Duration::from_millis(500));
            say(&json!({"heartbeat": {"beat": beat}}));
        }
    });
    let mut worker = Worker { epoch: Instant::now(), session: None };
    for request in incoming {
        let (id, call) = (&request["id"], &request["call"]);
        say(&match worker.answer(id.as_u64().unwrap_or(0), call) {
            Ok(answer) => json!({"reply": {"id": id, "answer": answer}}),
            Err((kind, message, fix)) => {
                json!({"fault": {"id": id, "kind": kind, "message": message, "fix": fix}})
            }
        });
        if call == "stop" {
            return;
        }
    }
}

/// One message is one line, whichever thread sends it. Nothing else may print to stdout.
fn say(message: &Value) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{message}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

struct Worker {
    /// Samples count their start from here.
    epoch: Instant,
    session: Option<Session>,
}

/// FILL IN: your engine's model and its caches.
struct Session {
    vocab: usize,
    options: Value,
    /// Positions each sequence holds.
    lengths: Vec<usize>,
}

impl Worker {
    fn answer(&mut self, id: u64, call: &Value) -> Answer {
        let (name, asked) = match call {
            Value::String(name) => (name.as_str(), &Value::Null),
            Value::Object(call) if call.len() == 1 => call
                .iter()
                .next()
                .map_or(("", &Value::Null), |(name, asked)| (name.as_str(), asked)),
            _ => ("", &Value::Null),
        };
        match name {
            "hello" => Ok(json!({"hello": {"protocol": 1, "name": "unigram-worker",
                "version": env!("CARGO_PKG_VERSION"), "backends": ["unigram"]}})),
            "devices" => Ok(json!({"devices": {"devices": [device()]}})),
            // FILL IN: bytes it would take; a fault of kind `unsupported` for what it cannot do.
            "plan" => vocabulary(&asked["model"]).map(|_| {
                json!({"planned": {"footprint":
                    {"mapped_bytes": 0, "copied_bytes": 0, "kv_bytes": 0, "scratch_bytes": 0}}})
            }),
            "load" => self.load(asked),
            "ceiling" => Ok(json!({"ceiling": {"reached": unknown("it measures no limits")}})),
            "profile" => Ok(json!({"profile": {"profile": null}})),
            "stop" => Ok(json!("stopped")),
            _ => {
                let (epoch, session) = (self.epoch, self.session.as_mut());
                session.ok_or_else(|| invalid("no model is loaded"))?.answer(id, epoch, name, asked)
            }
        }
    }

    fn load(&mut self, asked: &Value) -> Answer {
        let start = Instant::now();
        if asked["device"] != DEVICE {
            return Err(invalid("there is no such device"));
        }
        let vocab = vocabulary(&asked["model"])?;
        let options = asked["options"].clone();
        let lengths = vec![0; count(&options["sequences"]).max(1)];
        let session = self.session.insert(Session { vocab, options, lengths });
        let facts = session.facts();
        Ok(json!({"loaded": {"facts": facts, "load_ns": nanoseconds(start).max(1)}}))
    }
}

impl Session {
    fn answer(&mut self, id: u64, epoch: Instant, name: &str, asked: &Value) -> Answer {
        let stopped = || CANCELLED.load(Ordering::Relaxed) > id;
        match name {
            "observe" => self.observe(asked["file"].as_str().unwrap_or_default()),
            "prepare" => {
                let test = Test::parse(&asked["test"])?;
                self.lengths.fill(test.depth); // FILL IN: run the first `depth` tokens of `prompt`.
                Ok(json!("prepared"))
            }
            "warm_up" => {
                let sample = self.repeat(&Test::parse(&asked["test"])?, epoch);
                Ok(json!({"warmed_up": {"warm_up":
                    {"repetitions": 1, "nanoseconds": sample["nanoseconds"], "steady": false}}}))
            }
            "sample" => {
                let test = Test::parse(&asked["test"])?;
                let most = count(&asked["sampling"]["min_repetitions"]).max(1);
                let mut samples = Vec::new();
                while samples.len() < most && !stopped() {
                    samples.push(self.repeat(&test, epoch));
                }
                let repetitions = samples.len();
                say(&json!({"samples": {"id": id, "samples": samples}}));
                Ok(json!({"sampled": {"repetitions": repetitions, "facts": self.facts()}}))
            }
            "generate" => {
                let ids: Vec<usize> =
                    (0..count(&asked["n"])).map(|_| argmax(&self.row())).collect();
                Ok(json!({"generated": {"ids": ids}}))
            }
            "logits" | "expect" => {
                Err(("unsupported", format!("{name} is not filled in here"), None))
            }
            _ => Err(invalid(&format!("call {name:?} is not known"))),
        }
    }

    /// FILL IN: the logits of one row, from your engine. Here: Zipf's law over token ids.
    fn row(&self) -> Vec<f32> {
        (0..self.vocab).map(|id| -(1.0 + id as f32).ln()).collect()
    }

    /// One timed repetition. Only the engine's work lies within the clock; rows are what the tests name in PROTOCOL.md.
    fn repeat(&mut self, test: &Test, epoch: Instant) -> Value {
        let sequences = self.lengths.len();
        let (steps, stamped) = if test.generates { (test.tokens, true) } else { (1, test.first) };
        let mut stamps = Vec::with_capacity(steps);
        let start = Instant::now();
        for _ in 0..steps {
            for _ in 0..sequences {
                std::hint::black_box(argmax(&self.row()));
            }
            if stamped {
                stamps.push(nanoseconds(start));
            }
        }
        let taken = nanoseconds(start).max(1);
        let tokens = if test.load { 1 } else { test.tokens * sequences };
        let started = start.duration_since(epoch).as_nanos() as u64;
        json!({"started_ns": started, "nanoseconds": taken, "tokens": tokens, "cpu_ns": null, "emits_ns": stamps,
            "marks": []})
    }

    /// Runs the script of backends/api/src/verify and writes its file. FILL IN: feed `prompt(vocab, 32)` as that script
    /// says; a unigram gives the same row everywhere, so only the counts of rows are the script's.
    fn observe(&self, file: &str) -> Answer {
        let two = self.lengths.len() >= 2;
        let rows: &[(u32, usize)] = &[(0, 14), (1, 6), (2, 4), (3, 8)][..if two { 4 } else { 3 }];
        let row = self.row();
        let sequences = self.lengths.len().min(2);
        let ids = vec![argmax(&row) as u32; 6 * sequences];
        let write = || -> io::Result<()> {
            let mut out = BufWriter::new(File::create(file)?);
            let number =
                |out: &mut BufWriter<File>, n: usize| out.write_all(&(n as u32).to_le_bytes());
            out.write_all(b"YVER")?;
            for field in [2, 0, self.vocab, rows.len()] {
                number(&mut out, field)?;
            }
            for &(path, rows) in rows {
                number(&mut out, path as usize)?;
                number(&mut out, rows * self.vocab)?;
                for _ in 0..rows {
                    row.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?;
                }
            }
            number(&mut out, sequences)?;
            number(&mut out, ids.len())?;
            ids.iter().try_for_each(|&id| number(&mut out, id as usize))?;
            out.flush()
        };
        write().map_err(|error| ("io", format!("{file}: {error}"), None))?;
        Ok(
            json!({"observed": {"numerics": "f32", "generated": {"sequences": sequences, "ids": ids}}}),
        )
    }

    /// FILL IN: what really ran, not what was asked; `unknown` with the reason for what cannot be known.
    fn facts(&self) -> Value {
        let none = || unknown("a unigram has none");
        let sequences = self.lengths.len();
        json!({"device": DEVICE, "isa": none(), "adapter": none(), "driver": none(), "threads": 1,
            "context": self.options["context"].as_u64().unwrap_or(512), "sequences": sequences,
            "chunk": self.options["chunk"], "kv": self.options["kv"], "numerics": "f32",
            "mapped_bytes": 0, "copied_bytes": 0, "kv_bytes": 0, "scratch_bytes": self.vocab * 4,
            "streamed_bytes": 0, "kernels": {}, "notes": {"model": "a unigram; the file's weights are not used"}})
    }
}

/// `tg64@d512`
struct Test {
    generates: bool,
    first: bool,
    load: bool,
    tokens: usize,
    depth: usize,
}

impl Test {
    fn parse(name: &Value) -> Result<Test, Fault> {
        let name = name.as_str().unwrap_or_default();
        let (head, depth) = name.split_once("@d").unwrap_or((name, "0"));
        let number =
            |text: &str| text.parse().map_err(|_| invalid(&format!("test {name:?} is not known")));
        let digits = head.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let (generates, first, load) = match &head[..head.len() - digits.len()] {
            "tg" => (true, false, false),
            "pp" => (false, false, false),
            "ttft" => (false, true, false),
            "load" => (false, true, true),
            _ => return Err(invalid(&format!("test {name:?} is not known"))),
        };
        let tokens = if digits.is_empty() { 512 } else { number(digits)? };
        Ok(Test { generates, first, load, tokens, depth: number(depth)? })
    }
}

fn device() -> Value {
    // FILL IN: kind `cpu`, `gpu` or `npu` and class `hardware`; `{"missing": {"id", "reason", "fix"}}` where it is not usable.
    json!({"ready": {"id": DEVICE, "name": "unigram, a skeleton", "kind": "cpu", "class": "software",
        "numerics": ["f32"], "memory_bytes": unknown("not asked"), "preferred": true}})
}

/// The vocabulary's size by the file's key `ARCHITECTURE.vocab_size`. FILL IN: your engine reads the file.
fn vocabulary(model: &Value) -> Result<usize, Fault> {
    let path = model.as_str().unwrap_or_default();
    let flaw = |reason: String| ("model", format!("{path}: {reason}"), None);
    let mut head = Vec::new();
    let file = File::open(path).map_err(|error| flaw(error.to_string()))?;
    file.take(1 << 16).read_to_end(&mut head).map_err(|error| flaw(error.to_string()))?;
    let key = b".vocab_size\x04\0\0\0";
    let at = head.windows(key.len()).position(|window| window == key);
    let value = at.and_then(|at| head.get(at + key.len()..at + key.len() + 4));
    match value.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes) {
        Some(vocab @ 1..=4_000_000) if head.starts_with(b"GGUF") => Ok(vocab as usize),
        _ => Err(("unsupported", format!("{path}: no vocab_size near its beginning"), None)),
    }
}

/// The largest logit's index, the lowest among equals.
fn argmax(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

fn nanoseconds(start: Instant) -> u64 {
    start.elapsed().as_nanos() as u64
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap_or(0).min(1 << 20) as usize
}

fn unknown(reason: &str) -> Value {
    json!({"unavailable": reason})
}

fn invalid(message: &str) -> Fault {
    ("invalid", message.to_owned(), None)
}
