//! Each thread of a crew on processors of its own. Left alone, the Linux scheduler wakes threads that meet at barriers on
//! one processor and may leave them there: prefill at half speed for seconds, measured with two threads on two cores.

/// The processors a thread may use: a share of those the process may use, disjoint from the other threads' shares.
#[derive(Clone)]
pub(crate) struct Share {
    #[cfg(target_os = "linux")]
    own: rustix::thread::CpuSet,
}

impl Share {
    /// One share a thread, as [`crate::topology::Topology::places`] deals them out. `None` where there is nothing to share or
    /// the system does not say.
    #[cfg(target_os = "linux")]
    pub(crate) fn out(threads: usize) -> Option<Vec<Share>> {
        let (_, topology) = crate::usable::here().filter(|_| threads > 1)?;
        let places = topology.places(threads);
        let share = |ids: &Vec<usize>| {
            let mut own = rustix::thread::CpuSet::new();
            ids.iter().for_each(|&id| own.set(id));
            Share { own }
        };
        (places.len() == threads).then(|| places.iter().map(share).collect())
    }

    /// Nothing is known of other systems.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn out(threads: usize) -> Option<Vec<Share>> {
        let _ = threads;
        None
    }

    /// Keeps this thread to the share until the guard is dropped.
    pub(crate) fn keep(&self) -> Kept {
        #[cfg(target_os = "linux")]
        {
            use rustix::thread::{sched_getaffinity, sched_setaffinity};
            let before = sched_getaffinity(None).ok();
            // A refusal costs speed, not correctness.
            let kept = before.filter(|_| sched_setaffinity(None, &self.own).is_ok());
            Kept { before: kept }
        }
        #[cfg(not(target_os = "linux"))]
        Kept {}
    }
}

/// Gives a thread its former processors back.
pub(crate) struct Kept {
    #[cfg(target_os = "linux")]
    before: Option<rustix::thread::CpuSet>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(before) = &self.before {
            // Nothing to be done about a refusal.
            let _ = rustix::thread::sched_setaffinity(None, before);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn shares_are_disjoint_and_given_back() {
        use rustix::thread::sched_getaffinity;
        let before = sched_getaffinity(None).unwrap();
        let threads = before.count() as usize;
        assert!(Share::out(threads + 1).is_none() && Share::out(1).is_none());
        let Some(shares) = Share::out(threads) else {
            return println!("skipped: one processor");
        };
        assert!(shares.iter().all(|share| share.own.count() == 1));
        let kept = shares[1].keep();
        assert!(sched_getaffinity(None).unwrap() == shares[1].own);
        drop(kept);
        assert!(sched_getaffinity(None).unwrap() == before);
    }
}
