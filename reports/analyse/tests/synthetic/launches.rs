//! Synthetic launches of base, candidate and control: noise of known kinds, in the gate's own measure (log ratios).

use yardstick_analyse::gate::{Decision, Launch, Plan, Verdict, decide};

use super::Random;

/// A kind of noise, of unit spread a launch. Gives `n` launches of one arm, in the order of time; an arm's own shift is in it.
pub struct Kind {
    pub name: &'static str,
    arm: fn(&mut Random, usize) -> Vec<f64>,
}

/// What launches have been seen to do, and worse.
pub const KINDS: &[Kind] = &[
    Kind { name: "normal", arm: |r, n| (0..n).map(|_| r.normal()).collect() },
    Kind { name: "AR(1), 0.5", arm: |r, n| super::chain(r, n, 0.5) },
    Kind { name: "AR(1), 0.7", arm: |r, n| super::chain(r, n, 0.7) },
    Kind { name: "two modes, 50:50", arm: |r, n| modes(r, n, 0.5) },
    Kind { name: "two modes, 90:10", arm: |r, n| modes(r, n, 0.1) },
    Kind { name: "drift, 2 in all", arm: slope },
    Kind { name: "heavy tail, t with 3 df", arm: |r, n| heavy(r, n) },
    Kind { name: "10 % ten times wider", arm: |r, n| wild(r, n) },
    // One build's luck stays with it over all launches: shifts of half a launch's spread (0.4 % at 0.76 %).
    Kind { name: "layout, shift 0.5", arm: |r, n| shifted(r, n, 0.5) },
    Kind { name: "layout, shift 1", arm: |r, n| shifted(r, n, 1.0) },
];

/// Two modes, five spreads apart, scaled back to unit spread.
fn modes(random: &mut Random, n: usize, share: f64) -> Vec<f64> {
    let spread = (1.0 + 25.0 * share * (1.0 - share)).sqrt();
    let mut one = || {
        let mode = if random.uniform() < share { 5.0 } else { 0.0 };
        (random.normal() + mode - 5.0 * share) / spread
    };
    (0..n).map(|_| one()).collect()
}

/// One arm ages: by two spreads over the longest plan, either way.
fn slope(random: &mut Random, n: usize) -> Vec<f64> {
    let whole = if random.uniform() < 0.5 { 2.0 } else { -2.0 };
    (0..n).map(|i| random.normal() + whole * (i as f64 / 24.0)).collect()
}

fn heavy(random: &mut Random, n: usize) -> Vec<f64> {
    (0..n).map(|_| random.student(3) / 3.0_f64.sqrt()).collect()
}

/// Not scaled back: the usual launch has unit spread.
fn wild(random: &mut Random, n: usize) -> Vec<f64> {
    let mut one = || random.normal() * if random.uniform() < 0.1 { 10.0 } else { 1.0 };
    (0..n).map(|_| one()).collect()
}

fn shifted(random: &mut Random, n: usize, by: f64) -> Vec<f64> {
    let shift = by * random.normal();
    (0..n).map(|_| random.normal() + shift).collect()
}

/// `n` launches of three arms of the kind; the spread of a log ratio is `spread`, the candidate's true effect `effect`.
pub fn launches(
    kind: &Kind,
    random: &mut Random,
    n: usize,
    spread: f64,
    effect: f64,
) -> Vec<Launch> {
    let scale = spread / 2.0_f64.sqrt();
    let [base, candidate, control] = [0; 3].map(|_| (kind.arm)(random, n));
    let log = |a: f64, b: f64| scale * (a - b);
    (0..n)
        .map(|i| {
            let d = log(candidate[i], base[i]) + effect.ln_1p();
            Launch::new(d, Some(log(control[i], base[i]))).unwrap()
        })
        .collect()
}

/// How trials of one kind ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    pub trials: usize,
    pub fail: usize,
    pub pass: usize,
    pub inconclusive: usize,
    pub launches: usize,
}

impl Ends {
    pub fn count(&mut self, decision: &Decision) {
        self.trials += 1;
        self.launches += decision.launches;
        match decision.verdict {
            Verdict::Fail => self.fail += 1,
            Verdict::Pass => self.pass += 1,
            Verdict::Inconclusive | Verdict::Continue => self.inconclusive += 1,
        }
    }

    pub fn percent(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.trials as f64
    }
}

/// Ends of trials of one kind.
pub fn ends(plan: &Plan, kind: &Kind, trials: usize, spread: f64, effect: f64) -> Ends {
    let mut random = Random(7);
    let mut ends = Ends::default();
    let most = *plan.looks.last().unwrap();
    for _ in 0..trials {
        let launches = launches(kind, &mut random, most, spread, effect);
        ends.count(&decide(plan, &launches).unwrap());
    }
    ends
}
