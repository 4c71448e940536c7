//! What the machine did meanwhile: CPU time the hypervisor gave to others, by which a launch is set apart.

use std::time::Instant;

/// Share of all cores' time stolen from which on a launch is set apart, percent.
const MOST_STOLEN: f64 = 5.0;
/// Fewer ticks make no percentage.
const FEWEST_TICKS: u64 = 50;

/// A moment.
pub(crate) struct Moment {
    start: Instant,
    /// Ticks of all cores: (all, stolen); Linux only.
    ticks: Option<(u64, u64)>,
}

impl Moment {
    pub(crate) fn now() -> Moment {
        let text = std::fs::read_to_string("/proc/stat").ok();
        Moment { start: Instant::now(), ticks: text.as_deref().and_then(ticks) }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Outside evidence against what was measured since, if there is any.
    pub(crate) fn evidence(&self) -> Option<String> {
        let (before, after) = self.ticks.zip(Moment::now().ticks)?;
        let all = after.0.checked_sub(before.0).filter(|all| *all >= FEWEST_TICKS)?;
        let stolen = after.1.saturating_sub(before.1) as f64 / all as f64 * 100.0;
        (stolen > MOST_STOLEN).then(|| format!("steal above {MOST_STOLEN} %"))
    }
}

/// user nice system idle iowait irq softirq steal; guests are part of user.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let numbers: Option<Vec<u64>> = line.split_whitespace().map(|n| n.parse().ok()).collect();
    let numbers = numbers?;
    Some((numbers.get(..8)?.iter().sum(), numbers[7]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_all_of_the_first_line_and_the_eighth() {
        assert_eq!(ticks("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1"), Some((36, 8)));
        assert_eq!(
            (ticks("cpu  1 2 3"), ticks(""), ticks("cpu  1 2 3 4 5 6 7 x")),
            (None, None, None)
        );
    }
}
