//! The bootstrap of medians, worked out instead of drawn: every median that drawing with replacement can give, and its chance.

use crate::binomial_cdf;

/// A median and its chance.
pub(crate) type Atom = (f64, f64);

/// More values or draws than this: medians of an even number of draws are taken for their lower half, to stay quick.
const MANY: usize = 120;

/// Medians of `draws` values drawn with replacement from a sorted pool, ascending, with their chances.
///
/// Source: Efron, Annals of Statistics 7 (1979), section 3, for an odd number; the joint chance of the two middle ones for an
/// even number.
pub(crate) fn medians(pool: &[f64], draws: usize) -> Vec<Atom> {
    if pool.is_empty() || draws == 0 {
        return Vec::new();
    }
    let mut atoms = if draws % 2 == 1 || pool.len() > MANY || draws > MANY {
        middle(pool, draws, draws / 2 + 1)
    } else {
        two_middles(pool, draws / 2)
    };
    atoms.retain(|atom| atom.1 > 0.0);
    atoms.sort_by(|a, b| a.0.total_cmp(&b.0));
    atoms
}

/// The `rank`-th smallest draw: it is at most the i-th of the pool where at least `rank` draws are.
fn middle(pool: &[f64], draws: usize, rank: usize) -> Vec<Atom> {
    let at_most = |i: usize| match i {
        0 => 0.0,
        i if i == pool.len() => 1.0,
        i => 1.0 - binomial_cdf(draws, i as f64 / pool.len() as f64)[rank - 1],
    };
    pool.iter().enumerate().map(|(i, &value)| (value, at_most(i + 1) - at_most(i))).collect()
}

/// The mean of the `half`-th smallest draw and the next, of `2 half`: half of the draws are at most the one, half at least the other.
fn two_middles(pool: &[f64], half: usize) -> Vec<Atom> {
    let n = pool.len() as f64;
    let power = |share: f64| share.powi(i32::try_from(half).unwrap_or(i32::MAX));
    let ways = (1..=half).fold(1.0, |ways, i| ways * (half + i) as f64 / i as f64);
    let low: Vec<f64> =
        (1..=pool.len()).map(|i| power(i as f64 / n) - power((i - 1) as f64 / n)).collect();
    let mut atoms = Vec::new();
    for (i, (value, whole)) in middle(pool, 2 * half, half).into_iter().enumerate() {
        let mut apart = 0.0;
        for (j, other) in pool.iter().enumerate().skip(i + 1) {
            // Of the draws above, at least one is the j-th: that is the i-th of the low ones seen from the other end.
            let chance = ways * low[i] * low[pool.len() - 1 - j];
            apart += chance;
            atoms.push((value.midpoint(*other), chance));
        }
        atoms.push((value, (whole - apart).max(0.0)));
    }
    atoms
}

/// The share `q` quantile of a draw of `a` less a draw of `b`, from below: the least difference that at least that share is at most.
pub(crate) fn difference_quantile(a: &[Atom], b: &[Atom], q: f64) -> Option<f64> {
    let (low, high) = (a.first()?.0 - b.last()?.0, a.last()?.0 - b.first()?.0);
    if !(low.is_finite() && high.is_finite()) {
        return None;
    }
    let from = tails(b);
    let (mut low, mut high) = (low, high);
    for _ in 0..STEPS {
        let middle = low.midpoint(high);
        if at_most(a, b, &from, middle) < q { low = middle } else { high = middle }
    }
    Some(high)
}

/// Halvings: the bounds are then known to a billionth of their span.
const STEPS: usize = 32;

/// The chance of each atom and all above.
fn tails(atoms: &[Atom]) -> Vec<f64> {
    let mut from: Vec<f64> = atoms
        .iter()
        .rev()
        .scan(0.0, |sum, atom| {
            *sum += atom.1;
            Some(*sum)
        })
        .collect();
    from.reverse();
    from.push(0.0);
    from
}

/// P(a - b <= t): b is at least a - t.
fn at_most(a: &[Atom], b: &[Atom], from: &[f64], t: f64) -> f64 {
    let mut at = 0;
    let mut sum = 0.0;
    for &(value, chance) in a {
        while at < b.len() && b[at].0 < value - t {
            at += 1;
        }
        sum += chance * from[at];
    }
    sum
}

/// The value that a share `q` of the atoms' absolute values is at most.
pub(crate) fn absolute_quantile(atoms: &[Atom], q: f64) -> Option<f64> {
    let mut absolute: Vec<Atom> = atoms.iter().map(|atom| (atom.0.abs(), atom.1)).collect();
    absolute.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut sum = 0.0;
    let reached = absolute.iter().find(|atom| {
        sum += atom.1;
        sum >= q - 1e-12
    });
    reached.or(absolute.last()).map(|atom| atom.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every draw there is, counted.
    fn counted(pool: &[f64], draws: u32) -> Vec<Atom> {
        let mut counts = std::collections::BTreeMap::new();
        let n = pool.len();
        let whole = n.pow(draws);
        for mut code in 0..whole {
            let mut drawn = Vec::new();
            for _ in 0..draws {
                drawn.push(pool[code % n]);
                code /= n;
            }
            drawn.sort_by(f64::total_cmp);
            let median = crate::median(&drawn).unwrap();
            *counts.entry((median * 1e6) as i64).or_insert(0.0) += 1.0 / whole as f64;
        }
        counts.into_iter().map(|(value, chance)| (value as f64 / 1e6, chance)).collect()
    }

    fn merged(atoms: Vec<Atom>) -> Vec<Atom> {
        let mut merged: Vec<Atom> = Vec::new();
        for (value, chance) in atoms {
            match merged.last_mut() {
                Some(last) if (last.0 - value).abs() < 1e-9 => last.1 += chance,
                _ => merged.push((value, chance)),
            }
        }
        merged
    }

    #[test]
    fn chances_are_those_of_drawing_every_draw() {
        for pool in [vec![1.0, 2.0, 4.0, 8.0], vec![1.0, 3.0, 4.5, 9.0, 16.0], vec![2.0, 2.0, 5.0]]
        {
            for draws in [1, 2, 3, 4, 5, 6] {
                let (found, truth) =
                    (merged(medians(&pool, draws as usize)), counted(&pool, draws));
                assert_eq!(found.len(), truth.len(), "{pool:?} {draws}");
                for (f, t) in found.iter().zip(&truth) {
                    assert!((f.0 - t.0).abs() < 1e-6 && (f.1 - t.1).abs() < 1e-9, "{f:?} {t:?}");
                }
            }
        }
    }

    #[test]
    fn quantiles_of_a_difference_are_those_of_all_pairs() {
        let (a, b) = (medians(&[1.0, 2.0, 4.0], 3), medians(&[0.5, 3.0, 3.5, 7.0], 4));
        let mut pairs: Vec<Atom> =
            a.iter().flat_map(|x| b.iter().map(move |y| (x.0 - y.0, x.1 * y.1))).collect();
        pairs.sort_by(|x, y| x.0.total_cmp(&y.0));
        for q in [0.025, 0.2, 0.5, 0.9] {
            let mut sum = 0.0;
            let truth = pairs
                .iter()
                .find(|p| {
                    sum += p.1;
                    sum >= q
                })
                .unwrap()
                .0;
            let found = difference_quantile(&a, &b, q).unwrap();
            assert!((found - truth).abs() < 1e-6, "{q}: {found} for {truth}");
        }
    }
}
