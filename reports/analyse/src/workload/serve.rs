//! Queues of requests: what they wait for at each rate, and the highest rate that meets the objective.

use yardstick_api::Known;
use yardstick_record::{
    Fate, Metric, Objective, Record, RequestRun, Sample, Serve, Trial, Workload, mean_gap_ms,
};

use super::{middle, percentile};

/// The queue of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct ServeView {
    /// Requests answered at once.
    pub slots: u64,
    /// Requests that may wait.
    pub queue: u64,
    /// Seconds after which one is given up.
    pub timeout_seconds: f64,
    /// When one is good, and how many must be.
    pub objective: Objective,
    /// Every rate of every launch, the lowest first.
    pub trials: Vec<TrialLine>,
    /// Of `capacity`: what the first launch's search ended with.
    pub bracket: Option<Bracket>,
}

/// What a search ended with.
#[derive(Clone, Debug, PartialEq)]
pub struct Bracket {
    /// The highest rate that met the objective.
    pub met: Option<f64>,
    /// The lowest rate above it that did not.
    pub missed: Option<f64>,
}

/// One rate.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialLine {
    /// Requests per second offered.
    pub rate: f64,
    /// Requests.
    pub n: usize,
    /// Of which came to their end, were turned away, took too long, failed.
    pub fates: [usize; 4],
    /// Good ones.
    pub good: usize,
    /// Good ones per second.
    pub goodput: f64,
    /// Tokens per second over all requests.
    pub speed: f64,
    /// Time to the first token: median and p90, nanoseconds.
    pub ttft_ns: [Known<f64>; 2],
    /// Mean time from one token to the next of a request: median and p90, nanoseconds.
    pub itl_ns: [Known<f64>; 2],
    /// From arrival to the last token: median and p90, nanoseconds.
    pub whole_ns: [Known<f64>; 2],
    /// It meets the objective.
    pub is_met: bool,
}

impl TrialLine {
    /// Share of requests that failed, timed out or were turned away, percent.
    pub fn errors(&self) -> f64 {
        let [done, ..] = self.fates;
        100.0 * (self.n - done) as f64 / self.n.max(1) as f64
    }
}

fn sample<'r>(request: &RequestRun, samples: &'r [Sample]) -> Option<&'r Sample> {
    samples.get(usize::try_from(request.sample?).ok()?)
}

fn line(serve: &Serve, trial: &Trial, samples: &[Sample]) -> TrialLine {
    let of = |fate| trial.requests.iter().filter(|request| request.fate == fate).count();
    let good = trial.requests.iter().filter(|r| serve.is_good(r, samples)).count();
    let seconds = trial.seconds().max(f64::MIN_POSITIVE);
    let all = || trial.requests.iter().filter_map(|request| sample(request, samples));
    let done: Vec<&Sample> = trial
        .requests
        .iter()
        .filter(|request| request.fate == Fate::Done)
        .filter_map(|request| sample(request, samples))
        .collect();
    let both = |value: &dyn Fn(&Sample) -> Option<f64>| {
        let values: Vec<f64> = done.iter().filter_map(|sample| value(sample)).collect();
        [middle(&values, "finished requests"), percentile(&values, 90, "finished requests")]
    };
    TrialLine {
        rate: trial.rate,
        n: trial.requests.len(),
        fates: [Fate::Done, Fate::Rejected, Fate::TimedOut, Fate::Failed].map(of),
        good,
        goodput: good as f64 / seconds,
        speed: all().map(|sample| sample.tokens).sum::<u64>() as f64 / seconds,
        ttft_ns: both(&|sample| sample.emits_ns.first().map(|ns| *ns as f64)),
        itl_ns: both(&|sample| mean_gap_ms(&sample.emits_ns).map(|ms| ms * 1e6)),
        whole_ns: both(&|sample| Some(sample.nanoseconds as f64)),
        is_met: serve.is_met(trial, samples),
    }
}

/// The highest rate met below which none was missed, and the lowest that was missed: a rate that is met above one that is not
/// was luck.
fn bracket(serve: &Serve, samples: &[Sample]) -> Bracket {
    let rates = |met: bool| {
        let of = serve.trials.iter().filter(move |trial| serve.is_met(trial, samples) == met);
        of.map(|trial| trial.rate)
    };
    let missed = rates(false).reduce(f64::min);
    let met = rates(true).filter(|rate| missed.is_none_or(|missed| *rate < missed));
    Bracket { met: met.reduce(f64::max), missed }
}

pub(super) fn first_tokens(serve: &Serve, record: &Record) -> Known<Vec<f64>> {
    let requests = serve.trials.iter().flat_map(|trial| &trial.requests);
    let done = requests.filter(|request| request.fate == Fate::Done);
    let first = |request: &RequestRun| sample(request, &record.samples)?.emits_ns.first().copied();
    let values: Vec<f64> = done.filter_map(first).map(|ns| ns as f64).collect();
    match values.is_empty() {
        true => Known::unavailable("no request came to its end"),
        false => Known::Value(values),
    }
}

pub(super) fn value(metric: Metric, serve: &Serve, record: &Record) -> Known<f64> {
    let samples = &record.samples;
    if metric == Metric::Capacity {
        let Bracket { met, missed } = bracket(serve, samples);
        return match (met, missed) {
            (Some(met), Some(_)) => Known::Value(met),
            (Some(met), None) => Known::unavailable(format!(
                "above {met:.3} requests/s: every rate tried met the objective"
            )),
            (None, Some(missed)) => Known::unavailable(format!(
                "below {missed:.3} requests/s: no rate tried met the objective"
            )),
            (None, None) => Known::unavailable("no rate was tried"),
        };
    }
    let Some(trial) = serve.trials.first().map(|trial| line(serve, trial, samples)) else {
        return Known::unavailable("no rate was tried");
    };
    Known::Value(if metric == Metric::Goodput { trial.goodput } else { trial.errors() })
}

pub(super) fn view(records: &[&Record]) -> Option<ServeView> {
    let serves: Vec<(&Serve, &Record)> = records
        .iter()
        .filter_map(|record| match record.workload.as_deref()? {
            Workload::Serve(serve) => Some((serve, *record)),
            _ => None,
        })
        .collect();
    let (one, record) = serves.first()?;
    let searched = record.cell.test == yardstick_record::Test::Capacity;
    let of = |(serve, record): &(&Serve, &Record)| {
        serve.trials.iter().map(|trial| line(serve, trial, &record.samples)).collect::<Vec<_>>()
    };
    let mut trials: Vec<TrialLine> = serves.iter().flat_map(of).collect();
    trials.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    Some(ServeView {
        slots: one.slots,
        queue: one.queue,
        timeout_seconds: one.timeout_seconds,
        objective: one.objective,
        trials,
        bracket: searched.then(|| bracket(one, &record.samples)),
    })
}
