//! Perplexities held side by side: coverage of the paired interval, what is refused, and what trade-offs say of it.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod build;
mod synthetic;

use build::quality::scored;
use synthetic::Random;
use yardstick_analyse::{Aspect, Comparison, Difference, windowed_change};
use yardstick_record::{Metric, Quality, Window};

fn quality(ppl: f64) -> Quality {
    let record = scored("cpu", "m:Q4_0", "ppl", &[(Metric::Perplexity, ppl, 1.0)]).done();
    *record.quality.unwrap()
}

/// Two texts' worth of windows: difficulty varies by a nat and a half, the loss by a tenth of that.
fn pair(random: &mut Random, windows: usize, loss: f64) -> (Quality, Quality) {
    let (mut a, mut b) = (quality(20.0), quality(20.0));
    (a.windows, b.windows) = (Vec::new(), Vec::new());
    for _ in 0..windows {
        let n = 200 + random.below(100) as u64;
        let hard = 2.0 + 3.0 * random.uniform();
        let lost = loss + 0.2 * (random.uniform() - 0.5);
        let window = |mean: f64| Window { n, nll: mean * n as f64, nll_squared: 0.0, kld: None };
        a.windows.push(window(hard + lost));
        b.windows.push(window(hard));
    }
    (a, b)
}

#[test]
fn the_interval_of_the_ratio_covers_the_true_one() {
    let mut random = Random(7);
    let (trials, mut hits, mut width) = (2000, 0, 0.0);
    for _ in 0..trials {
        let (a, b) = pair(&mut random, 32, 0.01);
        let change = windowed_change(&a, &b).unwrap();
        let interval = change.ratio_interval;
        hits += usize::from(interval.low <= 0.01_f64.exp() && 0.01_f64.exp() <= interval.high);
        width += interval.high - interval.low;
    }
    let share = 100.0 * hits as f64 / trials as f64;
    assert!((93.5..=96.5).contains(&share), "{share} % of 95 % intervals hold the truth");
    // Unpaired, windows that differ by 0.87 nats (sd) leave a ratio open by a factor of two.
    assert!(width / f64::from(trials as u32) < 0.05, "{width}");
}

#[test]
fn ratio_and_difference_tell_the_same() {
    let mut random = Random(9);
    let (a, b) = pair(&mut random, 24, 0.08);
    let [change, turned] = [windowed_change(&a, &b).unwrap(), windowed_change(&b, &a).unwrap()];
    assert!((change.ratio * turned.ratio - 1.0).abs() < 1e-12);
    assert!((change.ratio_interval.low * turned.ratio_interval.high - 1.0).abs() < 1e-12);
    assert!((change.difference + turned.difference).abs() < 1e-12);
    let mean = |q: &Quality| {
        let n: u64 = q.windows.iter().map(|window| window.n).sum();
        q.windows.iter().map(|window| window.nll).sum::<f64>() / n as f64
    };
    assert!((change.difference - (mean(&a).exp() - mean(&b).exp())).abs() < 1e-9);
    assert!(change.ratio_interval.low > 1.0 && change.difference_interval.low > 0.0);
}

#[test]
fn other_texts_other_windows_and_few_of_them_are_not_paired() {
    let (a, b) = (quality(20.0), quality(21.0));
    assert!(windowed_change(&a, &b).is_some());
    let with = |change: fn(&mut Quality)| {
        let mut other = b.clone();
        change(&mut other);
        windowed_change(&a, &other)
    };
    assert_eq!(with(|q| q.data.sha256 = "00".into()), None);
    assert_eq!(with(|q| q.method = "windows of 64".into()), None);
    assert_eq!(with(|q| q.windows.truncate(11)), None);
    assert_eq!(with(|q| q.windows[3].n += 1), None);
    assert_eq!(with(|q| q.windows[3].nll = f64::NAN), None);
    assert_eq!(with(|q| q.windows[3].nll = f64::INFINITY), None);
    let few = |q: &Quality| Quality { windows: q.windows[..5].to_vec(), ..q.clone() };
    assert_eq!(windowed_change(&few(&a), &few(&b)), None);
}

#[test]
fn trade_offs_tell_a_small_loss_that_the_texts_own_spread_would_hide() {
    let of = |format: &str, ppl: f64| {
        scored("cpu", &format!("m:{format}"), "ppl", &[(Metric::Perplexity, ppl, 2.0)]).done()
    };
    let tradeoffs = Comparison::of(&[of("F16", 20.0), of("Q4_0", 20.4)]).tradeoffs;
    let at = |aspect| tradeoffs[0].columns.iter().position(|column| column.aspect == aspect);
    let column = at(Aspect::Quality(Metric::Perplexity)).unwrap();
    let change = tradeoffs[0].candidates[1].changes[column].unwrap();
    assert_eq!(change.difference, Difference::Shown);
    assert!((change.ratio - 1.02).abs() < 1e-9, "{change:?}");
    let interval = change.interval.unwrap();
    assert!(1.0 < interval.low && interval.low < 1.02 && interval.high < 1.04, "{interval:?}");
}
