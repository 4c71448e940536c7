//! The limits a launch's tests are held against: by its own backend, or, where that cannot, by the best device of the same kind
//! and class whose backend can, in the same run with the same threads. What a decode reads against is measured on both sides of
//! its samples, because a shared memory has minutes; the rest once a launch.

use std::collections::BTreeMap;

use yardstick_api::{Device, DeviceClass, DeviceStatus, Facts, Known, Limit, Numerics, Reached};
use yardstick_model::Model;
use yardstick_record::{Ceiling, Peak, Phase, Test};

use super::super::config;
use super::super::output::Measured;
use super::Measuring;
use crate::child::{CallError, Child};
use crate::protocol::{Answer, Call};

/// What was measured in a launch, by limit and threads asked for.
pub(super) type Ceilings = BTreeMap<(Limit, Option<usize>), Known<Reached>>;

impl Measuring<'_, '_, '_> {
    /// Measures the read bandwidth before a decode is prepared, where the device's own backend can. A worker that is lost by it has
    /// lost the cell, as by any call before the samples; one that says it cannot goes on.
    pub(super) fn hold_before(
        &mut self,
        child: &mut Child,
        test: Test,
        measured: &mut Measured,
    ) -> Result<(), CallError> {
        let Test::Generate { tokens, depth } = test else { return Ok(()) };
        let Some(facts) = self.context.facts.value().cloned() else { return Ok(()) };
        if self.run.ceilings == config::Ceilings::Never {
            return Ok(());
        }
        if let Known::Value((bytes, _)) = self.read_by(&facts, (tokens, depth)) {
            self.phase(Phase::Ceiling, Some(test));
            let (limit, threads) = (Limit::Read { bytes }, facts.threads.value().copied());
            let reached = self.ask(child, &self.launch.device.id, limit, threads)?;
            measured.before = reached.value().cloned();
        }
        Ok(())
    }

    /// Measures what a test is held against: for a decode the read bandwidth at the bytes one token streams, for a prefill the
    /// arithmetic peak.
    pub(super) fn hold(
        &mut self,
        child: &mut Child,
        test: Test,
        measured: &mut Measured,
    ) -> Result<(), CallError> {
        if self.run.ceilings == config::Ceilings::Never {
            measured.ceiling = Known::unavailable("no limits were measured in this run");
            return Ok(());
        }
        measured.ceiling = Known::unavailable("read bandwidth is measured beside tg tests only");
        let Some(facts) = self.context.facts.value().cloned() else { return Ok(()) };
        let lost = "the worker was lost measuring it";
        match test {
            Test::Generate { tokens, depth } => {
                measured.ceiling = Known::unavailable(lost);
                let before = measured.before.take();
                measured.ceiling = self.bandwidth(child, test, &facts, (tokens, depth), before)?;
            }
            Test::Prefill { tokens, depth } => {
                measured.peak = Some(Known::unavailable(lost));
                measured.peak = Some(self.peak(child, test, &facts, (tokens, depth))?);
            }
            _ => {}
        }
        Ok(())
    }

    fn bandwidth(
        &mut self,
        child: &mut Child,
        test: Test,
        facts: &Facts,
        (tokens, depth): (usize, usize),
        before: Option<Reached>,
    ) -> Result<Known<Ceiling>, CallError> {
        let (bytes, positions_read) = match self.read_by(facts, (tokens, depth)) {
            Known::Value(found) => found,
            Known::Unavailable { unavailable } => return Ok(Known::unavailable(unavailable)),
        };
        let (limit, threads) = (Limit::Read { bytes }, facts.threads.value().copied());
        let reached = match before {
            None => self.limit(child, test, limit, threads)?,
            Some(before) => {
                self.phase(Phase::Ceiling, Some(test));
                let after = self.ask(child, &self.launch.device.id, limit, threads)?;
                Known::Value(match after {
                    Known::Value(after) => both(before, after),
                    Known::Unavailable { .. } => before,
                })
            }
        };
        Ok(reached.map(|reached| Ceiling {
            bytes_per_second: reached.value,
            sustained_bytes_per_second: reached.sustained(),
            working_set_bytes: bytes,
            positions_read: Some(positions_read),
            threads: reached.threads,
            how: Some(reached.how),
        }))
    }

    /// Bytes that a step of a decode reads, and the positions each of its tokens reads.
    fn read_by(&self, facts: &Facts, (tokens, depth): (usize, usize)) -> Known<(u64, f64)> {
        if facts.streamed_bytes == 0 {
            return Known::unavailable("the device streams no weights");
        }
        let positions_read = match Model::open(&self.model.path) {
            Ok(model) => model.architecture().positions_read(tokens, depth),
            Err(error) => return Known::unavailable(error.to_string()),
        };
        let bytes = working_set(facts, self.launch.options.sequences, positions_read);
        Known::Value((bytes, positions_read))
    }

    fn peak(
        &mut self,
        child: &mut Child,
        test: Test,
        facts: &Facts,
        (tokens, depth): (usize, usize),
    ) -> Result<Known<Peak>, CallError> {
        let operations_per_token = match Model::open(&self.model.path) {
            Ok(model) => model.architecture().operations_per_token(tokens, depth),
            Err(error) => return Ok(Known::unavailable(error.to_string())),
        };
        let threads = facts.threads.value().copied();
        let mut reached = Known::unavailable("no arithmetic fits the numerics that ran");
        for limit in arithmetic(facts, test) {
            reached = self.limit(child, test, limit, threads)?;
            if reached.value().is_some() {
                break;
            }
        }
        Ok(reached.map(|reached| Peak {
            operations_per_second: reached.value,
            operations_per_token,
            class: reached.label,
            threads: reached.threads,
            how: Some(reached.how),
        }))
    }

    /// What the launch's device reaches at a limit. A lost worker is an error only where it is the launch's own.
    pub(super) fn limit(
        &mut self,
        child: &mut Child,
        test: Test,
        limit: Limit,
        threads: Option<usize>,
    ) -> Result<Known<Reached>, CallError> {
        let fresh = self.run.ceilings == config::Ceilings::EveryTest;
        let known = self.ceilings.get(&(limit, threads)).filter(|_| !fresh);
        if let Some(measured) = known {
            return Ok(measured.clone());
        }
        self.phase(Phase::Ceiling, Some(test));
        let mut reached = self.ask(child, &self.launch.device.id, limit, threads)?;
        if let (Some(own), DeviceClass::Hardware) = (reached.reason(), self.launch.device.class) {
            let own = own.to_owned();
            reached = match self.stand_in(limit, threads) {
                Ok(Some(reached)) => Known::Value(reached),
                Err(CallError::Interrupted) => return Err(CallError::Interrupted),
                Ok(None) | Err(_) => Known::unavailable(own),
            };
        }
        self.ceilings.insert((limit, threads), reached.clone());
        Ok(reached)
    }

    fn ask(
        &self,
        child: &mut Child,
        device: &str,
        limit: Limit,
        threads: Option<usize>,
    ) -> Result<Known<Reached>, CallError> {
        let call = Call::Ceiling { device: device.to_owned(), limit, threads };
        match child.call(call, Phase::Ceiling, self.run.cancel, &mut |_| {}) {
            Ok(Answer::Ceiling { reached }) => Ok(plausible(reached)),
            Ok(other) => Err(child.unexpected(Phase::Ceiling, &other)),
            Err(CallError::Fault { message, .. }) => Ok(Known::unavailable(message)),
            Err(error) => Err(error),
        }
    }

    /// Asks the devices of the same kind and class in a worker of their own, each backend's best first.
    fn stand_in(&self, limit: Limit, threads: Option<usize>) -> Result<Option<Reached>, CallError> {
        let (mut child, hello) =
            Child::start(&self.run.own().command, &self.run.plan.deadlines, self.run.cancel)?;
        let mut devices = Vec::new();
        for backend in hello.backends {
            let call = Call::Devices { backend };
            match child.call(call, Phase::Devices, self.run.cancel, &mut |_| {}) {
                Ok(Answer::Devices { devices: found }) => devices.extend(found),
                Ok(_) | Err(CallError::Fault { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for device in candidates(&self.launch.device, devices) {
            if let Known::Value(reached) = self.ask(&mut child, &device.id, limit, threads)? {
                let how = format!("{}, measured by {}", reached.how, device.id);
                child.stop();
                return Ok(Some(Reached { how, ..reached }));
            }
        }
        child.stop();
        Ok(None)
    }
}

/// Both moments together: the better of them, and the rounds of both.
fn both(before: Reached, after: Reached) -> Reached {
    let rounds = [before.rounds.as_slice(), &after.rounds].concat();
    let (best, other) = if before.value > after.value { (before, after) } else { (after, before) };
    let how = format!(
        "{}; on the other side of the samples {:.1} % of it",
        best.how,
        other.value / best.value * 100.0
    );
    Reached { how, rounds, ..best }
}

/// The bytes one decode step streams: the weights once, and of each sequence the keys and values of the positions it reads.
pub(crate) fn working_set(facts: &Facts, sequences: usize, positions_read: f64) -> u64 {
    let held = (facts.context as f64 * facts.sequences as f64).max(1.0);
    let kv = facts.kv_bytes as f64 * positions_read * sequences as f64 / held;
    facts.streamed_bytes.saturating_add(kv as u64)
}

/// Names in the kernels of a backend that multiplies many columns in a unit for matrices.
const MATRIX_UNITS: [&str; 2] = ["amx", "i8mm"];

/// The arithmetic that a test may run, first choice first. A device that has no units for halves computes them in
/// f32; so does one whose class is `f16` only because its KV cache is. A unit for matrices multiplies only where there are
/// many columns.
pub(crate) fn arithmetic(facts: &Facts, test: Test) -> Vec<Limit> {
    let (matrix, own): (_, &[_]) = match facts.numerics {
        Numerics::A8 | Numerics::Requantised => (Some(Limit::Int8Matrix), &[Limit::Int8]),
        Numerics::F32 => (None, &[Limit::F32]),
        Numerics::F16 => (None, &[Limit::F16, Limit::F32]),
        Numerics::Bf16 => (Some(Limit::Bf16Matrix), &[Limit::Bf16, Limit::F32]),
    };
    let named = |kernel: &String| {
        let kernel = kernel.to_lowercase();
        MATRIX_UNITS.iter().any(|unit| kernel.contains(unit))
    };
    let many = !matches!(test, Test::Generate { .. });
    matrix
        .filter(|_| many && facts.kernels.values().any(named))
        .into_iter()
        .chain(own.iter().copied())
        .collect()
}

/// Those that may stand in for a device, each backend's best first.
fn candidates(device: &Device, found: Vec<DeviceStatus>) -> Vec<Device> {
    let mut devices: Vec<Device> = found
        .into_iter()
        .filter_map(|status| match status {
            DeviceStatus::Ready(other) => Some(other),
            DeviceStatus::Missing { .. } => None,
        })
        .filter(|other| other.kind == device.kind && other.class == device.class)
        .filter(|other| other.id != device.id)
        .collect();
    devices.sort_by_key(|other| !other.preferred);
    devices
}

/// A limit is a positive number; anything else would poison what is held against it.
pub(crate) fn plausible(reached: Known<Reached>) -> Known<Reached> {
    match reached {
        Known::Value(reached) if !(reached.value.is_finite() && reached.value > 0.0) => {
            Known::unavailable(format!("the device says it reaches {}", reached.value))
        }
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use yardstick_api::{DeviceKind, Round};

    use super::*;

    fn device(id: &str, kind: DeviceKind, class: DeviceClass, preferred: bool) -> Device {
        Device {
            id: id.into(),
            name: id.into(),
            kind,
            class,
            numerics: Vec::new(),
            memory_bytes: Known::unavailable("test"),
            preferred,
        }
    }

    #[test]
    fn the_best_of_the_same_kind_and_class_stands_in() {
        let hardware = DeviceClass::Hardware;
        let found = [
            device("cpu:avx2", DeviceKind::Cpu, hardware, false),
            device("cpu:avx512", DeviceKind::Cpu, hardware, true),
            device("cpu:mutant", DeviceKind::Cpu, DeviceClass::Software, true),
            device("wgpu:0", DeviceKind::Gpu, hardware, true),
            device("candle:avx2", DeviceKind::Cpu, hardware, true),
        ];
        let found = found.into_iter().map(DeviceStatus::Ready).collect();
        let own = device("candle:avx2", DeviceKind::Cpu, hardware, true);
        let ids: Vec<_> = candidates(&own, found).into_iter().map(|device| device.id).collect();
        assert_eq!(ids, ["cpu:avx512", "cpu:avx2"], "never itself");
    }

    #[test]
    fn of_two_moments_the_better_is_the_limit_and_all_rounds_are_what_was_sustained() {
        let moment = |value: f64, nanoseconds| Reached {
            value,
            threads: Known::Value(1),
            label: String::new(),
            how: format!("at {value}"),
            rounds: vec![Round { amount: 100, nanoseconds }; 2],
        };
        for (before, after) in [(4.0, 2.0), (2.0, 4.0)] {
            let found = both(moment(before, 25), moment(after, 75));
            assert_eq!(found.value, 4.0);
            assert_eq!(found.how, "at 4; on the other side of the samples 50.0 % of it");
            assert_eq!(found.rounds.len(), 4);
            // 400 in 200 ns.
            assert_eq!(found.sustained(), Some(2e9));
        }
        assert_eq!(Reached { rounds: Vec::new(), ..moment(1.0, 1) }.sustained(), None);
    }

    #[test]
    fn a_unit_for_matrices_bounds_many_columns_of_its_class_and_no_decode() {
        let facts = |kernel: &str, numerics| Facts {
            numerics,
            kernels: [("Q8_0".to_owned(), kernel.to_owned())].into(),
            ..crate::timed::tests::session(64, 1).facts()
        };
        let plain = "avx512-vnni packed rows x int8, packed panels x int8";
        let unit = "amx packed rows x int8, packed panels x int8, panels on amx-int8";
        let of = |kernel, numerics, test: &str| {
            arithmetic(&facts(kernel, numerics), test.parse().unwrap())
        };
        assert_eq!(of(plain, Numerics::A8, "pp512"), [Limit::Int8]);
        assert_eq!(of(unit, Numerics::A8, "pp512"), [Limit::Int8Matrix, Limit::Int8]);
        assert_eq!(of(unit, Numerics::A8, "tg64"), [Limit::Int8]);
        assert_eq!(of(unit, Numerics::Bf16, "pp512"), [Limit::Bf16Matrix, Limit::Bf16, Limit::F32]);
        assert_eq!(of(unit, Numerics::F32, "pp512"), [Limit::F32]);
    }

    #[test]
    fn a_limit_that_is_no_number_is_unavailable() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let threads = Known::Value(1);
            let reached = Reached {
                value,
                threads,
                label: String::new(),
                how: String::new(),
                rounds: Vec::new(),
            };
            assert!(plausible(Known::Value(reached)).reason().is_some(), "{value}");
        }
    }
}
