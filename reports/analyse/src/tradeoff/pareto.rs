//! Pareto fronts that respect uncertainty: which points others beat, as far as intervals tell.

use serde::Serialize;

/// A value on one axis, turned so that less is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    pub(crate) value: f64,
    /// Where the true value is, both ends the value itself where it is exact; `None` where nothing is known of it.
    pub(crate) range: Option<(f64, f64)>,
}

impl Cost {
    /// Less, whatever the true values are.
    pub(crate) fn shown_less(self, other: Cost) -> bool {
        matches!((self.range, other.range), (Some((_, high)), Some((low, _))) if high < low)
    }
}

/// What a front makes of a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// On it: against every other point it shows an advantage.
    Front,
    /// On it, but intervals show no advantage over these points of the front: they may beat it.
    Tied(Vec<usize>),
    /// These points are shown better on one axis, and are no worse on the other: those of the front that do, or where none of
    /// the front shows it, any.
    Dominated(Vec<usize>),
    /// It has no value on one of the axes, for this reason.
    Missing(String),
}

impl Standing {
    /// Front and ties: what may be the best choice.
    pub fn is_on_front(&self) -> bool {
        matches!(self, Standing::Front | Standing::Tied(_))
    }
}

/// The standing of every point; a point is its costs, or the reason it has none.
///
/// A point is dominated only where another is shown better on one axis and its value is no worse on any: an advantage that the
/// intervals do not show is not taken from it, so that wide intervals never hide a choice. As values order the dominating before
/// the dominated, no circle of points can dominate itself away.
pub(crate) fn standings<const AXES: usize>(
    points: &[Result<[Cost; AXES], String>],
) -> Vec<Standing> {
    let known: Vec<(usize, &[Cost; AXES])> =
        points.iter().enumerate().filter_map(|(i, p)| Some((i, p.as_ref().ok()?))).collect();
    let dominated = |point: &[Cost; AXES]| known.iter().any(|(_, other)| dominates(other, point));
    let (beaten, front): (Vec<_>, Vec<_>) = known.iter().partition(|(_, point)| dominated(point));
    let standing = |(index, point): (usize, &Result<[Cost; AXES], String>)| {
        let point = match point {
            Ok(point) => point,
            Err(reason) => return Standing::Missing(reason.clone()),
        };
        let beating = |among: &[(usize, &[Cost; AXES])]| -> Vec<usize> {
            among.iter().filter(|(_, other)| dominates(other, point)).map(|(i, _)| *i).collect()
        };
        if dominated(point) {
            let by = beating(&front);
            return Standing::Dominated(if by.is_empty() { beating(&beaten) } else { by });
        }
        let ties: Vec<usize> = front
            .iter()
            .filter(|(other, costs)| *other != index && !shows_advantage(point, costs))
            .map(|(other, _)| *other)
            .collect();
        if ties.is_empty() { Standing::Front } else { Standing::Tied(ties) }
    };
    points.iter().enumerate().map(standing).collect()
}

fn dominates<const AXES: usize>(a: &[Cost; AXES], b: &[Cost; AXES]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.value <= b.value) && shows_advantage(a, b)
}

fn shows_advantage<const AXES: usize>(a: &[Cost; AXES], b: &[Cost; AXES]) -> bool {
    a.iter().zip(b).any(|(a, b)| a.shown_less(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Dominated, Front, Missing, Tied};

    /// Two costs, each with how far it may be off; a negative reach: nothing is known.
    fn point(x: f64, y: f64, reach: [f64; 2]) -> Result<[Cost; 2], String> {
        let cost = |value, reach| Cost {
            value,
            range: (reach >= 0.0).then_some((value - reach, value + reach)),
        };
        Ok([cost(x, reach[0]), cost(y, reach[1])])
    }

    fn exact(x: f64, y: f64) -> Result<[Cost; 2], String> {
        point(x, y, [0.0; 2])
    }

    #[test]
    fn a_known_front_is_found_and_dominated_points_name_what_beats_them() {
        let points =
            [exact(1.0, 9.0), exact(3.0, 3.0), exact(9.0, 1.0), exact(4.0, 4.0), exact(9.0, 9.0)];
        let found = standings(&points);
        assert_eq!(found[..3], [Front, Front, Front]);
        assert_eq!(found[3], Dominated(vec![1]));
        assert_eq!(found[4], Dominated(vec![0, 1, 2]));
    }

    #[test]
    fn worse_beyond_the_intervals_on_one_axis_and_no_better_on_the_other_is_dominated() {
        let better = point(1.0, 1.0, [0.1, 0.1]);
        assert_eq!(
            standings(&[better.clone(), point(1.0, 2.0, [0.1, 0.1])])[1],
            Dominated(vec![0])
        );
        // Worse on both, but within the intervals on each: a tie, for both.
        let near = point(1.1, 1.1, [0.1, 0.1]);
        assert_eq!(standings(&[better.clone(), near]), [Tied(vec![1]), Tied(vec![0])]);
        // Worse on one axis, better on the other by less than the intervals: not dominated, and no advantage is shown.
        let traded = point(0.95, 2.0, [0.1, 0.1]);
        assert_eq!(standings(&[better, traded]), [Front, Tied(vec![0])]);
    }

    #[test]
    fn wide_intervals_never_hide_a_choice() {
        let slow_exact = point(10.0, 0.001, [8.0, 0.0]);
        let fast_coarse = point(4.0, 0.5, [8.0, 0.0]);
        assert_eq!(standings(&[slow_exact, fast_coarse]), [Front, Tied(vec![0])]);
    }

    #[test]
    fn without_an_interval_nothing_is_shown() {
        let unknown = [-1.0, -1.0];
        let found = standings(&[point(1.0, 1.0, unknown), point(2.0, 2.0, unknown)]);
        assert_eq!(found, [Tied(vec![1]), Tied(vec![0])]);
    }

    #[test]
    fn equals_stay_equal_and_what_is_missing_takes_no_part() {
        let missing: Result<[Cost; 2], String> = Err("random weights".into());
        let found = standings(&[exact(1.0, 1.0), missing, exact(1.0, 1.0)]);
        assert_eq!(found, [Tied(vec![2]), Missing("random weights".into()), Tied(vec![0])]);
        assert_eq!(standings::<2>(&[]), []);
    }
}
