//! `yardstick canary`: a candidate's values, as they come, against a baseline's. Runs nothing and keeps nothing.

mod lines;

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use yardstick_analyse::canary::{Baseline, Canary, Event, Plan, Standing, direction};
use yardstick_record::Direction;
use yardstick_render as render;

use crate::args::Canary as Args;
use crate::verbs::{DONE, FAILED, UNJUDGED};
use crate::{console, output};

use self::lines::{Line, Lines};

/// Reads the baseline whole, then the candidate until it is decided or ends.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let mut plan = plan(args);
    let first = plan.phases.first().copied().unwrap_or_default();
    let untagged = phase_of(&plan, args.phase.unwrap_or(first), "--phase")?;
    let baseline = baseline(&args.baseline)?;
    let known = baseline.values.keys().filter(|m| direction(m) == Some(Direction::Higher));
    plan.higher.extend(known.cloned());
    let mut canary = Canary::new(&plan, &baseline)
        .with_context(|| format!("baseline {}", args.baseline.display()))?;
    follow(&mut canary, &plan, args, untagged)?;
    let text = match args.json {
        true => render::canary_json(&canary),
        false => render::canary(&canary, output::width()),
    };
    io::stdout().lock().write_all(console::harmless(&text).as_bytes())?;
    Ok(match canary.standing() {
        Standing::Continue => DONE,
        Standing::Rollback => FAILED,
        Standing::NeedMore => UNJUDGED,
    })
}

fn plan(args: &Args) -> Plan {
    Plan {
        phases: args.phases.clone(),
        alpha: args.alpha / 100.0,
        floor: args.floor / 100.0,
        caught: args.caught / 100.0,
        quantiles: args.quantiles.iter().map(|percent| percent / 100.0).collect(),
        error_floor: args.error_floor / 100.0,
        error_caught: args.error_caught / 100.0,
        higher: args.higher.clone(),
        ..Plan::default()
    }
}

fn phase_of(plan: &Plan, percent: f64, who: &str) -> Result<usize> {
    let found = plan.phases.iter().position(|phase| *phase == percent);
    found.with_context(|| format!("{who}: phase {percent} is none of {:?}", plan.phases))
}

fn baseline(path: &Path) -> Result<Baseline> {
    ensure!(path != Path::new("-"), "--baseline: standard input is the candidate's; name a file");
    let mut baseline = Baseline::default();
    let mut lines = Lines::open(path)?;
    while let Some(Line { events, .. }) = lines.next()? {
        for event in events {
            match event {
                Event::Value(metric, value) => {
                    baseline.values.entry(metric).or_default().push(value)
                }
                Event::Ended { error } => {
                    baseline.errors.0 += usize::from(error);
                    baseline.errors.1 += 1;
                }
            }
        }
    }
    Ok(baseline)
}

/// Takes lines until one phase rolls back, or the phase of lines that name none is through.
fn follow(canary: &mut Canary, plan: &Plan, args: &Args, untagged: usize) -> Result<()> {
    let mut lines = Lines::open(&args.candidate)?;
    let mut any = false;
    while let Some(Line { events, phase }) = lines.next()? {
        let at = match phase {
            Some(percent) => phase_of(plan, percent, &lines.place())?,
            None => untagged,
        };
        for event in &events {
            canary.observe(at, event).with_context(|| lines.place())?;
            any = true;
        }
        let through = phase.is_none() && canary.phases()[at].standing() == Standing::Continue;
        if through || canary.standing() == Standing::Rollback {
            return Ok(());
        }
    }
    if !any {
        bail!("candidate {}: no values", args.candidate.display());
    }
    Ok(())
}
