//! ONNX Runtime's profile of a session, as times by operation or by provider. The runtime writes it when recording ends, so the first
//! question after a call is also the last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ort::session::{IoBinding, Session};
use serde::Deserialize;
use yardstick_api::{OperationTime, Profile};

/// A session, and its profile where one is recorded.
pub(crate) struct Recorded {
    pub(crate) session: Session,
    recording: Option<Recording>,
}

/// A profile being recorded.
pub(crate) struct Recording {
    prefix: PathBuf,
    /// Runs of the last call.
    runs: usize,
    ended: bool,
}

/// Recordings of this process so far: two sessions must not share a file.
static COUNT: AtomicU64 = AtomicU64::new(0);

impl Recording {
    /// A recording whose file lies in a folder until it was read.
    pub(crate) fn new(folder: &Path) -> Recording {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("profile-{}-{number}", std::process::id());
        Recording { prefix: folder.join(name), runs: 0, ended: false }
    }

    /// What the runtime puts before the time in the file's name.
    pub(crate) fn prefix(&self) -> &Path {
        &self.prefix
    }
}

impl Recorded {
    pub(crate) fn new(session: Session, recording: Option<Recording>) -> Recorded {
        Recorded { session, recording }
    }

    /// A call begins.
    pub(crate) fn begin(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.runs = 0;
        }
    }

    /// Runs the graph once.
    pub(crate) fn run(&mut self, binding: &IoBinding) -> ort::Result<()> {
        self.session.run_binding(binding)?;
        if let Some(recording) = &mut self.recording {
            recording.runs += 1;
        }
        Ok(())
    }

    /// The last call's times by operation; `None` where nothing is recorded, or it has ended before.
    pub(crate) fn profile(&mut self) -> Option<Profile> {
        let (text, runs) = self.end()?;
        by_operation(&text, runs)
    }

    /// The last call's nanoseconds by provider; `None` as above.
    pub(crate) fn times(&mut self) -> Option<BTreeMap<String, u64>> {
        let (text, runs) = self.end()?;
        by_provider(&text, runs)
    }

    /// Ends the recording: all of it, and how many of its runs are the last call's.
    fn end(&mut self) -> Option<(String, usize)> {
        let recording = self.recording.as_mut().filter(|recording| !recording.ended)?;
        recording.ended = true;
        let file = self.session.end_profiling().ok()?;
        let text = std::fs::read_to_string(&file).ok()?;
        let _ = std::fs::remove_file(&file);
        Some((text, recording.runs))
    }
}

/// The profiles of a call that ran several sessions, as one.
pub(crate) fn together(profiles: impl IntoIterator<Item = Profile>) -> Profile {
    let mut all = Profile::default();
    for operation in profiles.into_iter().flat_map(|profile| profile.operations) {
        add(&mut all, operation.name, operation.calls, operation.nanoseconds);
    }
    all
}

fn add(profile: &mut Profile, name: String, calls: u64, nanoseconds: u64) {
    match profile.operations.iter_mut().find(|known| known.name == name) {
        Some(known) => {
            known.calls += calls;
            known.nanoseconds += nanoseconds;
        }
        None => profile.operations.push(OperationTime::timed(name, calls, nanoseconds)),
    }
}

/// An event of the profile: Chrome's trace format.
#[derive(Deserialize)]
struct Event {
    cat: Option<String>,
    name: String,
    /// Microseconds.
    dur: Option<u64>,
    #[serde(default)]
    args: Arguments,
}

#[derive(Default, Deserialize)]
struct Arguments {
    provider: Option<String>,
}

/// A node that ran.
struct Ran {
    /// `blk.3.attn_q#41`
    node: String,
    provider: String,
    nanoseconds: u64,
}

/// Nodes of the last `count` runs in a profile; a run's nodes stand before its `model_run`.
fn last_nodes(text: &str, count: usize) -> Option<Vec<Ran>> {
    let mut events: Vec<Event> = serde_json::from_str(text).ok()?;
    let runs: Vec<usize> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| event.name == "model_run")
        .map(|(i, _)| i)
        .collect();
    if count == 0 {
        return Some(Vec::new());
    }
    let end = *runs.last()?;
    let before = runs.len().checked_sub(count)?;
    let start = before.checked_sub(1).map_or(0, |last| runs[last] + 1);
    let ran = |event: Event| {
        let node = event.name.strip_suffix("_kernel_time")?.to_owned();
        (event.cat.as_deref() == Some("Node")).then(|| Ran {
            node,
            provider: event.args.provider.unwrap_or_default(),
            nanoseconds: event.dur.unwrap_or(0).saturating_mul(1000),
        })
    };
    Some(events.drain(start..end).filter_map(ran).collect())
}

fn by_operation(text: &str, count: usize) -> Option<Profile> {
    let mut profile = Profile::default();
    for ran in last_nodes(text, count)? {
        add(&mut profile, operation(&ran.node), 1, ran.nanoseconds);
    }
    Some(profile)
}

fn by_provider(text: &str, count: usize) -> Option<BTreeMap<String, u64>> {
    let mut times = BTreeMap::new();
    for ran in last_nodes(text, count)? {
        *times.entry(ran.provider).or_insert(0) += ran.nanoseconds;
    }
    Some(times)
}

/// `blk.3.attn_q#41` is `attn_q`: layers are calls of one operation.
fn operation(node: &str) -> String {
    let name = node.split('#').next().unwrap_or(node);
    match name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        Some((_, part)) => part.to_owned(),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_runs_nodes_are_summed_by_operation_and_by_provider() {
        let text = r#"[
            {"cat":"Session","name":"model_loading_uri","dur":9},
            {"cat":"Node","name":"blk.0.attn_q#1_kernel_time","dur":100,"args":{"provider":"A"}},
            {"cat":"Session","name":"model_run","dur":9},
            {"cat":"Node","name":"blk.0.attn_q#1_fence_before","dur":1},
            {"cat":"Node","name":"blk.0.attn_q#1_kernel_time","dur":2,"args":{"provider":"A","op_name":"Gemm"}},
            {"cat":"Node","name":"blk.1.attn_q#9_kernel_time","dur":3,"args":{"provider":"B"}},
            {"cat":"Node","name":"output#20_kernel_time","dur":5,"args":{"provider":"A"}},
            {"cat":"Session","name":"model_run","dur":9}
        ]"#;
        let operations = by_operation(text, 1).unwrap().operations;
        let of = |name: &str, calls, nanoseconds| OperationTime::timed(name, calls, nanoseconds);
        assert_eq!(operations, [of("attn_q", 2, 5000), of("output", 1, 5000)]);
        let both = by_operation(text, 2).unwrap().operations;
        assert_eq!(both, [of("attn_q", 3, 105_000), of("output", 1, 5000)]);
        let times: Vec<(String, u64)> = by_provider(text, 1).unwrap().into_iter().collect();
        assert_eq!(times, [("A".to_owned(), 7000), ("B".to_owned(), 3000)]);
        assert_eq!(by_operation(text, 0), Some(Profile::default()));
        assert_eq!(by_operation(text, 3), None, "the call ran more than was recorded");
        assert_eq!(by_operation("not JSON", 1), None);
        assert_eq!(by_operation("[]", 1), None);
        let one = || by_operation(text, 1).unwrap();
        let all = together([one(), one()]).operations;
        assert_eq!(all, [of("attn_q", 4, 10_000), of("output", 2, 10_000)]);
    }
}
