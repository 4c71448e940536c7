//! `yardstick rerun`: a stored record's cell, measured again.

use anyhow::{Context, Result, bail};
use clap::Parser;
use yardstick_record::Record;

use crate::args::{Args, Metering, Programs, Rerun, Run, Verb};
use crate::console;
use crate::output;
use crate::paths::Paths;
use crate::verbs::{self, DONE, soak};
use crate::words;

/// Finds the record by the beginning of its id and runs its cell.
pub(crate) fn run(paths: &Paths, args: &Rerun) -> Result<u8> {
    let record = output::open(&paths.store)?.record(&args.record)?;
    if let Some(origin) = &record.origin {
        bail!(
            "record {} was imported from {}: measure it again with that program",
            record.id,
            origin.format
        );
    }
    if args.print {
        console::say(&record.rerun)?;
        return Ok(DONE);
    }
    console::tell(&record.rerun);
    let words = words(&record)?;
    let run = parse(&record, &words, &args.programs)?;
    verbs::run::run_as(paths, &run, stored(words, &args.programs))
}

/// The flags of the record's own command line. It is split like a shell would, but never given to one.
fn words(record: &Record) -> Result<Vec<String>> {
    words::split(&record.rerun)
        .with_context(|| format!("record {}: its command has an open quote", record.id))
}

fn parse(record: &Record, words: &[String], programs: &Programs) -> Result<Run> {
    let args = Args::try_parse_from(words)
        .with_context(|| format!("record {}: its command is not understood", record.id))?;
    let run = match args.verb {
        Some(Verb::Run(run)) => *run,
        Some(Verb::Soak(soak)) => soak::as_run(&soak)?,
        _ => bail!("record {}: its command is not a run: {}", record.id, record.rerun),
    };
    // A record may come from anyone: it says what to measure, never where to write or what to start.
    check(record, &run.programs, programs)?;
    let test_doubles = run.programs.test_doubles || programs.test_doubles;
    let programs = Programs { test_doubles, ..programs.clone() };
    Ok(Run { html: None, resume: None, programs, metering: Metering::default(), ..run })
}

/// Programs are named by who runs them now: the record's are only asked for.
fn check(record: &Record, recorded: &Programs, given: &Programs) -> Result<()> {
    let lacks = |flag: &str, recorded: &[String], given: &[String]| {
        let name = |text: &str| text.split('=').next().unwrap_or(text).to_owned();
        let known = |text: &&String| given.iter().any(|other| name(other) == name(text));
        let text = recorded.iter().find(|text| !known(text))?;
        Some(format!("{flag} {}", words::quoted(text)))
    };
    let missing = lacks("--build", &recorded.build, &given.build)
        .or_else(|| lacks("--worker", &recorded.worker, &given.worker));
    match missing {
        None => Ok(()),
        Some(flag) => bail!(
            "record {}: it was measured with another program, which a record may not start; if you trust it, add {flag}",
            record.id
        ),
    }
}

/// The record's words with the programs of this command line, for `run --resume`.
fn stored(words: Vec<String>, programs: &Programs) -> Vec<String> {
    let mut stored = Vec::new();
    let mut words = words.into_iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--build" | "--worker" | "--python" | "--meter" | "--meter-offset" => {
                drop(words.next());
            }
            word if word.starts_with("--meter") => {}
            _ => stored.push(word),
        }
    }
    for (flag, list) in [("--build", &programs.build), ("--worker", &programs.worker)] {
        stored.extend(list.iter().flat_map(|text| [flag.to_owned(), text.clone()]));
    }
    stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_rerun_starts_what_its_caller_named() {
        let programs = Programs { build: vec!["a=mine".into()], ..Programs::default() };
        let words = words::split(
            "yardstick run --build a=theirs --worker x=evil --meter y=evil --meter=z=evil -t tg8",
        )
        .unwrap();
        assert_eq!(stored(words, &programs), ["run", "-t", "tg8", "--build", "a=mine"]);
    }
}
