//! How often the system took a processor away from a thread: the sign of a machine that others use too.

/// A thread as the system numbers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadId(#[cfg(target_os = "linux")] i32);

impl ThreadId {
    /// The calling thread.
    pub(crate) fn current() -> ThreadId {
        #[cfg(target_os = "linux")]
        return ThreadId(rustix::thread::gettid().as_raw_nonzero().get());
        #[cfg(not(target_os = "linux"))]
        ThreadId()
    }

    /// Times it was switched out before it wanted to, since it started.
    pub(crate) fn involuntary(self) -> Option<u64> {
        #[cfg(target_os = "linux")]
        {
            let path = format!("/proc/self/task/{}/status", self.0);
            involuntary(&std::fs::read_to_string(path).ok()?)
        }
        #[cfg(not(target_os = "linux"))]
        None
    }
}

/// Of a thread's status file.
#[cfg(any(target_os = "linux", test))]
fn involuntary(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_a_status_file() {
        let status = "Name:\tcpu-1\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t42\n";
        assert_eq!(involuntary(status), Some(42));
        assert_eq!(involuntary("Name:\tx\n"), None);
    }

    #[test]
    fn this_thread_has_a_count_on_linux() {
        assert_eq!(ThreadId::current().involuntary().is_some(), cfg!(target_os = "linux"));
    }
}
