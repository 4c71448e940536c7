//! Whether what a worker says can be true: it ran where and what was asked, and its times fit into the parent's.

use std::collections::BTreeMap;
use std::time::Duration;

use yardstick_api::verify::Generated;
use yardstick_api::{DeviceKind, Facts, Known, Options, WeightScheme};
use yardstick_record::{Sample, Test};

use crate::plan::Launch;

/// Why these facts are not those of what was asked, if so.
pub(super) fn misplaced(launch: &Launch, asked: &Options, facts: &Facts) -> Option<String> {
    if facts.device != launch.device.id {
        return Some(format!("asked for {}, it ran on {}", launch.device.id, facts.device));
    }
    // A device that makes answers up has no options to honour.
    if launch.device.kind == DeviceKind::None {
        return None;
    }
    let differs = |what: &str, asked: String, ran: String| {
        (asked != ran).then(|| format!("asked for {what} {asked}, it ran with {ran}"))
    };
    let threads = asked.threads.and_then(|asked| {
        let ran = facts.threads.value()?;
        differs("threads", asked.to_string(), ran.to_string())
    });
    let numerics = asked.numerics.and_then(|numerics| {
        let asked = format!("{:?}", numerics.with_kv(facts.kv)).to_lowercase();
        differs("numerics", asked, format!("{:?}", facts.numerics).to_lowercase())
    });
    let room = asked
        .context
        .filter(|&context| facts.context < context)
        .map(|context| format!("asked for a context of {context}, it holds {}", facts.context));
    let weights = asked.weights.map_or(FILE, WeightScheme::name).to_owned();
    let weights = differs("weights", weights, weights_run(&facts.notes).to_owned());
    let kv = differs("kv", asked.kv.name().to_owned(), facts.kv.name().to_owned());
    kv.map(|reason| format!("{reason}; measure it with --kv {}", facts.kv.name()))
        .or(threads)
        .or(numerics)
        .or(weights)
        .or(room)
        .or_else(|| {
            (facts.sequences < asked.sequences).then(|| {
                format!("asked for {} sequences, it holds {}", asked.sequences, facts.sequences)
            })
        })
}

/// Weights as they are in the file, among the names of schemes.
const FILE: &str = "file";

/// What a session says of its weights: the scheme they were rounded by, or that they are the file's.
fn weights_run(notes: &BTreeMap<String, Known<String>>) -> &str {
    notes.get(WeightScheme::NOTE).and_then(Known::value).map_or(FILE, String::as_str)
}

/// Why what was verified does not cover what will be measured, if so: several sequences at once are proven at once.
pub(super) fn uncovered(asked: &Options, generated: &Generated) -> Option<String> {
    (asked.sequences >= 2 && generated.sequences < 2).then(|| {
        let (asked, ran) = (asked.sequences, generated.sequences);
        format!("asked for {asked} sequences at once, it was verified with {ran}")
    })
}

/// Why a sample cannot have been taken within a call, if so. `elapsed` is the parent's time around it.
pub(super) fn overlong(sample: &Sample, elapsed: Duration) -> Option<String> {
    let took = Duration::from_nanos(sample.nanoseconds);
    match sample.nanoseconds {
        0 => Some("it took no time at all".to_owned()),
        _ if took > elapsed => Some(format!("it says it took {took:?}, the call took {elapsed:?}")),
        _ => None,
    }
}

