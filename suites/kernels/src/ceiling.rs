//! The ceilings a kernel is held against, measured in the same run on one thread with the same instruction set.

use std::collections::HashMap;

use yardstick_api::{Backend, Device, DeviceStatus, Known, Limit, Reached};
use yardstick_cpu::Cpu;

use crate::name::Name;
use crate::work::Work;

/// Ceilings measured so far.
#[derive(Default)]
pub struct Ceilings {
    measured: HashMap<(String, Limit), Known<Reached>>,
}

/// The shortest time a kernel's work could take here, and what sets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// Nanoseconds at the ceiling.
    pub nanoseconds: f64,
    /// Which ceiling: `reading from L2, 41.2 GB/s`.
    pub name: String,
}

impl Ceilings {
    /// The ceiling that binds: the slower of reading the bytes and doing the operations. Measures what it has not yet.
    pub fn bound(&mut self, name: &Name, work: &Work) -> Known<Bound> {
        let read = self.reached(&name.isa, Limit::Read { bytes: work.bytes });
        let read = read.map(|reached| Bound {
            nanoseconds: work.bytes as f64 / reached.value * 1e9,
            name: format!("reading from {}, {:.1} GB/s", reached.label, reached.value / 1e9),
        });
        let (Some(limit), Some(operations)) = (work.arithmetic, work.operations) else {
            return read;
        };
        let peak = self.reached(&name.isa, limit).map(|reached| Bound {
            nanoseconds: operations as f64 / reached.value * 1e9,
            name: format!("{}, {:.1} GOP/s", reached.label, reached.value / 1e9),
        });
        tighter(read, peak)
    }

    fn reached(&mut self, isa: &str, limit: Limit) -> Known<Reached> {
        let key = (isa.to_owned(), limit);
        self.measured.entry(key).or_insert_with(|| measure(isa, limit)).clone()
    }
}

/// The one that takes longer; unknown when either is.
fn tighter(one: Known<Bound>, other: Known<Bound>) -> Known<Bound> {
    match (one, other) {
        (Known::Value(one), Known::Value(other)) => {
            Known::Value(if one.nanoseconds >= other.nanoseconds { one } else { other })
        }
        (Known::Value(_), missing) | (missing, _) => missing,
    }
}

fn measure(isa: &str, limit: Limit) -> Known<Reached> {
    match device(isa) {
        Some(device) => Cpu.ceiling(&device, limit, Some(1)),
        None => Known::unavailable(format!("cpu:{isa} is not usable here")),
    }
}

fn device(isa: &str) -> Option<Device> {
    let id = format!("cpu:{isa}");
    Cpu.devices().into_iter().find_map(|status| match status {
        DeviceStatus::Ready(device) if device.id == id => Some(device),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_ceiling_binds_and_a_missing_one_leaves_none() {
        let bound =
            |nanoseconds| Known::Value(Bound { nanoseconds, name: format!("at {nanoseconds}") });
        assert_eq!(tighter(bound(2.0), bound(3.0)), bound(3.0));
        assert_eq!(tighter(bound(4.0), bound(3.0)), bound(4.0));
        let missing = Known::unavailable("no such instructions");
        assert_eq!(tighter(bound(4.0), missing.clone()), missing);
        assert_eq!(tighter(missing.clone(), bound(4.0)), missing);
    }
}
