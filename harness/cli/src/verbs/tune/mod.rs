//! `yardstick tune`: formats and settings of a model on one device against a profile, measured round by round, and the winning flags.

mod flags;
mod rounds;
mod variants;

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use yardstick_analyse::recommend::{Needs, Outcome, What};
use yardstick_analyse::tune::{Space, Tuned, Winner, winner};
use yardstick_measure::builtin::PROFILES;
use yardstick_measure::needs::{self, Search};
use yardstick_measure::suite::{
    parse_automatic, parse_counts, parse_kv, parse_numerics, parse_tests,
};
use yardstick_record::Test;
use yardstick_render as render;

use self::rounds::Rounds;
use self::variants::Variant;
use crate::args::Tune;
use crate::paths::Paths;
use crate::verbs::{DONE, FAILED, INTERRUPTED, UNJUDGED};
use crate::{console, models, output};

/// A day.
const MOST_MINUTES: f64 = 1440.0;
/// Models that are varied after screening.
const AHEAD: usize = 3;
/// A model that misses a need by more than this share in screening is left, where another is not: two launches are no proof of less.
const ALLOWANCE: f64 = 0.25;

/// Screens, varies, confirms, and says what won.
pub(crate) fn run(paths: &Paths, args: &Tune) -> Result<u8> {
    if !(args.minutes > 0.0 && args.minutes <= MOST_MINUTES) {
        bail!("--minutes {}: expected more than 0 and at most {MOST_MINUTES}", args.minutes);
    }
    let (needs, search) = profile(args)?;
    let space = space(&search);
    let tests = tests(&needs, args)?;
    let asked = args.quality.reference.as_deref();
    let reference = variants::reference(paths, asked, &args.model)?;
    let known = variants::variants(paths, &args.model, &search.quantisations)?;
    let time = Duration::from_secs_f64(60.0 * args.minutes);
    let mut rounds = Rounds::new(paths, args, &needs, &space, tests, reference, time);
    let (known, finalists) = search_all(paths, &mut rounds, known, &search.prune)?;
    let (all, standings) = (rounds.standings()?, rounds.last()?);
    let best = winner(&standings, &finalists, &space);
    let lines = best.as_ref().map(|best| lines(paths, &known, best, &needs, args));
    let interrupted = rounds.interrupted;
    let (rounds, left_out) = rounds.done();
    let device = args.device.clone();
    let tuned = Tuned { device, rounds, left_out, standings, all, finalists, winner: best };
    say(&tuned, lines.transpose()?.unwrap_or_default(), args.json)?;
    Ok(match tuned.winner.map(|best| best.outcome) {
        _ if interrupted => INTERRUPTED,
        Some(Outcome::Meets) => DONE,
        Some(Outcome::Open) => UNJUDGED,
        Some(Outcome::Misses | Outcome::Barred) | None => FAILED,
    })
}

/// The three rounds, as far as time and Ctrl-C let them; every variant that was tried, and the finalists.
fn search_all(
    paths: &Paths,
    rounds: &mut Rounds<'_>,
    mut known: Vec<Variant>,
    shares: &[f64],
) -> Result<(Vec<Variant>, Vec<yardstick_analyse::tune::Point>)> {
    let space = rounds.space;
    let starts: Vec<_> = known.iter().map(|variant| space.start(&variant.name)).collect();
    rounds.screen(&known, &starts)?;
    let ahead = rounds.standings()?.models(AHEAD, ALLOWANCE);
    if ahead.is_empty() {
        return Ok((known, starts));
    }
    let mut points: Vec<_> =
        ahead.iter().flat_map(|name| space.neighbours(&space.start(name))).collect();
    for &share in shares {
        for name in &ahead {
            let of = known.iter().find(|variant| variant.name == *name).cloned();
            match of.map(|of| variants::pruned(paths, &of, share)) {
                Some(Ok(variant)) => {
                    points.push(space.start(&variant.name));
                    known.push(variant);
                }
                Some(Err(error)) => rounds.leave_out(format!("{name} pruned: {error:#}")),
                None => {}
            }
        }
    }
    rounds.vary(&known, points)?;
    let standings = rounds.standings()?;
    let finalists = standings.finalists(&standings.models(AHEAD, ALLOWANCE), space);
    let finalists = rounds.confirm(&known, finalists)?;
    Ok((known, finalists))
}

