//! `yardstick rerun`: a stored record's cell, measured again.

use anyhow::{Context, Result, bail};
use clap::Parser;
use yardstick_record::Record;

use crate::args::{Args, Rerun, Run, Verb};
use crate::console;
use crate::output;
use crate::paths::Paths;
use crate::verbs::{self, DONE};

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
    let run = parse(&record, &words)?;
    verbs::run::run_as(paths, &run, words.into_iter().skip(1).collect())
}

/// The flags of the record's own command line. It is split like a shell would, but never given to one.
fn words(record: &Record) -> Result<Vec<String>> {
    split(&record.rerun)
        .with_context(|| format!("record {}: its command has an open quote", record.id))
}

fn parse(record: &Record, words: &[String]) -> Result<Run> {
    let args = Args::try_parse_from(words)
        .with_context(|| format!("record {}: its command is not understood", record.id))?;
    match args.verb {
        // A record may come from anyone: it says what to measure, never where to write.
        Some(Verb::Run(run)) => Ok(Run { html: None, resume: None, ..run }),
        _ => bail!("record {}: its command is not a run: {}", record.id, record.rerun),
    }
}

/// Words of a command line; single quotes keep spaces, `\'` is a quote.
fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut open, mut begun) = (Vec::new(), String::new(), false, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => (open, begun) = (!open, true),
            '\\' if !open => {
                word.push(chars.next()?);
                begun = true;
            }
            ' ' if !open => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    (!open).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let words = split(r"run --model 'a b' 'it'\''s' ''  x").unwrap();
        assert_eq!(words, ["run", "--model", "a b", "it's", "", "x"]);
        assert_eq!(split("a 'b"), None);
    }
}
