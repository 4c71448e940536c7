//! The why ledger: the difference between two cells' headline times, decomposed into terms that counters or ablations back, with
//! the remainder that none of them explains.
//!
//! Operations of one name are held against each other. What an operation took without its meetings is `amount × price`: bytes at
//! nanoseconds a byte where reading limits both sides, operations at nanoseconds each where arithmetic does. The price is the
//! roof's own times the inverse of the share of it reached, so that a lower roof (fewer threads) and a lower share are told apart.
//! More of the amount is charged at the price of the side that has more of it.

use serde::Serialize;
use yardstick_api::Known;

use super::change::change;
use super::limb::{Limb, limbs};
use super::measured::Profiled;
use super::pass::Pass;
use super::resampled::intervals;
use crate::Interval;

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// More bytes to read.
    Bytes,
    /// A lower read roof.
    ReadRoof,
    /// A smaller share of the read roof reached.
    ReadShare,
    /// More arithmetic.
    Operations,
    /// A lower arithmetic roof.
    ArithmeticRoof,
    /// A smaller share of the arithmetic roof reached.
    ArithmeticShare,
    /// Slower clocks.
    Clocks,
    /// More meetings of threads, or dearer ones.
    Synchronisation,
    /// Operations that no roof limits, or whose work nobody counts.
    Unroofed,
    /// What the profile itself costs one side more.
    Measuring,
    /// What no term explains.
    Remainder,
}

/// What a term stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backed {
    /// Amounts counted, times and roofs measured.
    Counter,
    /// The same work with and without something.
    Ablation,
    /// Times of operations alone.
    Timer,
    /// Nothing.
    Nothing,
}

/// A part of the difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Term {
    /// Which.
    pub cause: Cause,
    /// Nanoseconds a pass that it makes `b` slower than `a`; or why it cannot be told.
    pub ns: Known<f64>,
    /// 95 % over the rounds.
    pub interval: Option<Interval>,
    /// What it stands on.
    pub backed: Backed,
}

/// The difference between two cells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ledger {
    /// Name of the one, and nanoseconds a pass.
    pub a: Side,
    /// The other.
    pub b: Side,
    /// `b` less `a`, nanoseconds a pass.
    pub gap_ns: f64,
    /// 95 % over the rounds.
    pub gap: Option<Interval>,
    /// Terms in the order of [`Cause`], the remainder last; those that are known sum to the gap.
    pub terms: Vec<Term>,
    /// |remainder| ÷ |gap|; missing where no gap is shown.
    pub remainder_share: Known<f64>,
    /// 95 % over the rounds.
    pub remainder_interval: Option<Interval>,
    /// Rounds it stands on.
    pub rounds: usize,
    /// The tests differ in how many tokens a pass has: times are a call's.
    pub unlike_tests: bool,
}

/// A side in brief.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// Its name.
    pub label: String,
    /// Headline, nanoseconds a pass.
    pub ns: f64,
    /// Bytes a pass that its operations count.
    pub bytes: Known<f64>,
    /// Bytes a pass ÷ headline ÷ the read roof.
    pub of_read: Known<f64>,
}

/// Causes with a number, in the order of [`Cause`] less clocks' absence.
const CAUSES: [(Cause, Backed); 11] = [
    (Cause::Bytes, Backed::Counter),
    (Cause::ReadRoof, Backed::Counter),
    (Cause::ReadShare, Backed::Counter),
    (Cause::Operations, Backed::Counter),
    (Cause::ArithmeticRoof, Backed::Counter),
    (Cause::ArithmeticShare, Backed::Counter),
    (Cause::Clocks, Backed::Counter),
    (Cause::Synchronisation, Backed::Counter),
    (Cause::Unroofed, Backed::Timer),
    (Cause::Measuring, Backed::Ablation),
    (Cause::Remainder, Backed::Nothing),
];
const REMAINDER: usize = CAUSES.len() - 1;
const SHARE: usize = CAUSES.len() + 1;

