//! Hardware counters of this process, where the kernel lets it have them (perf_event_open(2)): cycles, instructions, misses of the
//! last cache, and the time its threads ran. Threads that start after they were opened are counted too.

use yardstick_api::Known;

/// What is counted, by name, in the order of [`Counters::read`].
pub const COUNTED: [&str; 4] = ["cycles", "instructions", "cache_misses", "task_clock_ns"];

/// Open counters; each may be missing with its reason.
pub struct Counters(inner::Inner);

impl Counters {
    /// Opens them for this thread and every thread it starts from now on.
    pub fn open() -> Counters {
        Counters(inner::open())
    }

    /// What they count since they were opened.
    pub fn read(&mut self) -> [Known<u64>; COUNTED.len()] {
        inner::read(&mut self.0)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod inner {
    use perf_event::events::{Hardware, Software};
    use perf_event::{Builder, Counter};
    use yardstick_api::Known;

    use super::COUNTED;

    pub(super) type Inner = [Result<Counter, String>; COUNTED.len()];

    pub(super) fn open() -> Inner {
        [
            ready(Builder::new(Hardware::CPU_CYCLES)),
            ready(Builder::new(Hardware::INSTRUCTIONS)),
            ready(Builder::new(Hardware::CACHE_MISSES)),
            ready(Builder::new(Software::TASK_CLOCK)),
        ]
    }

    fn ready(mut builder: Builder<'_>) -> Result<Counter, String> {
        let mut open = || {
            let mut counter = builder.inherit(true).build()?;
            counter.enable()?;
            Ok(counter)
        };
        let refused = |error: std::io::Error| {
            format!(
                "perf_event_open: {error} (this kernel or virtual machine does not let it be counted)"
            )
        };
        open().map_err(refused)
    }

    pub(super) fn read(inner: &mut Inner) -> [Known<u64>; COUNTED.len()] {
        inner.each_mut().map(|counter| match counter {
            Ok(counter) => match counter.read() {
                Ok(value) => Known::Value(value),
                Err(error) => Known::unavailable(format!("reading the counter: {error}")),
            },
            Err(reason) => Known::unavailable(reason.as_str()),
        })
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod inner {
    use yardstick_api::Known;

    use super::COUNTED;

    pub(super) type Inner = ();

    pub(super) fn open() -> Inner {}

    pub(super) fn read(_: &mut Inner) -> [Known<u64>; COUNTED.len()] {
        std::array::from_fn(|_| Known::unavailable("hardware counters are read on Linux only"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn counters_of_threads_started_later_only_grow_or_have_a_reason() {
        let mut counters = Counters::open();
        let before = counters.read();
        let work = || (0..2_000_000_u64).fold(1_u64, |sum, i| std::hint::black_box(sum ^ i));
        let sum = std::thread::spawn(work).join();
        assert!(sum.is_ok());
        for ((before, after), name) in before.iter().zip(counters.read()).zip(COUNTED) {
            match (before, &after) {
                (Known::Value(before), Known::Value(after)) => {
                    assert!(name == "cache_misses" || after > before, "{name}: {before} {after}");
                }
                _ => assert!(after.reason().is_some_and(|why| why.contains("perf_event_open"))),
            }
        }
    }
}
