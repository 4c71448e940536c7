//! Hardware counters of the profiled repetitions, summed by cell.

use yardstick_analyse::profile::Counter;
use yardstick_api::Known;
use yardstick_probes::{COUNTED, Counters};

type Values = [Known<u64>; COUNTED.len()];

/// Counters and what they counted of each cell.
pub(super) struct Tallies {
    counters: Counters,
    begun: Option<Values>,
    cells: Vec<Tally>,
}

#[derive(Clone, Default)]
struct Tally {
    repetitions: u64,
    sums: Option<Values>,
}

/// Places of two of them.
const CYCLES: usize = 0;
const TASK_CLOCK: usize = 3;

impl Tallies {
    /// Opens the counters for threads that start from now on.
    pub(super) fn open(cells: usize) -> Tallies {
        Tallies { counters: Counters::open(), begun: None, cells: vec![Tally::default(); cells] }
    }

    /// A repetition begins.
    pub(super) fn begin(&mut self) {
        self.begun = Some(self.counters.read());
    }

    /// A repetition of this cell has ended.
    pub(super) fn end(&mut self, cell: usize) {
        let now = self.counters.read();
        let (Some(begun), Some(tally)) = (self.begun.take(), self.cells.get_mut(cell)) else {
            return;
        };
        let mut moved = now;
        for (now, before) in moved.iter_mut().zip(&begun) {
            *now = combine(now, before, u64::checked_sub);
        }
        tally.repetitions += 1;
        tally.sums = Some(match tally.sums.take() {
            Some(mut sums) => {
                for (sum, more) in sums.iter_mut().zip(&moved) {
                    *sum = combine(sum, more, u64::checked_add);
                }
                sums
            }
            None => moved,
        });
    }

    /// Means of a pass, and the clock while threads ran.
    pub(super) fn counters(&self, cell: usize, passes: usize) -> Vec<Counter> {
        let Some((tally, sums)) =
            self.cells.get(cell).and_then(|tally| Some((tally, tally.sums.as_ref()?)))
        else {
            return Vec::new();
        };
        let count = tally.repetitions as f64 * passes.max(1) as f64;
        let mut all: Vec<Counter> = COUNTED
            .iter()
            .zip(sums)
            .map(|(name, sum)| Counter {
                name: (*name).to_owned(),
                value: sum.clone().map(|sum| sum as f64 / count),
            })
            .collect();
        let clock = match (&sums[CYCLES], &sums[TASK_CLOCK]) {
            (Known::Value(cycles), Known::Value(ns)) if *ns > 0 => {
                Known::Value(*cycles as f64 * 1e9 / *ns as f64)
            }
            (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
                Known::unavailable(unavailable)
            }
            _ => Known::unavailable("no time was counted"),
        };
        all.push(Counter { name: "clock_hz".to_owned(), value: clock });
        all
    }
}

fn combine(one: &Known<u64>, other: &Known<u64>, by: fn(u64, u64) -> Option<u64>) -> Known<u64> {
    match (one, other) {
        (Known::Value(one), Known::Value(other)) => match by(*one, *other) {
            Some(value) => Known::Value(value),
            None => Known::unavailable("the counter went backwards"),
        },
        (Known::Unavailable { unavailable }, _) | (_, Known::Unavailable { unavailable }) => {
            Known::unavailable(unavailable)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_a_pass_is_over_all_repetitions_and_a_missing_counter_keeps_its_reason() {
        let known = |values: [u64; 3]| -> Values {
            let [cycles, misses, clock] = values.map(Known::Value);
            [cycles, Known::unavailable("refused"), misses, clock]
        };
        let sums = Some(known([8_000, 40, 2_000]));
        let tallies = Tallies {
            counters: Counters::open(),
            begun: None,
            cells: vec![Tally { repetitions: 2, sums }],
        };
        let found = tallies.counters(0, 4);
        let value = |i: usize| found[i].value.value().copied();
        assert_eq!((value(0), value(2)), (Some(1000.0), Some(5.0)));
        assert_eq!(found[1].value.reason(), Some("refused"));
        assert_eq!((found[4].name.as_str(), value(4)), ("clock_hz", Some(4e9)));
        assert!(tallies.counters(1, 4).is_empty());
        let backwards = combine(&Known::Value(1), &Known::Value(2), u64::checked_sub);
        assert!(backwards.reason().is_some());
    }
}