/// The winner's command lines.
fn lines(
    paths: &Paths,
    known: &[Variant],
    best: &Winner,
    needs: &Needs,
    args: &Tune,
) -> Result<Vec<flags::Line>> {
    let of = known.iter().find(|variant| variant.name == best.point.model);
    let variant = of.context("the winner is no variant that was tried")?;
    let file = models::path(paths, &variant.argument)?.display().to_string();
    Ok(flags::lines(&best.point, variant, &args.device, &file, &needs.workload))
}

fn say(tuned: &Tuned, lines: Vec<flags::Line>, json: bool) -> Result<()> {
    let text = match json {
        true => render::tune_json(tuned, &lines),
        false => console::harmless(&render::tune(tuned, &lines, output::width())),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// A built-in profile, or a file of needs; flags replace its lists.
fn profile(args: &Tune) -> Result<(Needs, Search)> {
    let built_in = PROFILES.iter().find(|(name, _)| *name == args.profile);
    let (needs, mut search) = match built_in {
        Some((name, text)) => needs::parse_profile(&format!("{name} (built in)"), text)?,
        None => {
            let text = std::fs::read_to_string(&args.profile).with_context(|| {
                let known: Vec<&str> = PROFILES.iter().map(|(name, _)| *name).collect();
                format!(
                    "--profile {:?} is neither built in ({}) nor a file that can be read",
                    args.profile,
                    known.join(", ")
                )
            })?;
            needs::parse_profile(&args.profile, &text)?
        }
    };
    if !args.quantisations.is_empty() {
        search.quantisations.clone_from(&args.quantisations);
    }
    if let Some(text) = &args.threads {
        search.threads = parse_automatic(text).context("--threads")?;
    }
    if let Some(text) = &args.kv {
        search.kv = parse_kv(text).context("--kv")?;
    }
    if let Some(text) = &args.numerics {
        search.numerics = parse_numerics(text).context("--numerics")?;
    }
    if let Some(text) = &args.sequences {
        search.sequences = parse_counts(text).context("--sequences")?;
    }
    if !args.prune.is_empty() {
        search.prune.clone_from(&args.prune);
    }
    if let Some(share) = search.prune.iter().find(|share| !(0.01..=0.9).contains(*share)) {
        bail!("--prune {share}: expected a share from 0.01 to 0.9");
    }
    Ok((needs, search))
}

/// What varies; a list that nobody gave holds the usual value alone, but threads: all cores, then half of them, down to one.
fn space(search: &Search) -> Space {
    fn or<T: Clone>(list: &[T], usual: Vec<T>) -> Vec<T> {
        if list.is_empty() { usual } else { list.to_vec() }
    }
    let halves = std::iter::successors(Some(models::cores()), |n| (*n > 1).then_some(n / 2));
    let usual = yardstick_api::Options::default();
    Space {
        threads: or(&search.threads, halves.map(Some).collect()),
        kv: or(&search.kv, vec![usual.kv]),
        numerics: or(&search.numerics, vec![usual.numerics]),
        sequences: or(&search.sequences, vec![usual.sequences]),
    }
}

/// The tests that tell what the needs ask, and decode always.
fn tests(needs: &Needs, args: &Tune) -> Result<Vec<Test>> {
    let asked = |what: What| {
        needs.rank_by == Some(what) || needs.requirements.iter().any(|one| one.what == what)
    };
    let mut names = vec![match needs.workload.depth {
        0 => "tg32".to_owned(),
        depth => format!("tg32@d{depth}"),
    }];
    if asked(What::TtftMs) && needs.workload.prompt_tokens >= 1.0 {
        names.push(format!("ttft{}", needs.workload.prompt_tokens));
    }
    if asked(What::PrefillTokensPerSecond) {
        names.push("pp512".to_owned());
    }
    if asked(What::KldMean) {
        names.push("kld".to_owned());
    }
    if asked(What::PerplexityRatio) {
        names.push("ppl".to_owned());
    }
    for (what, test, file) in [
        (What::Accuracy, "choice", &args.quality.choice),
        (What::LatencyP95Ms, "prompts", &args.quality.prompts),
    ] {
        match (asked(what), file) {
            (true, None) => bail!("{} is asked: name a file by --{test}", what.name()),
            (true, Some(_)) => names.push(test.to_owned()),
            (false, _) => {}
        }
    }
    parse_tests(&names.join(",")).context("the profile's tests")
}
