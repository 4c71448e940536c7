//! Prints the tables of reports/README.md: how often intervals, the drift detector and the noise floor are right on synthetic
//! launches. `cargo run --release -p yardstick-analyse --example coverage`

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use synthetic::{GENERATORS, Generator, Random, candidates, pairs, sorted};
use yardstick_analyse::{Ratio, drift, median, median_interval, noise_floor};

const TRIALS: usize = 10_000;
/// The resampling candidates draw 1,000 times a trial.
const TRIALS_OF_CANDIDATES: usize = 2000;
const LAUNCHES: [usize; 3] = [6, 10, 24];

fn main() {
    paired();
    candidates_of_one_side();
    unpaired();
    candidates_of_two_sides();
    detector();
    floors();
}

/// How often an interval held the truth, and its median width.
#[derive(Default)]
struct Tally {
    trials: usize,
    hits: usize,
    widths: Vec<f64>,
}

impl Tally {
    fn count(&mut self, bounds: Option<(f64, f64)>, truth: f64) {
        self.trials += 1;
        if let Some((low, high)) = bounds {
            self.hits += usize::from(low <= truth && truth <= high);
            self.widths.push(high - low);
        }
    }

    fn percent(&self) -> f64 {
        100.0 * self.hits as f64 / self.trials as f64
    }

    fn width(&self) -> f64 {
        median(&sorted(self.widths.clone())).unwrap_or(f64::NAN)
    }
}

/// Launches' log ratios around 1.3, as a hundredth of the generator's unit.
fn values(logs: &[f64], scale: f64) -> Vec<f64> {
    logs.iter().map(|d| scale * (0.01 * d).exp()).collect()
}

fn bounds(ratio: Option<Ratio>) -> Option<(f64, f64)> {
    ratio.and_then(|ratio| ratio.interval.value().map(|i| (i.low, i.high)))
}

fn exchangeable() -> impl Iterator<Item = &'static Generator> {
    GENERATORS.iter().filter(|generator| generator.exchangeable)
}

fn kind(generator: &Generator) -> &'static str {
    if generator.exchangeable { "yes" } else { "no" }
}

fn heading(title: &str, columns: &[&str]) {
    println!("\n**{title}**\n\n| {} |", columns.join(" | "));
    println!("| --- |{}", " ---: |".repeat(columns.len() - 1));
}

/// The shipped interval of a paired ratio, and of the median of one side's launches: both are made alike.
fn paired() {
    heading(
        &format!("Coverage of the shipped interval over launches, %, {TRIALS} trials; nominal 95"),
        &["launches", "exchangeable", "n = 3", "5", "6", "10", "24"],
    );
    for generator in GENERATORS {
        let mut line = format!("| {} | {}", generator.name, kind(generator));
        for n in [3, 5, 6, 10, 24] {
            let (mut tally, mut random) = (Tally::default(), Random(n as u64));
            for _ in 0..TRIALS {
                let logs = (generator.draw)(&mut random, n);
                let pairs: Vec<(f64, f64)> =
                    values(&logs, 1.3).into_iter().map(|a| (a, 1.0)).collect();
                tally.count(bounds(Ratio::paired(&pairs)), 1.3);
            }
            line += &format!(" | {:.1}", tally.percent());
        }
        println!("{line} |");
    }
}

fn candidates_of_one_side() {
    heading(
        &format!(
            "Candidates: least coverage over exchangeable launches, %, and median width on normal ones, {TRIALS_OF_CANDIDATES} trials"
        ),
        &["interval", "n = 6", "10", "24", "width 6", "10", "24"],
    );
    for candidate in candidates::CANDIDATES {
        let (mut least, mut wide) = (String::new(), String::new());
        for n in LAUNCHES {
            let tallies = exchangeable().map(|generator| {
                let (mut tally, mut random) = (Tally::default(), Random(n as u64));
                for _ in 0..TRIALS_OF_CANDIDATES {
                    let values = sorted((generator.draw)(&mut random, n));
                    tally.count((candidate.interval)(&values, &mut random), 0.0);
                }
                tally
            });
            summary(&tallies.collect::<Vec<_>>(), &mut least, &mut wide);
        }
        println!("| {}{least}{wide} |", candidate.name);
    }
}

/// The least coverage over the generators, and the width on the first.
fn summary(tallies: &[Tally], least: &mut String, wide: &mut String) {
    let lowest = tallies.iter().map(Tally::percent).fold(100.0, f64::min);
    *least += &format!(" | {lowest:.1}");
    *wide += &format!(" | {:.2}", tallies[0].width());
}

/// Every generator against itself and against the next: sides need not be alike.
fn two_sides() -> Vec<[&'static Generator; 2]> {
    let kinds: Vec<&Generator> = exchangeable().collect();
    let next = |i: usize| kinds[(i + 1) % kinds.len()];
    (0..kinds.len()).flat_map(|i| [[kinds[i], kinds[i]], [kinds[i], next(i)]]).collect()
}

