//! `yardstick soak`: decode for minutes, and what becomes of speed, clocks, temperature and power. A run like others, of one
//! test without a pause.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use yardstick_measure::runner::SoakPlan;
use yardstick_record::Test;

use crate::args::{Run, Soak};
use crate::paths::Paths;
use crate::verbs;

/// A day, in minutes.
const MOST_MINUTES: f64 = 1440.0;
/// An hour, in seconds.
const MOST_REST: u64 = 3600;

/// Runs it.
pub(crate) fn run(paths: &Paths, args: &Soak) -> Result<u8> {
    verbs::run::run(paths, &as_run(args)?)
}

/// The run that it is.
pub(crate) fn as_run(args: &Soak) -> Result<Run> {
    let test: Test = args.test.parse().context("--test")?;
    if !matches!(test, Test::Generate { .. }) {
        bail!("--test {test}: a soak decodes; tgN, with @dN for a depth");
    }
    if !(args.minutes > 0.0 && args.minutes <= MOST_MINUTES) {
        bail!("--minutes {}: expected more than 0 and at most {MOST_MINUTES}", args.minutes);
    }
    if args.rest > MOST_REST {
        bail!("--rest {}: expected at most {MOST_REST} seconds", args.rest);
    }
    let plan = SoakPlan {
        time: Duration::from_secs_f64(args.minutes * 60.0),
        rest: Duration::from_secs(args.rest),
    };
    Ok(Run {
        model: args.model.clone(),
        devices: args.devices.clone(),
        test: Some(args.test.clone()),
        threads: args.threads.clone(),
        launches: Some(1),
        json: args.json,
        html: args.html.clone(),
        programs: args.programs.clone(),
        metering: args.metering.clone(),
        soak: Some(plan),
        ..Run::default()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Verb};

    fn parsed(flags: &str) -> Result<Run> {
        let words = format!("yardstick soak -m tiny:Q4_0 {flags}");
        match Args::try_parse_from(words.split_whitespace())?.verb {
            Some(Verb::Soak(soak)) => as_run(&soak),
            _ => bail!("no soak"),
        }
    }

    #[test]
    fn a_soak_is_a_run_of_one_launch_that_decodes() {
        let run = parsed("--minutes 0.5 --rest 7 -t tg8@d16").unwrap();
        let plan = SoakPlan { time: Duration::from_secs(30), rest: Duration::from_secs(7) };
        assert_eq!((run.soak, run.launches), (Some(plan), Some(1)));
        for (flags, why) in [
            ("-t pp8", "a soak decodes"),
            ("--minutes 0", "more than 0"),
            ("--minutes nan", "more than 0"),
            ("--minutes 9999", "at most 1440"),
            ("--rest 99999", "at most 3600"),
        ] {
            let error = parsed(flags).err().unwrap().to_string();
            assert!(error.contains(why), "{flags}: {error}");
        }
    }
}
