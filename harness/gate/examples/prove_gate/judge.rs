//! Trials held against what the gate should have said.

use std::process::ExitCode;

use crate::case::{Case, Wanted};
use crate::log::{self, Trial};

/// How trials of one case came out.
#[derive(Default)]
struct Count {
    right: usize,
    /// Neither: it says so, and no change is let in or kept out by mistake.
    inconclusive: usize,
    wrong: usize,
}

impl Count {
    fn add(&mut self, wanted: Wanted, outcome: &str) {
        let count = match (wanted, outcome) {
            (_, "inconclusive") => &mut self.inconclusive,
            (Wanted::NoAlarm, "slower") | (Wanted::Alarm, "passed") => &mut self.wrong,
            _ => &mut self.right,
        };
        *count += 1;
    }
}

/// Says for every case how many verdicts are right, and fails where more than `most` are wrong.
pub(crate) fn run(most: &str, logs: &[&str]) -> Result<ExitCode, String> {
    let most: usize = most.parse().map_err(|_| format!("{most}: expected a number"))?;
    let trials = log::read(logs)?;
    let mut names: Vec<&str> = trials.iter().map(|trial| trial.case.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut all = Count::default();
    for name in names {
        let wanted = Case::of(name)?.wanted();
        let own: Vec<&Trial> = trials.iter().filter(|trial| trial.case == name).collect();
        let mut count = Count::default();
        own.iter().for_each(|trial| count.add(wanted, &trial.outcome));
        let Count { right, inconclusive, wrong } = count;
        let seconds: f64 = own.iter().map(|trial| trial.seconds).sum();
        println!(
            "{name}: {right} right, {inconclusive} inconclusive, {wrong} wrong, in {seconds:.0} s"
        );
        all.right += right;
        all.inconclusive += inconclusive;
        all.wrong += wrong;
    }
    Ok(match () {
        () if all.wrong > most => {
            println!("{} verdicts are wrong, at most {most} may be", all.wrong);
            ExitCode::from(1)
        }
        () if all.right <= all.inconclusive => {
            println!(
                "skipped: this machine is too busy for most verdicts, so that they show nothing"
            );
            ExitCode::from(3)
        }
        () => ExitCode::SUCCESS,
    })
}
