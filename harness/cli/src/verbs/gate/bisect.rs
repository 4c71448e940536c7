//! `--bisect GOOD..BAD`: the first commit that the gate fails against the good one, in as many comparisons as halvings take.

use anyhow::{Context, Result, bail};
use yardstick_gate::Error;

use super::asked::Asked;
use super::sides::{self, Named};
use super::verdict;
use crate::args::Gate;
use crate::console;
use crate::paths::Paths;
use crate::verbs::INTERRUPTED;

/// What the gate said of a commit.
enum Said {
    /// Its verdict.
    Code(u8),
    /// It does not build or run, and why.
    Unusable(String),
    Interrupted,
}

/// Walks, and prints the commit. 1: found; 0: the bad one does not fail; 3: a step was inconclusive.
pub(super) fn run(paths: &Paths, args: &Gate, range: &str) -> Result<u8> {
    let (good, bad) = range
        .split_once("..")
        .filter(|(good, bad)| !good.is_empty() && !bad.is_empty() && !bad.starts_with('.'))
        .with_context(|| format!("--bisect {range}: expected GOOD..BAD"))?;
    let (commits, titles) = commits(paths, args, good, bad)?;
    let Some(last) = commits.len().checked_sub(1) else {
        bail!("--bisect {range}: no commits after {good} up to {bad}")
    };
    let step = |index: usize| {
        console::tell(format!("{} commits; trying {}", commits.len(), titles[index]));
        ask(paths, args, good, &commits[index])
    };
    match step(last)? {
        Said::Code(1) => {}
        Said::Code(0) => {
            console::say(format!("{bad} does not fail against {good}"))?;
            return Ok(0);
        }
        other => return undecided(other, &titles[last]),
    }
    // Not failing up to `passes`, failing from `fails` on.
    let (mut passes, mut fails, mut unusable) = (None, last, Vec::new());
    while let Some(middle) = between(passes, fails, &unusable) {
        match step(middle)? {
            Said::Code(1) => fails = middle,
            Said::Code(0) => passes = Some(middle),
            Said::Unusable(why) => {
                console::tell(format!("left out: {why}"));
                unusable.push(middle);
            }
            other => return undecided(other, &titles[middle]),
        }
    }
    console::say(format!("first bad commit: {}", titles[fails]))?;
    let first = passes.map_or(0, |passes| passes + 1);
    for title in &titles[first..fails] {
        console::say(format!("or this, which could not be tried: {title}"))?;
    }
    Ok(1)
}

/// Commits and their titles.
fn commits(
    paths: &Paths,
    args: &Gate,
    good: &str,
    bad: &str,
) -> Result<(Vec<String>, Vec<String>)> {
    let here = std::env::current_dir().context("the current folder")?;
    let recipe = Asked::read(args)?.build(paths).recipe;
    let revisions = sides::open(&here, &paths.cache.join("gate"), recipe)?;
    let commits = revisions.between(good, bad)?;
    let titles = commits.iter().map(|commit| revisions.title(commit)).collect();
    Ok((commits, titles))
}

fn ask(paths: &Paths, args: &Gate, good: &str, commit: &str) -> Result<Said> {
    let asked = Named { base: good, candidate: commit, control: None };
    match verdict(paths, args, &asked) {
        Ok(Some(report)) => {
            console::tell(report.headline());
            Ok(Said::Code(report.exit_code))
        }
        Ok(None) => Ok(Said::Interrupted),
        Err(error) => match error.downcast_ref() {
            Some(Error::Side { side: yardstick_gate::Arm::Candidate, .. }) => {
                Ok(Said::Unusable(console::words(&error)))
            }
            _ => Err(error),
        },
    }
}

fn undecided(said: Said, title: &str) -> Result<u8> {
    match said {
        Said::Interrupted => Ok(INTERRUPTED),
        Said::Unusable(why) => bail!("{title}: {why}"),
        Said::Code(code) => {
            console::say(format!("inconclusive at {title}; a larger --budget may decide it"))?;
            Ok(code)
        }
    }
}

/// The commit in the middle of those still open that can be tried.
fn between(passes: Option<usize>, fails: usize, unusable: &[usize]) -> Option<usize> {
    let first = passes.map_or(0, |passes| passes + 1);
    let open: Vec<usize> = (first..fails).filter(|index| !unusable.contains(index)).collect();
    open.get(open.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_finds_every_first_bad_commit_and_goes_around_what_cannot_be_tried() {
        for bad in 0..20 {
            let (mut passes, mut fails, mut steps) = (None, 19, 0);
            while let Some(middle) = between(passes, fails, &[]) {
                if middle >= bad {
                    fails = middle
                } else {
                    passes = Some(middle)
                }
                steps += 1;
            }
            assert_eq!(fails, bad.min(19));
            assert!(steps <= 5);
        }
        assert_eq!(between(None, 2, &[1]), Some(0));
        assert_eq!(between(None, 2, &[0, 1]), None);
    }
}
