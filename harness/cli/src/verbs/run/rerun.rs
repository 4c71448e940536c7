//! The command line that measures a cell again, with those it took turns with.

use yardstick_measure::plan::ModelRequest;
use yardstick_measure::quality::Asked;
use yardstick_measure::workload;
use yardstick_record::{Cell, Pairing, Test};

use crate::args::Run;
use crate::words::quoted;

/// For a POSIX shell. Programs are repeated as they were given; `yardstick rerun` asks for them anew.
pub(crate) fn line(
    flags: &Run,
    (asked, on): (&Asked, &workload::Asked),
    cell: &Cell,
    model: &ModelRequest,
    pairing: Option<&Pairing>,
) -> String {
    let verb = match flags.soak {
        None => "yardstick run".to_owned(),
        Some(plan) => {
            // As it was asked for: a minute is no power of two of seconds.
            let minutes = (plan.time.as_secs_f64() / 60.0 * 1e6).round() / 1e6;
            format!("yardstick soak --minutes {minutes} --rest {}", plan.rest.as_secs())
        }
    };
    let mut words = vec![
        verb,
        format!("--devices {}", quoted(&devices(cell, pairing))),
        format!("--model {}", quoted(&model.argument())),
        format!("--test {}", cell.test),
    ];
    let options = &cell.options;
    if let Some(threads) = options.threads {
        words.push(format!("--threads {threads}"));
    }
    if flags.soak.is_some() {
        words.extend(programs(flags, cell, pairing));
        return words.join(" ");
    }
    if let Some(context) = options.context {
        words.push(format!("--context {context}"));
    }
    words.push(format!("--kv {}", options.kv.name()));
    words.push(format!("--sequences {} --chunk {}", options.sequences, options.chunk));
    if let Some(numerics) = options.numerics {
        words.push(format!("--numerics {}", format!("{numerics:?}").to_lowercase()));
    }
    if let Some(weights) = options.weights {
        words.push(format!("--weights {}", weights.name()));
    }
    words.extend(quality(asked, cell.test));
    let keys = on.keys(cell.test);
    words.extend(keys.map(|keys| format!("--workload {}", quoted(&keys))));
    words.extend(programs(flags, cell, pairing));
    match pairing {
        _ if flags.noise => words.push("--noise".to_owned()),
        Some(_) => words.push("--paired".to_owned()),
        None => {}
    }
    words.join(" ")
}

/// Those that took turns, each once: a member is a device's id, and a build's label where builds differ.
fn devices(cell: &Cell, pairing: Option<&Pairing>) -> String {
    let mut devices: Vec<&str> = Vec::new();
    for member in pairing.map_or(&[][..], |pairing| &pairing.members) {
        let device = member.split(' ').next().unwrap_or(member);
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    if devices.is_empty() { cell.device.clone() } else { devices.join(",") }
}

/// The builds and programs that the cell, or its pair, needs.
fn programs(flags: &Run, cell: &Cell, pairing: Option<&Pairing>) -> Vec<String> {
    let name = |text: &str| text.split('=').next().unwrap_or(text).to_owned();
    let build = |text: &&String| pairing.is_some() || cell.build == Some(name(text));
    let devices = devices(cell, pairing);
    let heads: Vec<&str> = devices.split(',').filter_map(|id| id.split(':').next()).collect();
    let worker = |text: &&String| heads.contains(&name(text).as_str());
    let builds =
        flags.programs.build.iter().filter(build).map(|b| format!("--build {}", quoted(b)));
    let workers = flags.programs.worker.iter().filter(worker);
    builds.chain(workers.map(|worker| format!("--worker {}", quoted(worker)))).collect()
}

/// What a test of quality was asked on, whether flags or a suite said it.
fn quality(asked: &Asked, test: Test) -> Vec<String> {
    let number = |n: Option<u32>| n.map(|n| n.to_string());
    let most_tokens = ("most-tokens", number(asked.most_tokens));
    let of_text = [("text", asked.text.clone()), ("windows", number(asked.windows))];
    let mut given = match test {
        Test::Choice => vec![("choice", asked.choice.clone())],
        Test::Generation => vec![("generation", asked.generation.clone()), most_tokens],
        Test::Prompts => vec![("prompts", asked.prompts.clone()), most_tokens],
        _ if test.is_quality() => of_text.to_vec(),
        _ => return Vec::new(),
    };
    if test.has_reference() {
        given.push(("reference", asked.reference.clone()));
    }
    let words =
        given.into_iter().filter_map(|(flag, value)| Some(format!("--{flag} {}", quoted(&value?))));
    words.chain(asked.insist.then(|| "--insist".to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_of_quality_is_repeated_on_what_its_suite_said() {
        let asked = Asked {
            text: Some("my text.txt".into()),
            prompts: Some("p.jsonl".into()),
            reference: Some("F16".into()),
            windows: Some(32),
            most_tokens: Some(64),
            ..Asked::default()
        };
        let line = |test: &str| quality(&asked, test.parse().unwrap()).join(" ");
        assert_eq!(line("ppl"), "--text 'my text.txt' --windows 32");
        assert_eq!(line("kld"), "--text 'my text.txt' --windows 32 --reference F16");
        assert_eq!(line("prompts"), "--prompts p.jsonl --most-tokens 64");
        assert_eq!(line("tg64"), "");
    }
}
