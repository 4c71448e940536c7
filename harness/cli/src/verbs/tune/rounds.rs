//! Rounds of a search: each is a run of its own, whose records are stored like any other's.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use yardstick_analyse::recommend::Needs;
use yardstick_analyse::tune::{Point, Round, Space, Standings, numerics_name};
use yardstick_analyse::{Comparison, interference};
use yardstick_api::{KvType, Numerics, Options};
use yardstick_record::{Record, Test};

use super::variants::Variant;
use crate::args::{Run, Tune};
use crate::paths::Paths;
use crate::verbs::run;
use crate::{console, output};

/// The worlds that a decision is tried in are always the same.
const SEED: u64 = 1;
/// Of the time left after screening, what settings may take.
const VARYING: f64 = 0.5;
/// Launches of each model in screening, in shuffled order: one that met a busy moment is not passed over for it alone.
const SCREENING: u32 = 2;
/// Fewer launches tell no interval.
const LEAST_LAUNCHES: u32 = 3;

/// What has been measured, and what is left of the time.
pub(super) struct Rounds<'a> {
    paths: &'a Paths,
    args: &'a Tune,
    needs: &'a Needs,
    pub(super) space: &'a Space,
    tests: Vec<Test>,
    reference: String,
    time: Duration,
    begun: Instant,
    done: Vec<Round>,
    left_out: Vec<String>,
    /// Weights, keys and values, and arithmetic whose quality was asked for: threads do not change it.
    scored: HashSet<(String, KvType, Option<Numerics>)>,
    /// Ctrl-C was pressed.
    pub(super) interrupted: bool,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(
        paths: &'a Paths,
        args: &'a Tune,
        needs: &'a Needs,
        space: &'a Space,
        tests: Vec<Test>,
        reference: String,
        time: Duration,
    ) -> Rounds<'a> {
        Rounds {
            paths,
            args,
            needs,
            space,
            tests,
            reference,
            time,
            begun: Instant::now(),
            done: Vec::new(),
            left_out: Vec::new(),
            scored: HashSet::new(),
            interrupted: false,
        }
    }

    /// Every model where the search starts.
    pub(super) fn screen(&mut self, known: &[Variant], points: &[Point]) -> Result<()> {
        self.round("screening", known, points, SCREENING)
    }

    /// As many as half of the time that is left takes.
    pub(super) fn vary(&mut self, known: &[Variant], mut points: Vec<Point>) -> Result<()> {
        let fit = (self.left().as_secs_f64() * VARYING / self.seconds_a_launch()) as usize;
        for point in points.drain(fit.min(points.len())..) {
            self.left_out.push(format!("{}, {}: no time left", point.model, point.words()));
        }
        self.round("varying", known, &points, 1)
    }

    /// The finalists over several launches, as many as the time allows; those that were measured.
    pub(super) fn confirm(&mut self, known: &[Variant], points: Vec<Point>) -> Result<Vec<Point>> {
        let each = self.seconds_a_launch() * points.len().max(1) as f64;
        let fit = (self.left().as_secs_f64() / each) as u32;
        let launches = fit.clamp(LEAST_LAUNCHES, self.args.launches.max(LEAST_LAUNCHES));
        if launches < self.args.launches {
            self.left_out.push(format!(
                "{} launches of each finalist in place of {}: no time left",
                launches, self.args.launches
            ));
        }
        self.round("confirming", known, &points, launches)?;
        Ok(points)
    }

    /// Something that could not be tried.
    pub(super) fn leave_out(&mut self, what: String) {
        self.left_out.push(what);
    }

    /// Everything measured so far, judged.
    pub(super) fn standings(&self) -> Result<Standings> {
        let records = self.records()?;
        Ok(Standings::of(&Comparison::of(&records), self.needs, SEED))
    }

    /// The last round judged, by launches that took turns: those of earlier rounds met another moment of the machine. Quality does not
    /// hang on the moment.
    pub(super) fn last(&self) -> Result<Standings> {
        let mut records = self.records()?;
        let last = self.done.last().map(|round| round.run.as_str());
        records
            .retain(|record| record.cell.test.is_quality() || Some(record.run.id.as_str()) == last);
        Ok(Standings::of(&Comparison::of(&records), self.needs, SEED))
    }

    fn records(&self) -> Result<Vec<Record>> {
        let runs: Vec<String> = self.done.iter().map(|round| round.run.clone()).collect();
        match runs.as_slice() {
            [] => Ok(Vec::new()),
            runs => output::records(&output::open(&self.paths.store)?, runs),
        }
    }

    /// The rounds and what was left out.
    pub(super) fn done(self) -> (Vec<Round>, Vec<String>) {
        (self.done, self.left_out)
    }

    fn left(&self) -> Duration {
        self.time.saturating_sub(self.begun.elapsed())
    }

    /// What a launch took so far, on average.
    fn seconds_a_launch(&self) -> f64 {
        let launches: f64 =
            self.done.iter().map(|round| (round.points as u32 * round.launches) as f64).sum();
        let seconds: f64 = self.done.iter().map(|round| round.seconds).sum();
        (seconds / launches.max(1.0)).max(0.1)
    }

    fn round(
        &mut self,
        name: &str,
        known: &[Variant],
        points: &[Point],
        launches: u32,
    ) -> Result<()> {
        if self.interrupted {
            // What was measured is shown, and that it was to be measured better is told beside it.
            self.left_out.push(format!("{name}: interrupted before it"));
            return Ok(());
        }
        if points.is_empty() {
            return Ok(());
        }
        console::tell(format!("{name}: {} settings × {launches} launches", points.len()));
        let scoring = self.unscored(points);
        let keep = |model: &str, options: &Options, test: Test| {
            let point = Point::new(model, options);
            let wanted = !test.is_quality() || scoring.contains(&point);
            wanted && points.contains(&point)
        };
        let begun = Instant::now();
        let (id, done) = run::part(self.paths, &self.request(known, points, launches), &keep)?;
        self.interrupted |= done.summary.interrupted;
        let ran = std::slice::from_ref(&id);
        let records = output::records(&output::open(&self.paths.store)?, ran)?;
        let (marked, samples) = interference(&records)
            .iter()
            .fold((0, 0), |(marked, all), one| (marked + one.marked, all + one.samples));
        self.done.push(Round {
            name: name.to_owned(),
            run: id,
            points: points.len(),
            launches,
            seconds: begun.elapsed().as_secs_f64(),
            disturbed: marked as f64 / samples.max(1) as f64,
        });
        Ok(())
    }

    /// Those of the points that tell a quality nobody has measured yet.
    fn unscored(&mut self, points: &[Point]) -> Vec<Point> {
        let new = points
            .iter()
            .filter(|point| self.scored.insert((point.model.clone(), point.kv, point.numerics)));
        new.cloned().collect()
    }

    /// Lists whose product has every point in it.
    fn request(&self, known: &[Variant], points: &[Point], launches: u32) -> Run {
        fn each<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
            values.fold(Vec::new(), |mut seen, value| {
                if !seen.contains(&value) {
                    seen.push(value);
                }
                seen
            })
        }
        fn list(words: Vec<String>) -> Option<String> {
            Some(words.join(","))
        }
        let models = known.iter().filter(|v| points.iter().any(|point| point.model == v.name));
        let number = |n: Option<usize>| n.map_or("auto".to_owned(), |n| n.to_string());
        let numerics = |class: Option<Numerics>| class.map_or("auto", numerics_name).to_owned();
        let mut quality = self.args.quality.clone();
        quality.reference = Some(self.reference.clone());
        let tests: Vec<String> = self.tests.iter().map(Test::to_string).collect();
        Run {
            suite: Some("tune".to_owned()),
            model: models.map(|variant| variant.argument.clone()).collect(),
            devices: vec![self.args.device.clone()],
            test: list(tests),
            threads: list(each(points.iter().map(|point| number(point.threads)))),
            kv: list(each(points.iter().map(|point| point.kv.name().to_owned()))),
            numerics: list(each(points.iter().map(|point| numerics(point.numerics)))),
            sequences: list(each(points.iter().map(|point| point.sequences.to_string()))),
            launches: Some(launches),
            quality,
            energy: self.args.energy,
            programs: self.args.programs.clone(),
            metering: self.args.metering.clone(),
            ..Run::default()
        }
    }
}
