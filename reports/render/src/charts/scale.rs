//! A scale: values to pixels, and ticks at round values.

/// From values to pixels, linear or logarithmic.
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

/// Ticks aimed at.
const TICKS: f64 = 6.0;
/// Powers of ten that have room for ticks between them.
const POWERS: i32 = 4;
/// Ticks below are written as powers of ten.
const SMALL: f64 = 1e-4;

impl Scale {
    /// 0 ..= `high` over these pixels.
    pub(super) fn linear(high: f64, from: i32, to: i32) -> Scale {
        let high = if high.is_finite() && high > 0.0 { high } else { 1.0 };
        Scale { low: 0.0, high, from: from.into(), to: to.into(), logarithmic: false }
    }

    /// `low` ..= `high`, both above 0, over these pixels.
    pub(super) fn logarithmic(low: f64, high: f64, from: i32, to: i32) -> Scale {
        Scale { low, high, from: from.into(), to: to.into(), logarithmic: true }
    }

    /// The least value.
    pub(super) fn low(&self) -> f64 {
        self.low
    }

    /// The largest value.
    pub(super) fn high(&self) -> f64 {
        self.high
    }

    /// Where a value stands; values beyond the ends stand at them.
    pub(super) fn at(&self, value: f64) -> i32 {
        let share = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        (self.from + share.clamp(0.0, 1.0) * (self.to - self.from)).round() as i32
    }

    /// Round values within the scale, ascending, and how they are written.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let values = if self.logarithmic { self.decades() } else { self.steps() };
        values.into_iter().map(|value| (value, write(value))).collect()
    }

    fn steps(&self) -> Vec<f64> {
        let rough = self.high / TICKS;
        let magnitude = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * magnitude);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(self.high);
        (0..=20).map(|i| f64::from(i) * step).take_while(|v| *v <= self.high * 1.000_001).collect()
    }

    /// 1, 2, 5 of each power of ten; of many powers their 1 only.
    fn decades(&self) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let of_a_power: &[f64] = if last - first > POWERS { &[1.0] } else { &[1.0, 2.0, 5.0] };
        (first..=last)
            .flat_map(|power| of_a_power.iter().map(move |m| m * 10f64.powi(power)))
            .filter(|value| (self.low..=self.high).contains(value))
            .collect()
    }
}

/// As short as exact: ticks are 1, 2 or 5 times a power of ten, and their multiples.
fn write(value: f64) -> String {
    if value > 0.0 && value < SMALL {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let words =
            |scale: Scale| scale.ticks().into_iter().map(|(_, word)| word).collect::<Vec<_>>();
        assert_eq!(words(Scale::linear(1190.0, 0, 100)), ["0", "200", "400", "600", "800", "1000"]);
        assert_eq!(words(Scale::linear(0.55, 0, 100)), ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(words(Scale::logarithmic(0.9, 60.0, 0, 100)), ["1", "2", "5", "10", "20", "50"]);
        assert_eq!(words(Scale::logarithmic(9e-6, 3e-4, 0, 100))[..3], ["1e-5", "2e-5", "5e-5"]);
        let many = words(Scale::logarithmic(1e-8, 0.06, 0, 100));
        assert_eq!(many, ["1e-8", "1e-7", "1e-6", "1e-5", "0.0001", "0.001", "0.01"]);
    }

    #[test]
    fn hostile_values_stay_on_the_scale() {
        let scale = Scale::linear(10.0, 0, 100);
        for value in [f64::INFINITY, -1e300, 1e300] {
            assert!((0..=100).contains(&scale.at(value)));
        }
        assert_eq!(Scale::linear(f64::NAN, 0, 100).at(1.0), 100);
        assert!(Scale::linear(1e300, 0, 100).ticks().len() < 30);
    }
}