/// Why `b` takes longer than `a`; `None` where either has no round.
pub fn why(a: &Profiled, b: &Profiled) -> Option<Ledger> {
    let rounds = a.rounds.len().min(b.rounds.len());
    let all: Vec<usize> = (0..rounds).collect();
    let found = numbers(a, b, &all)?;
    let spread = intervals(rounds, SHARE + 1, |chosen| numbers(a, b, chosen));
    let gap_ns = found[CAUSES.len()];
    let gap = spread[CAUSES.len()];
    let clocks = clocks(a, b).err();
    let terms = CAUSES.iter().enumerate().map(|(i, &(cause, backed))| match (cause, &clocks) {
        (Cause::Clocks, Some(reason)) => {
            let ns = Known::unavailable(reason);
            Term { cause, ns, interval: None, backed: Backed::Nothing }
        }
        _ => Term { cause, ns: Known::Value(found[i]), interval: spread[i], backed },
    });
    let shown = gap.is_none_or(|gap| gap.low > 0.0 || gap.high < 0.0) && gap_ns != 0.0;
    let remainder_share = match shown {
        true => Known::Value(found[SHARE]),
        false => Known::unavailable("no difference is shown: there is nothing to explain"),
    };
    Some(Ledger {
        a: side(a, &all)?,
        b: side(b, &all)?,
        gap_ns,
        gap,
        terms: terms.collect(),
        remainder_interval: if shown { spread[SHARE] } else { None },
        remainder_share,
        rounds,
        unlike_tests: a.test.tokens() != b.test.tokens() && (a.passes == 1 || b.passes == 1),
    })
}

impl Ledger {
    /// A term's nanoseconds, where it is known.
    pub fn ns(&self, cause: Cause) -> Option<f64> {
        self.terms.iter().find(|term| term.cause == cause)?.ns.value().copied()
    }
}

fn side(profiled: &Profiled, rounds: &[usize]) -> Option<Side> {
    let pass = Pass::of_rounds(profiled, rounds, false)?;
    let bytes = pass
        .bytes()
        .map_or_else(|| Known::unavailable("the backend counts no bytes"), Known::Value);
    let seconds = Known::Value(pass.headline_ns / 1e9);
    let rate = super::held::divided(&bytes, &seconds);
    let roof = profiled.roofs.read.clone().map(|roof| roof.per_second);
    let of_read = super::held::divided(&rate, &roof);
    Some(Side { label: profiled.label.clone(), ns: pass.headline_ns, bytes, of_read })
}

/// Every cause's nanoseconds, then the gap, then the remainder's share of it.
fn numbers(a: &Profiled, b: &Profiled, rounds: &[usize]) -> Option<Vec<f64>> {
    let (from, to) = (Pass::of_rounds(a, rounds, false)?, Pass::of_rounds(b, rounds, false)?);
    let mut sums = [0.0; CAUSES.len()];
    let ratio = clocks(a, b).unwrap_or(1.0);
    for (one, other) in matched(limbs(&from, &a.roofs), limbs(&to, &b.roofs)) {
        account(&one, &other, ratio, &mut sums);
    }
    // Where nobody knows what a meeting costs, what passes between operations is all there is of synchronisation.
    let gaps = |pass: &Pass| pass.wall_ns - pass.operations_ns();
    if a.roofs.barrier_ns.value().is_none() && b.roofs.barrier_ns.value().is_none() {
        add(&mut sums, Cause::Synchronisation, gaps(&to) - gaps(&from));
    }
    let own = |pass: &Pass| pass.headline_ns - pass.wall_ns;
    add(&mut sums, Cause::Measuring, own(&to) - own(&from));
    let gap = to.headline_ns - from.headline_ns;
    sums[REMAINDER] = gap - sums[..REMAINDER].iter().sum::<f64>();
    let mut all = sums.to_vec();
    all.extend([gap, (sums[REMAINDER] / gap).abs()]);
    Some(all)
}

fn add(sums: &mut [f64; CAUSES.len()], cause: Cause, ns: f64) {
    if let Some(place) = CAUSES.iter().position(|(known, _)| *known == cause) {
        sums[place] += ns;
    }
}

/// Limbs by name; those that only one side has are joined, since another program may cut the same work differently.
fn matched(from: Vec<Limb>, to: Vec<Limb>) -> Vec<(Limb, Limb)> {
    let mut pairs = Vec::new();
    let (mut own, mut others) = (Limb::default(), Limb::default());
    let mut left = to;
    for limb in from {
        match left.iter().position(|other| other.name == limb.name) {
            Some(place) => pairs.push((limb, left.swap_remove(place))),
            None => own.join(&limb),
        }
    }
    left.iter().for_each(|limb| others.join(limb));
    if own.ns > 0.0 || others.ns > 0.0 {
        pairs.push((own, others));
    }
    pairs
}