const SIDES: [(usize, usize); 6] = [(3, 3), (4, 10), (5, 5), (6, 6), (10, 10), (6, 24)];

fn unpaired() {
    heading(
        "Coverage of the shipped interval of an unpaired ratio, %, 2000 trials; nominal 95",
        &["sides", "n = 3, 3", "4, 10", "5, 5", "6, 6", "10, 10", "6, 24"],
    );
    for [a, b] in two_sides() {
        let mut line = format!("| {} against {}", a.name, b.name);
        for (n, m) in SIDES {
            let (mut tally, mut random) = (Tally::default(), Random((100 * n + m) as u64));
            for _ in 0..TRIALS_OF_CANDIDATES {
                let (a, b) = ((a.draw)(&mut random, n), (b.draw)(&mut random, m));
                tally.count(bounds(Ratio::unpaired(&values(&a, 2.6), &values(&b, 2.0))), 1.3);
            }
            line += &format!(" | {:.1}", tally.percent());
        }
        println!("{line} |");
    }
}

fn candidates_of_two_sides() {
    heading(
        "Candidates for two sides: least coverage over all of them, %, and median width on normal ones, 2000 trials",
        &[
            "interval",
            "n = 3, 3",
            "6, 6",
            "10, 10",
            "6, 24",
            "width 3, 3",
            "6, 6",
            "10, 10",
            "6, 24",
        ],
    );
    for candidate in pairs::CANDIDATES {
        let (mut least, mut wide) = (String::new(), String::new());
        for (n, m) in [(3, 3), (6, 6), (10, 10), (6, 24)] {
            let tallies = two_sides().into_iter().map(|[a, b]| {
                let (mut tally, mut random) = (Tally::default(), Random((100 * n + m) as u64));
                for _ in 0..TRIALS_OF_CANDIDATES {
                    let a = sorted((a.draw)(&mut random, n));
                    let b = sorted((b.draw)(&mut random, m));
                    tally.count((candidate.interval)(&a, &b, &mut random), 0.0);
                }
                tally
            });
            summary(&tallies.collect::<Vec<_>>(), &mut least, &mut wide);
        }
        println!("| {}{least}{wide} |", candidate.name);
    }
}

fn detector() {
    heading(
        &format!(
            "Launches warned of as drifting, %, {TRIALS} trials; in brackets the share of intervals that missed the truth and were warned of"
        ),
        &["launches", "exchangeable", "n = 5", "6", "10", "24"],
    );
    for generator in GENERATORS {
        let mut line = format!("| {} | {}", generator.name, kind(generator));
        for n in [5, 6, 10, 24] {
            let mut random = Random(n as u64);
            let (mut warned, mut missed, mut told) = (0, 0, 0);
            for _ in 0..TRIALS {
                let values = (generator.draw)(&mut random, n);
                let seen = drift(&values).is_some();
                warned += usize::from(seen);
                let interval = median_interval(&sorted(values), 0.95);
                if interval.is_some_and(|i| i.low > 0.0 || i.high < 0.0) {
                    missed += 1;
                    told += usize::from(seen);
                }
            }
            line += &format!(" | {:.1}", 100.0 * f64::from(warned as u32) / TRIALS as f64);
            if !generator.exchangeable && missed > 0 {
                line += &format!(" ({:.0})", 100.0 * told as f64 / missed as f64);
            }
        }
        println!("{line} |");
    }
}

fn floors() {
    heading(
        &format!(
            "Medians of n A/A pairs beyond the noise floor that m A/A launches gave, %, {TRIALS} trials; 5 aimed at"
        ),
        &["launches", "m = 6, n = 5", "10, 5", "10, 10", "24, 10", "24, 1"],
    );
    for generator in exchangeable() {
        let mut line = format!("| {}", generator.name);
        for (m, n) in [(6, 5), (10, 5), (10, 10), (24, 10), (24, 1)] {
            let (mut beyond, mut random) = (0, Random((100 * m + n) as u64));
            for _ in 0..TRIALS {
                // A difference of two copies: symmetric, whatever each of them does.
                let mut difference = |n: usize| -> Vec<f64> {
                    let (a, b) =
                        ((generator.draw)(&mut random, n), (generator.draw)(&mut random, n));
                    a.iter().zip(&b).map(|(a, b)| a - b).collect()
                };
                let (known, new) = (difference(m), sorted(difference(n)));
                let floor = noise_floor(&known, n).unwrap_or(0.0);
                beyond += usize::from(median(&new).is_some_and(|d| d.abs() > floor));
            }
            line += &format!(" | {:.1}", 100.0 * beyond as f64 / TRIALS as f64);
        }
        println!("{line} |");
    }
}
