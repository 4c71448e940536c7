//! What is kept of each window of a text, and the scores that follow from all of them.

use serde::{Deserialize, Serialize};
use yardstick_api::{Known, Token};
use yardstick_record::{Metric, Score, Window};

use super::distribution::{divergence, likeliest, log_likelihood};

/// The temperature at which unlikely words count for more.
const WARM: f64 = 3.0;
/// Positions of a window kept as those that differ most.
const FARTHEST: usize = 10;
/// Likeliest words compared.
const TOP: usize = 5;

/// One window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sums {
    pub(crate) n: u64,
    pub(crate) nll: f64,
    pub(crate) nll_squared: f64,
    /// Against a reference.
    pub(crate) against: Option<Against>,
}

/// How far predictions are from a reference's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Against {
    /// At temperature 1, a value a position.
    pub(crate) kld: Vec<f64>,
    /// At temperature 3.
    pub(crate) warm: Vec<f64>,
    /// Positions with the same likeliest word.
    pub(crate) top1: u64,
    /// Shares of the likeliest five in common, summed.
    pub(crate) top5: f64,
    /// Where they differ most, the farthest first.
    pub(crate) farthest: Vec<Far>,
}

/// A position where two predictions differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Far {
    pub(crate) position: usize,
    /// The reference's likeliest token and its probability.
    pub(crate) expected: (Token, f64),
    pub(crate) found: (Token, f64),
    pub(crate) kld: f64,
}

/// Why a row cannot be scored.
pub(crate) const NOT_FINITE: &str = "logits that are not finite";

impl Sums {
    /// Scores one position: the row predicts `next`.
    pub(crate) fn add(
        &mut self,
        position: usize,
        row: &[f32],
        next: Token,
        expected: Option<&[f32]>,
    ) -> Result<(), &'static str> {
        let nll = -log_likelihood(row, next).ok_or(NOT_FINITE)?;
        self.n += 1;
        self.nll += nll;
        self.nll_squared += nll * nll;
        match expected {
            Some(expected) => self.against.get_or_insert_default().add(position, row, expected),
            None => Ok(()),
        }
    }

    /// As a record keeps it.
    pub(crate) fn window(&self) -> Window {
        Window {
            n: self.n,
            nll: self.nll,
            nll_squared: self.nll_squared,
            kld: self.against.as_ref().map(|against| against.kld.iter().sum()),
        }
    }
}

impl Against {
    fn add(&mut self, position: usize, row: &[f32], expected: &[f32]) -> Result<(), &'static str> {
        let kld = divergence(expected, row, 1.0).ok_or(NOT_FINITE)?;
        self.kld.push(kld);
        self.warm.push(divergence(expected, row, WARM).ok_or(NOT_FINITE)?);
        let (ours, theirs) = (likeliest::<TOP>(row), likeliest::<TOP>(expected));
        self.top1 += u64::from(ours[0] == theirs[0]);
        let common = theirs.iter().filter(|token| ours.contains(token)).count();
        self.top5 += common as f64 / TOP as f64;
        let at = self.farthest.partition_point(|far| far.kld >= kld);
        if at < FARTHEST {
            let word =
                |row: &[f32], token| (token, log_likelihood(row, token).map_or(0.0, f64::exp));
            let (expected, found) = (word(expected, theirs[0]), word(row, ours[0]));
            self.farthest.insert(at, Far { position, expected, found, kld });
            self.farthest.truncate(FARTHEST);
        }
        Ok(())
    }
}

/// The scores of a text, of all its windows.
pub(crate) fn scores(windows: &[Sums]) -> Vec<Score> {
    let n: u64 = windows.iter().map(|window| window.n).sum();
    let mut scores = vec![perplexity(windows, n)];
    let against: Vec<&Against> = windows.iter().filter_map(|w| w.against.as_ref()).collect();
    if !against.is_empty() {
        let at =
            |values: fn(&Against) -> &[f64]| against.iter().flat_map(move |a| values(a)).copied();
        let kld: Vec<f64> = at(|against| &against.kld).collect();
        let warm: Vec<f64> = at(|against| &against.warm).collect();
        scores.extend(spread(kld, [Metric::KldMean, Metric::KldP99, Metric::KldMax]));
        scores.extend(spread(warm, [Metric::KldMeanT3, Metric::KldP99T3, Metric::KldMaxT3]));
        let top1: u64 = against.iter().map(|a| a.top1).sum();
        let top5: f64 = against.iter().map(|a| a.top5).sum();
        scores.push(share(Metric::Top1Agreement, top1 as f64, n));
        scores.push(share(Metric::Top5Agreement, top5, n));
    }
    scores
}

/// e to the mean, and its error to first order, as llama.cpp's `perplexity` states both.
fn perplexity(windows: &[Sums], n: u64) -> Score {
    let count = n as f64;
    let mean = windows.iter().map(|window| window.nll).sum::<f64>() / count;
    let square = windows.iter().map(|window| window.nll_squared).sum::<f64>() / count;
    let error = ((square - mean * mean).max(0.0) / (count - 1.0)).sqrt() * mean.exp();
    score(Metric::Perplexity, mean.exp(), error, n)
}

