//! Counters that wrap, jump, stand still and vanish; and simulated meters against the truth.

use super::*;

const RANGE: u64 = 262_143_328_850;

fn kind() -> Kind {
    Kind { joules: 1e-6, range: Ok(RANGE), most_watts: 2000.0, update: Duration::from_millis(1) }
}

fn after(kind: Kind, reads: &[(u64, Learnt<u64>)]) -> Learnt<Energy> {
    let mut counter = Counter::new(kind);
    for (ms, value) in reads {
        counter.take(Duration::from_millis(*ms), value.clone());
    }
    counter.energy()
}

fn reason(kind: Kind, reads: &[(u64, Learnt<u64>)]) -> String {
    after(kind, reads).unwrap_err()
}

#[test]
fn energy_is_what_passed_and_power_its_mean() {
    let reads = [(0, Ok(5)), (500, Ok(40_000_005)), (2000, Ok(100_000_005))];
    let energy = after(kind(), &reads).unwrap();
    assert_eq!((energy.joules, energy.watts), (100.0, 50.0));
    // 80 W from the first read to the second, for one update of 1 ms at each end.
    let Precision { uncertainty, rate_hz, coverage } = energy.precision;
    assert!((uncertainty - 0.16).abs() < 1e-9, "{uncertainty}");
    assert_eq!((rate_hz, coverage), (1000.0, 1.0));
    assert!((energy.in_watts().1.uncertainty - 0.08).abs() < 1e-9);
}

#[test]
fn any_number_of_wraps_is_counted_when_read_often_enough() {
    // 100 W read every 0.2 s from a counter of 65.6 J: 0.66 s a wrap.
    let small = Kind { range: Ok(65_600_000), most_watts: 200.0, ..kind() };
    for (seconds, wraps) in [(1_u64, 1_u64), (2, 3), (20, 30)] {
        let mut counter = Counter::new(small.clone());
        let mut seen = 0;
        let mut last = 0;
        for tick in 0..=seconds * 5 {
            let value = tick * 20_000_000 % 65_600_000;
            seen += u64::from(value < last);
            last = value;
            counter.take(Duration::from_millis(tick * 200), Ok(value));
        }
        assert_eq!(seen, wraps);
        let joules = counter.energy().unwrap().joules;
        assert!((joules / (100.0 * seconds as f64) - 1.0).abs() < 1e-9, "{joules}");
    }
}

#[test]
fn wraps_that_may_have_been_missed_make_it_unknown() {
    let reads = [(0, Ok(1000)), (200_000, Ok(90_000_000_000))];
    assert!(reason(kind(), &reads).contains("wrapped unseen"));
}

#[test]
fn a_wrap_without_a_known_range_is_a_reason_and_growth_is_not() {
    let unknown = Kind { range: Err("no max_energy_range_uj".to_owned()), ..kind() };
    let wrapped = [(0, Ok(90_000_000)), (1000, Ok(10))];
    let why = reason(unknown.clone(), &wrapped);
    assert!(why.contains("backwards") && why.contains("max_energy_range_uj"), "{why}");
    let grown = [(0, Ok(10)), (500, Ok(30_000_010)), (1000, Ok(50_000_010))];
    assert_eq!(after(unknown, &grown).unwrap().joules, 50.0);
}

#[test]
fn nonsense_is_a_reason_whatever_follows() {
    let text = || Err("expected a whole number, found \"-5\"".to_owned());
    for (reads, named) in [
        (vec![(0, Ok(0)), (1000, Ok(9_000_000_000))], "jumped by 9000 J"),
        (vec![(0, Ok(9_000_000_000)), (1000, Ok(7))], "jumped by"),
        (vec![(0, Ok(RANGE + 1)), (1000, Ok(5))], "beyond its range"),
        (vec![(0, Ok(5)), (1000, Ok(u64::MAX))], "beyond its range"),
        (vec![(0, text())], "whole number"),
        (vec![(0, Ok(5)), (500, Ok(20_000_000)), (1000, text())], "vanished"),
        (vec![], "never read"),
    ] {
        let why = reason(kind(), &reads);
        assert!(why.contains(named), "{reads:?}: {why}");
        let more = [reads, vec![(1500, Ok(6)), (2000, text())]].concat();
        assert!(after(kind(), &more).is_err());
    }
}