/// Why these samples cannot be what the test took, if so. `elapsed` is the parent's time around the call.
pub(super) fn impossible(
    test: Test,
    sequences: usize,
    samples: &[Sample],
    elapsed: Duration,
) -> Option<String> {
    if samples.is_empty() {
        return Some("it sent no samples".to_owned());
    }
    let total = samples.iter().fold(0_u64, |sum, sample| sum.saturating_add(sample.nanoseconds));
    if u128::from(total) > elapsed.as_nanos() {
        let total = Duration::from_nanos(total);
        return Some(format!("its samples add up to {total:?}, the call took {elapsed:?}"));
    }
    let due = match test {
        Test::Prefill { tokens, .. }
        | Test::Generate { tokens, .. }
        | Test::FirstToken { tokens, .. } => (tokens * sequences) as u64,
        _ => 1,
    };
    samples.iter().enumerate().find_map(|(i, sample)| {
        let end = |sample: &Sample| sample.started_ns.saturating_add(sample.nanoseconds);
        let before = i.checked_sub(1).map_or(0, |before| end(&samples[before]));
        let ordered = sample.emits_ns.is_sorted()
            && sample.emits_ns.last().is_none_or(|&last| last <= sample.nanoseconds);
        let flaw = if sample.nanoseconds == 0 {
            "took no time at all".to_owned()
        } else if sample.tokens != due {
            format!("counts {} tokens, expected {due}", sample.tokens)
        } else if sample.started_ns < before {
            "began before the one before it ended".to_owned()
        } else if !ordered || sample.emits_ns.len() as u64 > due {
            "has emit stamps that do not fit into it".to_owned()
        } else {
            return None;
        };
        Some(format!("sample {i} {flaw}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(started_ns: u64, nanoseconds: u64, tokens: u64, emits_ns: &[u64]) -> Sample {
        Sample {
            started_ns,
            nanoseconds,
            tokens,
            cpu_ns: None,
            emits_ns: emits_ns.to_vec(),
            marks: Vec::new(),
        }
    }

    #[test]
    fn only_the_note_of_the_scheme_says_that_weights_were_rounded() {
        let note = |name: &str, value: &str| {
            BTreeMap::from([(name.to_owned(), Known::Value(value.to_owned()))])
        };
        assert_eq!(weights_run(&note(WeightScheme::NOTE, "int4-g128")), "int4-g128");
        assert_eq!(weights_run(&note("weights", "copied from the mapped file")), FILE);
        assert_eq!(weights_run(&BTreeMap::new()), FILE);
    }

    #[test]
    fn several_sequences_are_not_proven_by_one() {
        let asked = |sequences| Options { sequences, ..Options::default() };
        let ran = |sequences| Generated { sequences, ids: Vec::new() };
        assert!(uncovered(&asked(4), &ran(1)).is_some_and(|why| why.contains("verified with 1")));
        assert!(uncovered(&asked(2), &ran(0)).is_some());
        assert_eq!(uncovered(&asked(4), &ran(2)), None);
        assert_eq!(uncovered(&asked(1), &ran(1)), None);
    }

    #[test]
    fn samples_that_cannot_be_true_are_not_believed() {
        let test = Test::Generate { tokens: 2, depth: 0 };
        let good = || vec![sample(10, 100, 2, &[50, 100]), sample(120, 90, 2, &[40, 80])];
        let elapsed = Duration::from_nanos(200);
        assert_eq!(impossible(test, 1, &good(), elapsed), None);
        type Spoil = fn(&mut Vec<Sample>);
        let table: [(&str, Spoil); 7] = [
            ("no samples", |samples| samples.clear()),
            ("add up to", |samples| samples[1].nanoseconds = 101),
            ("no time at all", |samples| samples[0].nanoseconds = 0),
            ("counts 3 tokens, expected 2", |samples| samples[1].tokens = 3),
            ("began before", |samples| samples[1].started_ns = 100),
            ("emit stamps", |samples| samples[0].emits_ns = vec![60, 50]),
            ("emit stamps", |samples| samples[0].emits_ns = vec![60, 101]),
        ];
        for (why, spoil) in table {
            let mut samples = good();
            spoil(&mut samples);
            let flaw = impossible(test, 1, &samples, elapsed).unwrap_or_default();
            assert!(flaw.contains(why), "expected {why:?}, found {flaw:?}");
        }
        assert!(impossible(test, 2, &good(), elapsed).is_some(), "tokens of one sequence only");
    }
}