/// Mean with its standard error, 99th percentile, largest.
fn spread(mut values: Vec<f64>, [average, p99, max]: [Metric; 3]) -> [Score; 3] {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let extreme = |metric, value: f64| Score {
        error: Known::unavailable("an extreme value has no standard error"),
        ..score(metric, value, 0.0, n as u64)
    };
    let at = (n * 99).div_ceil(100).max(1) - 1;
    [mean(average, &values), extreme(p99, values[at]), extreme(max, values[n - 1])]
}

/// A mean with its standard error.
pub(crate) fn mean(metric: Metric, values: &[f64]) -> Score {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    score(metric, mean, (variance / n).sqrt(), values.len() as u64)
}

/// A share in percent with its binomial error. None or all of few is not certain: there the error is that of two hits and two
/// misses more (Agresti and Coull 1998).
pub(crate) fn share(metric: Metric, hits: f64, n: u64) -> Score {
    let count = n as f64;
    let error = |share: f64, count: f64| (share * (1.0 - share) / count).sqrt();
    let share = hits / count;
    let error = match share > 0.0 && share < 1.0 {
        true => error(share, count),
        false => error((hits + 2.0) / (count + 4.0), count + 4.0),
    };
    score(metric, 100.0 * share, 100.0 * error, n)
}

/// A score; what is not finite is missing.
pub(crate) fn score(metric: Metric, value: f64, error: f64, n: u64) -> Score {
    let known = |value: f64, reason: &str| match value.is_finite() {
        true => Known::Value(value),
        false => Known::unavailable(reason),
    };
    let few = format!("n too small: {n}");
    Score { metric, value: known(value, &few), error: known(error, &few), n }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(scores: &[Score], metric: Metric) -> (f64, Option<f64>) {
        let score = scores.iter().find(|score| score.metric == metric).unwrap();
        (*score.value.value().unwrap(), score.error.value().copied())
    }

    fn row(p: [f64; 5]) -> Vec<f32> {
        p.map(|p| p.ln() as f32).to_vec()
    }

    #[test]
    fn perplexity_and_its_error_are_those_worked_out_by_hand() {
        // Likelihoods 1/2 and 1/8: mean of ln 2 and 3 ln 2 is 2 ln 2, so the perplexity is 4.
        let mut sums = Sums::default();
        let p = row([0.5, 0.125, 0.125, 0.125, 0.125]);
        sums.add(0, &p, 0, None).unwrap();
        sums.add(1, &p, 1, None).unwrap();
        let (found, error) = value(&scores(&[sums]), Metric::Perplexity);
        assert!((found - 4.0).abs() < 1e-5, "{found}");
        // The values are ln 2 to either side of the mean: sd / sqrt(n - 1) = ln 2, times 4.
        assert!((error.unwrap() - 4.0 * 2.0_f64.ln()).abs() < 1e-5, "{error:?}");
    }

    #[test]
    fn divergences_over_two_windows_are_those_worked_out_by_hand() {
        let (p, q) = (row([0.4, 0.3, 0.1, 0.1, 0.1]), row([0.3, 0.4, 0.1, 0.1, 0.1]));
        let kl = 0.4 * (4.0_f64 / 3.0).ln() + 0.3 * 0.75_f64.ln();
        let (mut same, mut other) = (Sums::default(), Sums::default());
        same.add(7, &p, 0, Some(&p)).unwrap();
        other.add(8, &q, 0, Some(&p)).unwrap();
        let found = scores(&[same, other.clone()]);
        let (mean, error) = value(&found, Metric::KldMean);
        assert!((mean - kl / 2.0).abs() < 1e-6, "{mean}");
        // Two values, 0 and kl: the standard error is half their distance.
        assert!((error.unwrap() - kl / 2.0).abs() < 1e-6);
        assert!((value(&found, Metric::KldMax).0 - kl).abs() < 1e-6);
        assert!((value(&found, Metric::KldP99).0 - kl).abs() < 1e-6);
        assert_eq!(value(&found, Metric::KldMax).1, None);
        let (top1, error) = value(&found, Metric::Top1Agreement);
        assert_eq!((top1, error), (50.0, Some(100.0 * (0.25_f64 / 2.0).sqrt())));
        // All of two: four of six.
        let (top5, error) = value(&found, Metric::Top5Agreement);
        assert_eq!(top5, 100.0);
        assert!((error.unwrap() - 100.0 * (2.0_f64 / 9.0 / 6.0).sqrt()).abs() < 1e-9);
        let far = &other.against.unwrap().farthest[0];
        assert_eq!((far.position, far.expected.0, far.found.0), (8, 0, 1));
        assert!((far.expected.1 - 0.4).abs() < 1e-6);
    }

    #[test]
    fn rows_that_are_not_finite_are_an_error_and_one_position_has_no_error() {
        let mut sums = Sums::default();
        assert_eq!(sums.add(0, &[f32::NAN, 0.0], 1, None), Err(NOT_FINITE));
        assert_eq!(sums.n, 0);
        sums.add(0, &[0.0, 0.0], 1, None).unwrap();
        let (found, error) = value(&scores(&[sums]), Metric::Perplexity);
        assert!((found - 2.0).abs() < 1e-9 && error.is_none());
    }
}