#[test]
fn a_counter_that_stands_still_is_stuck_and_never_0() {
    for (reads, named) in [
        (vec![(0, Ok(7)), (600, Ok(7)), (1200, Ok(7))], "stuck"),
        (vec![(0, Ok(7)), (300, Ok(7))], "stuck"),
        (
            vec![(0, Ok(0)), (500, Ok(10_000_000)), (900, Ok(10_000_000)), (1500, Ok(10_000_000))],
            "stuck: it did not change for 1.0 s of 1.5 s",
        ),
        (vec![(0, Ok(0)), (10, Ok(500_000))], "too short"),
    ] {
        let why = reason(kind(), &reads);
        assert!(why.contains(named), "{reads:?}: {why}");
    }
    // Shorter pauses are the counter's resolution.
    let reads = [(0, Ok(0)), (500, Ok(10_000_000)), (900, Ok(10_000_000)), (1400, Ok(20_000_000))];
    assert_eq!(after(kind(), &reads).unwrap().joules, 20.0);
}

#[test]
fn a_read_that_fails_once_costs_nothing() {
    let reads = [(0, Ok(0)), (500, Err("busy".to_owned())), (1000, Ok(50_000_000))];
    assert_eq!(after(kind(), &reads).unwrap().joules, 50.0);
}

/// Joules a load has used by `t` seconds: 50 W, and 200 W for a quarter of each period.
fn truth(t: f64, period: f64, phase: f64) -> f64 {
    let at = t + phase * period;
    let whole = (at / period).floor();
    let busy = whole * period * 0.25 + (at - whole * period).min(period * 0.25);
    50.0 * t + 150.0 * (busy - (phase * period).min(period * 0.25))
}

/// Numbers from 0 to 1 (a linear congruential generator is random enough for phases).
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

/// Energy read by a meter that shows the truth every `update`, give or take a jitter, beside the truth of the window.
fn simulated(kind: &Kind, run: u64, seconds: f64) -> (Energy, f64) {
    let mut seed = run + 1;
    let update = kind.update.as_secs_f64();
    let (period, phase) = (0.02 + random(&mut seed), random(&mut seed));
    let begin = random(&mut seed) * update * 10.0;
    let jitter: Vec<f64> = (0..4096).map(|_| random(&mut seed) * update * 0.5).collect();
    let range = kind.range.clone().unwrap();
    let shown = |t: f64| {
        // The update before this moment, by its own jittery clock.
        let mut tick = (t / update).floor();
        if tick * update + jitter[tick as usize % jitter.len()] > t {
            tick -= 1.0;
        }
        let at = tick * update + jitter[tick.max(0.0) as usize % jitter.len()];
        // Starts just below its range, so that it wraps in every run.
        let units = (truth(at.max(0.0), period, phase) / kind.joules) as u64;
        (units + range - (20.0 / kind.joules) as u64) % range
    };
    let mut counter = Counter::new(kind.clone());
    let mut t = begin;
    while t < begin + seconds {
        counter.take(Duration::from_secs_f64(t), Ok(shown(t)));
        t += 0.2 + random(&mut seed) * 0.02;
    }
    let end = begin + seconds;
    counter.take(Duration::from_secs_f64(end), Ok(shown(end)));
    (counter.energy().unwrap(), truth(end, period, phase) - truth(begin, period, phase))
}

#[test]
fn simulated_meters_stay_within_their_stated_uncertainty_in_200_runs() {
    let rapl = kind();
    let board =
        Kind { joules: 1e-3, range: Ok(1 << 40), update: Duration::from_millis(100), ..kind() };
    // Windows as tests have them: 2 s without, 30 s with `--energy`, which is there for slow counters.
    for (kind, seconds) in [(rapl, 2.0), (board, 30.0)] {
        let mut worst: f64 = 0.0;
        let inside = (0..200)
            .filter(|run| {
                let (read, truth) = simulated(&kind, *run, seconds);
                worst = worst.max((read.joules / truth - 1.0).abs());
                (read.joules - truth).abs() <= read.precision.uncertainty
            })
            .count();
        println!(
            "update {:?}: {inside} of 200 inside, worst error {:.3} %",
            kind.update,
            worst * 100.0
        );
        assert!(inside >= 183, "{inside}");
        assert!(worst <= 0.01, "{worst}");
    }
}

#[test]
fn a_jittery_slow_counter_stays_within_what_one_update_at_each_end_allows() {
    // 100 ms refresh, read every 200 ms at five phases, 80 W.
    let slow = Kind {
        joules: 1e-3,
        range: Err("none".to_owned()),
        most_watts: 3000.0,
        update: Duration::from_millis(100),
    };
    for phase in [0_u64, 17, 43, 71, 99] {
        let mut counter = Counter::new(slow.clone());
        for tick in 0..=25_u64 {
            let shown = (tick * 200 + phase) / 100 * 100;
            counter.take(Duration::from_millis(tick * 200), Ok(1_000_000 + shown * 80));
        }
        let joules = counter.energy().unwrap().joules;
        assert!((joules - 400.0).abs() <= 2.0 * 0.1 * 80.0, "phase {phase}: {joules}");
    }
}
