//! Settings narrowed to what a change can reach, with some of the rest at random to keep the judgement honest.

use std::fs;

use yardstick_measure::plan::Shuffle;

use super::{Impact, impact};
use crate::{Arm, Error, Program, Settings, Sides, Slices, Source};

/// Tests measured although nothing they run changed.
const AUDIT: usize = 2;

/// Skips kernels that did not change, puts those whose own functions changed first, and says in lines what was done.
pub fn narrow(
    settings: &mut Settings,
    source: &Slices,
    programs: &Sides<Program>,
    seed: u64,
) -> Result<Vec<String>, Error> {
    let (base, candidate) = (&programs.base, &programs.candidate);
    let (old, new) = (source.listed(Arm::Base)?, source.listed(Arm::Candidate)?);
    if same(programs)? {
        let names = new.kernels.iter().map(|kernel| kernel.name.clone());
        return Ok(vec![skip_all(settings, names)]);
    }
    if base.arguments != candidate.arguments {
        return Ok(vec![
            "every kernel is measured: the programs have arguments of their own".to_owned(),
        ]);
    }
    let Impact { same, changed, own } = match impact((&base.file, &old), (&candidate.file, &new)) {
        Ok(impact) => impact,
        Err(why) => return Ok(vec![format!("every kernel is measured: {why}")]),
    };
    let mut notes = told(&changed);
    settings.skip = same;
    settings.first = own.into_iter().collect();
    let mut names: Vec<String> = settings.skip.keys().cloned().collect();
    let wanted = |name: &String| {
        settings.only.is_empty() || settings.only.iter().any(|part| name.contains(part.as_str()))
    };
    names.retain(wanted);
    Shuffle::new(seed).shuffle(&mut names);
    names.truncate(if changed.is_empty() { 0 } else { AUDIT });
    for name in &names {
        settings.skip.remove(name);
    }
    if !names.is_empty() {
        notes.push(format!("measured although unchanged, at random: {}", names.join(", ")));
    }
    Ok(notes)
}

/// Skips every test where both programs are the same; for compiled benches of which nothing else is known.
pub fn unchanged(
    settings: &mut Settings,
    source: &mut dyn Source,
    programs: &Sides<Program>,
) -> Result<Vec<String>, Error> {
    Ok(match same(programs)? {
        true => vec![skip_all(settings, source.tests()?.both.into_iter())],
        false => Vec::new(),
    })
}

/// Whether base and candidate are the same, byte by byte and argument by argument.
fn same(Sides { base, candidate, .. }: &Sides<Program>) -> Result<bool, Error> {
    let read = |program: &Program| {
        fs::read(&program.file).map_err(|error| Error::file(&program.file, error))
    };
    Ok(base.arguments == candidate.arguments
        && (base.file == candidate.file || read(base)? == read(candidate)?))
}

fn skip_all(settings: &mut Settings, names: impl Iterator<Item = String>) -> String {
    let why = "both programs are the same, byte by byte";
    settings.skip = names.map(|name| (name, why.to_owned())).collect();
    format!("nothing in the compiled code changed: {why}")
}

/// Kernels by the functions that changed.
fn told(changed: &std::collections::BTreeMap<String, Vec<String>>) -> Vec<String> {
    if changed.is_empty() {
        return vec!["no function that a kernel runs changed".to_owned()];
    }
    let mut all: Vec<&str> = changed.values().flatten().map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    const SHOWN: usize = 6;
    let more = all.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = all[..all.len().min(SHOWN)].join(", ");
    vec![format!("a change reaches {} kernels, by {shown}{more}", changed.len())]
}
