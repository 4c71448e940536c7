//! Many kernels, one error budget: Holm's step-down procedure.

/// Which hypotheses are rejected such that none is wrongly with a chance of at least 1 - `alpha`, whatever their dependence.
/// In the order given. A chance that is not a number rejects nothing.
///
/// Source: Holm, Scandinavian Journal of Statistics 6 (1979), 65-70.
pub fn holm(p: &[f64], alpha: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    let value = |i: usize| if p[i].is_nan() { f64::INFINITY } else { p[i] };
    order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
    let mut rejected = vec![false; p.len()];
    for (rank, &i) in order.iter().enumerate() {
        if value(i) > alpha / (p.len() - rank) as f64 {
            break;
        }
        rejected[i] = true;
    }
    rejected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_down_as_holms_own_example() {
        // By hand: 0.005 <= 0.05/4, 0.01 <= 0.05/3, 0.03 > 0.05/2: stop.
        assert_eq!(holm(&[0.01, 0.04, 0.03, 0.005], 0.05), [true, false, false, true]);
        assert_eq!(holm(&[0.02, 0.02], 0.05), [true, true]);
        assert_eq!(holm(&[0.03, 0.03], 0.05), [false, false]);
        assert_eq!(holm(&[f64::NAN, 0.001], 0.05), [false, true]);
        assert!(holm(&[], 0.05).is_empty());
    }
}
