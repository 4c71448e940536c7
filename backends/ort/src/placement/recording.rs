//! ONNX Runtime's profile of a session, as times by operation. The runtime writes it when recording ends, so the first question
//! after a run is also the last.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ort::session::Session;
use serde::Deserialize;
use yardstick_api::{Error, OperationTime, Profile};

/// A profile being recorded.
#[derive(Clone)]
pub(crate) struct Recording {
    prefix: PathBuf,
    ended: Option<Profile>,
}

/// Recordings of this process so far: two sessions must not share a file.
static COUNT: AtomicU64 = AtomicU64::new(0);

impl Recording {
    /// A recording whose file lies in a folder until it was read.
    pub(crate) fn new(folder: &Path) -> Result<Recording, Error> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("profile-{}-{number}", std::process::id());
        Ok(Recording { prefix: folder.join(name), ended: None })
    }

    /// What the runtime puts before the time in the file's name.
    pub(crate) fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Ends the recording, if it has not ended, and gives the last run's times.
    pub(crate) fn profile(&mut self, session: &mut Session) -> Option<Profile> {
        if self.ended.is_none() {
            let file = session.end_profiling().ok()?;
            let text = std::fs::read_to_string(&file).ok()?;
            let _ = std::fs::remove_file(&file);
            self.ended = parse(&text);
        }
        self.ended.clone()
    }
}

/// An event of the profile: Chrome's trace format.
#[derive(Deserialize)]
struct Event {
    cat: Option<String>,
    name: String,
    /// Microseconds.
    dur: Option<u64>,
}

/// Times by operation of the last run in a profile: those since the last but one `model_run` ended.
pub(crate) fn parse(text: &str) -> Option<Profile> {
    let events: Vec<Event> = serde_json::from_str(text).ok()?;
    let runs: Vec<usize> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| event.name == "model_run")
        .map(|(i, _)| i)
        .collect();
    let end = *runs.last()?;
    let start = runs.len().checked_sub(2).map_or(0, |i| runs[i] + 1);
    let mut profile = Profile::default();
    for event in &events[start..end] {
        let Some(name) = event.name.strip_suffix("_kernel_time") else { continue };
        if event.cat.as_deref() != Some("Node") {
            continue;
        }
        let (name, nanoseconds) = (operation(name), event.dur.unwrap_or(0).saturating_mul(1000));
        match profile.operations.iter_mut().find(|known| known.name == name) {
            Some(known) => {
                known.calls += 1;
                known.nanoseconds += nanoseconds;
            }
            None => profile.operations.push(OperationTime::timed(name, 1, nanoseconds)),
        }
    }
    Some(profile)
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
    fn the_last_runs_nodes_are_summed_by_operation() {
        let text = r#"[
            {"cat":"Session","name":"model_loading_uri","dur":9},
            {"cat":"Node","name":"blk.0.attn_q#1_kernel_time","dur":100},
            {"cat":"Session","name":"model_run","dur":9},
            {"cat":"Node","name":"blk.0.attn_q#1_fence_before","dur":1},
            {"cat":"Node","name":"blk.0.attn_q#1_kernel_time","dur":2},
            {"cat":"Node","name":"blk.1.attn_q#9_kernel_time","dur":3},
            {"cat":"Node","name":"output#20_kernel_time","dur":5},
            {"cat":"Session","name":"model_run","dur":9}
        ]"#;
        let operations = parse(text).unwrap().operations;
        let of = |name: &str, calls, nanoseconds| OperationTime::timed(name, calls, nanoseconds);
        assert_eq!(operations, [of("attn_q", 2, 5000), of("output", 1, 5000)]);
        assert_eq!(parse("not JSON"), None);
        assert_eq!(parse("[]"), None);
    }
}
