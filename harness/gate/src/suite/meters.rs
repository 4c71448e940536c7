//! Whether anything here tells power or energy.

use std::time::Duration;

use yardstick_api::Known;
use yardstick_probes::Probe;

/// The first meter that tells something of so long a time, by the name of its reading; else why none does.
pub(super) fn meter(probes: &dyn Fn() -> Vec<Box<dyn Probe>>, time: Duration) -> Known<String> {
    let mut probes = probes();
    let started: Vec<bool> =
        probes.iter_mut().map(|probe| probe.start(std::process::id()).is_ok()).collect();
    std::thread::sleep(time);
    let mut why = None;
    let mut found = None;
    for (probe, _) in probes.iter_mut().zip(started).filter(|(_, started)| *started) {
        for reading in probe.stop().unwrap_or_default() {
            let power = reading.unit == "J" || reading.unit == "W";
            match reading.value {
                Known::Value(_) if power && !reading.name.ends_with("_limit_watts") => {
                    found.get_or_insert(reading.name);
                }
                Known::Unavailable { unavailable } if power => {
                    why.get_or_insert(unavailable);
                }
                _ => {}
            }
        }
    }
    match (found, why) {
        (Some(name), _) => Known::Value(name),
        (None, Some(why)) => Known::unavailable(format!("no meter tells energy: {why}")),
        (None, None) => Known::unavailable("no meter tells energy here"),
    }
}