/// Adds what a pair of limbs explains. `clocks`: how much longer a cycle of `to` takes.
fn account(from: &Limb, to: &Limb, clocks: f64, sums: &mut [f64; CAUSES.len()]) {
    add(sums, Cause::Synchronisation, to.meetings - from.meetings);
    let gap = to.work_ns() - from.work_ns();
    if !(from.counted && to.counted) || (from.is_far() && to.is_far()) {
        return add(sums, Cause::Unroofed, gap);
    }
    match (from.computes(), to.computes()) {
        (false, false) => {
            let part = factors((from.bytes, from.streaming), (to.bytes, to.streaming), from, to);
            add(sums, Cause::Bytes, part.amount);
            add(sums, Cause::ReadRoof, part.roof);
            add(sums, Cause::ReadShare, part.share);
        }
        (true, true) => {
            let amounts = ((from.operations, from.arithmetic), (to.operations, to.arithmetic));
            let part = factors(amounts.0, amounts.1, from, to);
            add(sums, Cause::Operations, part.amount);
            add(sums, Cause::ArithmeticRoof, part.roof);
            // Of the share, what the cycle's length alone makes.
            let slower = part.share_by(clocks);
            add(sums, Cause::Clocks, slower);
            add(sums, Cause::ArithmeticShare, part.share - slower);
        }
        (from_computes, _) => mixed(from, to, from_computes, sums),
    }
}

/// One side is limited by reading, the other by arithmetic: the floor's change is told by what it is made of.
fn mixed(from: &Limb, to: &Limb, from_computes: bool, sums: &mut [f64; CAUSES.len()]) {
    let price = |limb: &Limb| limb.work_ns() / limb.floor();
    let part = change((from.floor(), price(from)), (to.floor(), price(to)));
    let dearer = if to.floor() >= from.floor() { price(to) } else { price(from) };
    let bytes = (to.streaming - from.streaming) * dearer;
    add(sums, Cause::Bytes, bytes);
    add(sums, Cause::Operations, part.amount - bytes);
    let larger_computes = (to.work_ns() >= from.work_ns()) != from_computes;
    let share = if larger_computes { Cause::ArithmeticShare } else { Cause::ReadShare };
    add(sums, share, part.price);
}

/// A difference of times, told by amount, roof and share of the roof.
struct Factors {
    amount: f64,
    roof: f64,
    share: f64,
    /// What the common amount takes at the lower roof's price.
    common: f64,
    /// Time at the roof ÷ time taken, inverse, of both.
    inverse: (f64, f64),
}

impl Factors {
    /// The part of the share that is clocks alone.
    fn share_by(&self, clocks: f64) -> f64 {
        let (from, to) = self.inverse;
        self.common * change((1.0, from), (clocks, to / clocks)).amount
    }
}

/// Of amounts with their time at the roof.
fn factors(from: (f64, f64), to: (f64, f64), one: &Limb, other: &Limb) -> Factors {
    let price = |limb: &Limb, amount: f64| limb.work_ns() / amount;
    let outer = change((from.0, price(one, from.0)), (to.0, price(other, to.0)));
    let common = from.0.min(to.0);
    let (roof_from, roof_to) = (from.1 / from.0, to.1 / to.0);
    let inverse = (one.work_ns() / from.1, other.work_ns() / to.1);
    let inner = change((roof_from, inverse.0), (roof_to, inverse.1));
    Factors {
        amount: outer.amount,
        roof: common * inner.amount,
        share: common * inner.price,
        common: common * roof_from.min(roof_to),
        inverse,
    }
}

/// How much longer a cycle of `b` takes than one of `a`.
fn clocks(a: &Profiled, b: &Profiled) -> Result<f64, String> {
    let of = |profiled: &Profiled| {
        let counter = profiled.counters.iter().find(|counter| counter.name == "clock_hz");
        match counter.map(|counter| &counter.value) {
            Some(Known::Value(hertz)) if *hertz > 0.0 => Ok(*hertz),
            Some(Known::Unavailable { unavailable }) => Err(unavailable.clone()),
            _ => Err("no counter of cycles".to_owned()),
        }
    };
    Ok(of(a)? / of(b)?)
}
