//! A profile as a trace (Chrome's format, which Perfetto opens) and as folded stacks (for flame graphs).

use serde_json::{Value, json};
use yardstick_api::OperationTime;

use crate::text::clean;

/// A pass of a cell, as it was recorded.
pub struct TracedPass<'a> {
    /// From its call to its end, nanoseconds.
    pub nanoseconds: u64,
    /// Its operations, in the order they first ran.
    pub operations: &'a [OperationTime],
}

/// Events of each cell's passes; a process a cell. Durations are measured; sessions tell no starts, so that operations lie end to
/// end in the order they first ran, and each pass ends with what was outside of them.
pub fn trace(cells: &[(String, Vec<TracedPass<'_>>)]) -> String {
    let mut events = Vec::new();
    for (index, (name, passes)) in cells.iter().enumerate() {
        let process = index + 1;
        events.push(named("process_name", process, 0, &clean(name)));
        events.push(named("thread_name", process, 1, "passes"));
        events.push(named("thread_name", process, 2, "operations"));
        let mut at = 0.0;
        for (number, pass) in passes.iter().enumerate() {
            let taken = micro(pass.nanoseconds);
            let args = json!({ "pass": number });
            events.push(event("pass", process, 1, (at, taken), args));
            push_operations(&mut events, process, at, pass.operations);
            at += taken;
        }
    }
    let note =
        "durations are measured; starts are laid end to end in the order operations first ran";
    format!(
        "{}\n",
        json!({ "traceEvents": events, "displayTimeUnit": "ns", "otherData": { "note": note } })
    )
}

fn push_operations(events: &mut Vec<Value>, process: usize, start: f64, all: &[OperationTime]) {
    let mut at = start;
    for operation in all {
        let taken = micro(operation.nanoseconds);
        let args = json!({
            "layer": operation.layer, "calls": operation.calls, "bytes": operation.bytes,
            "operations": operation.operations,
        });
        events.push(event(&clean(&operation.name), process, 2, (at, taken), args));
        at += taken;
    }
}

fn micro(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

fn event(name: &str, process: usize, thread: usize, (at, taken): (f64, f64), args: Value) -> Value {
    json!({
        "name": name, "ph": "X", "cat": "profile", "pid": process, "tid": thread, "ts": at, "dur": taken, "args": args,
    })
}

fn named(what: &str, process: usize, thread: usize, name: &str) -> Value {
    json!({ "name": what, "ph": "M", "pid": process, "tid": thread, "args": { "name": name } })
}

/// A line a stack: `cell;layer 3;ffn_down 81234`, nanoseconds over all passes; what was outside of operations last.
pub fn folded(cells: &[(String, Vec<TracedPass<'_>>)]) -> String {
    let mut text = String::new();
    for (name, passes) in cells {
        let name = frame(name);
        let mut stacks: Vec<(String, u64)> = Vec::new();
        let mut outside = 0_u64;
        for pass in passes {
            let inside: u64 = pass.operations.iter().map(|one| one.nanoseconds).sum();
            outside += pass.nanoseconds.saturating_sub(inside);
            for one in pass.operations {
                let layer = one.layer.map_or_else(String::new, |layer| format!("layer {layer};"));
                let stack = format!("{name};{layer}{}", frame(&one.name));
                match stacks.iter_mut().find(|(known, _)| *known == stack) {
                    Some((_, ns)) => *ns += one.nanoseconds,
                    None => stacks.push((stack, one.nanoseconds)),
                }
            }
        }
        stacks.push((format!("{name};outside of operations"), outside));
        for (stack, ns) in stacks.into_iter().filter(|(_, ns)| *ns > 0) {
            text += &format!("{stack} {ns}\n");
        }
    }
    text
}

/// A name that neither ends a frame nor a line.
fn frame(name: &str) -> String {
    clean(name).replace(';', ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(operations: &[OperationTime]) -> Vec<TracedPass<'_>> {
        (0..2).map(|_| TracedPass { nanoseconds: 5000, operations }).collect()
    }

    fn operations() -> Vec<OperationTime> {
        let mut first = OperationTime::timed("attn;qkv\n", 1, 1500);
        first.layer = Some(3);
        vec![first, OperationTime::timed("output", 1, 2500)]
    }

    #[test]
    fn operations_lie_end_to_end_in_their_pass() {
        let operations = operations();
        let text = trace(&[("m\u{1b} on cpu".to_owned(), passes(&operations))]);
        let all: Value = serde_json::from_str(&text).unwrap();
        let events = all["traceEvents"].as_array().unwrap();
        assert_eq!(events.len(), 3 + 2 * 3);
        let spans: Vec<(f64, f64)> = events
            .iter()
            .filter(|event| event["ph"] == "X" && event["tid"] == 2)
            .map(|event| (event["ts"].as_f64().unwrap(), event["dur"].as_f64().unwrap()))
            .collect();
        assert_eq!(spans, [(0.0, 1.5), (1.5, 2.5), (5.0, 1.5), (6.5, 2.5)]);
        assert!(!text.contains('\u{1b}') && !text.contains("\\u001b"));
    }

    #[test]
    fn folded_stacks_sum_to_the_passes() {
        let operations = operations();
        let text = folded(&[("m;1".to_owned(), passes(&operations))]);
        assert_eq!(
            text,
            "m,1;layer 3;attn,qkv  3000\nm,1;output 5000\nm,1;outside of operations 2000\n"
        );
    }
}
