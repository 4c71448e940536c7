//! Launches of some tests until each is decided, or time is over.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use yardstick_analyse::gate::{Decision, Launch, Plan, Verdict, decide};

use super::{Progress, Settings, Source};
use crate::Error;

/// What is known of one test.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) test: String,
    /// How it is judged, and how its wall time is.
    plans: (Plan, Plan),
    /// Why it cannot be measured any more.
    pub(super) gone: Option<String>,
    pub(super) launches: Vec<Launch>,
    pub(super) walls: Vec<Launch>,
    pub(super) primary: Option<Decision>,
    pub(super) wall: Option<Decision>,
    /// Time spent on it.
    pub(super) seconds: f64,
    /// Samples a side, over all launches.
    pub(super) rounds: usize,
}

impl Judged {
    fn new(test: &str, plans: (Plan, Plan)) -> Judged {
        Judged {
            test: test.to_owned(),
            plans,
            gone: None,
            launches: Vec::new(),
            walls: Vec::new(),
            primary: None,
            wall: None,
            seconds: 0.0,
            rounds: 0,
        }
    }

    /// The worst of what was decided.
    pub(super) fn verdict(&self) -> Verdict {
        let all = [&self.primary, &self.wall];
        let mut verdicts = all.into_iter().flatten().map(|decision| decision.verdict);
        let has = |wanted| verdicts.clone().any(|verdict| verdict == wanted);
        match () {
            () if self.gone.is_some() => Verdict::Inconclusive,
            () if has(Verdict::Fail) => Verdict::Fail,
            () if self.primary.is_none() || has(Verdict::Continue) => Verdict::Continue,
            () if has(Verdict::Inconclusive) => Verdict::Inconclusive,
            () => verdicts.next().unwrap_or(Verdict::Continue),
        }
    }

    fn decide(&mut self) -> Result<(), Error> {
        let (primary, wall) = &self.plans;
        self.primary = Some(decide(primary, &self.launches)?);
        self.wall = match self.walls.is_empty() {
            true => None,
            false => Some(decide(wall, &self.walls)?),
        };
        Ok(())
    }
}

/// What a batch is run with.
pub(super) struct Batch<'a> {
    pub(super) settings: &'a Settings,
    /// Hypotheses that share the error budget.
    pub(super) share: usize,
    /// Of a test in a launch.
    pub(super) seconds: f64,
    pub(super) until: Instant,
}

impl Batch<'_> {
    /// Runs them all; those not decided in time are inconclusive.
    pub(super) fn run(
        &self,
        source: &mut dyn Source,
        tests: &[String],
        told: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Judged>, Error> {
        let mut all: Vec<Judged> =
            tests.iter().map(|test| Judged::new(test, self.plans(&*source, test))).collect();
        let mut number = 0;
        let mut longest = Duration::ZERO;
        loop {
            let open: Vec<usize> =
                (0..all.len()).filter(|&i| all[i].verdict() == Verdict::Continue).collect();
            if open.is_empty() || Instant::now() + longest.mul_f64(0.5) > self.until {
                break;
            }
            if self.settings.cancel.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let start = Instant::now();
            self.launch(source, &mut all, &open)?;
            longest = longest.max(start.elapsed());
            number += 1;
            told(Progress::Launch { number, left: open.len() });
        }
        for judged in &mut all {
            judged.decide()?;
            let over = |decision: Decision| decision.over("the time budget is spent");
            judged.primary = judged.primary.take().map(over);
            judged.wall = judged.wall.take().map(over);
        }
        Ok(all)
    }

    fn launch(
        &self,
        source: &mut dyn Source,
        all: &mut [Judged],
        open: &[usize],
    ) -> Result<(), Error> {
        let tests: Vec<String> = open.iter().map(|&index| all[index].test.clone()).collect();
        source.launch(&tests, self.seconds, &mut |index, measured| {
            let judged = &mut all[open[index]];
            judged.launches.push(measured.primary);
            judged.walls.extend(measured.wall);
            judged.seconds += measured.seconds;
            judged.rounds += measured.rounds;
        })?;
        for (test, why) in source.gone() {
            if let Some(judged) = all.iter_mut().find(|judged| judged.test == test) {
                judged.gone = Some(why);
            }
        }
        open.iter().try_for_each(|&index| all[index].decide())
    }

    fn plans(&self, source: &dyn Source, test: &str) -> (Plan, Plan) {
        let primary = source.plan(test).unwrap_or_else(|| self.settings.primary.clone());
        (primary.shared_by(self.share), self.settings.wall.shared_by(self.share))
    }
}
