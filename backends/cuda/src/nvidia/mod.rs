//! The machine as NVIDIA's driver shows it. Libraries are loaded at run time, and what they lack is an answer.

mod cache;
mod driver;
mod error;
mod gpus;
mod library;
mod nvml;
pub mod nvrtc;
mod staging;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use yardstick_api::Error;

use crate::machine::{Driver, Gpu, Machine, Missing};

/// See the file's head.
pub(crate) struct Nvidia {
    /// Where compiled kernels are kept; `None`: nowhere.
    pub(crate) cache: Option<PathBuf>,
}

impl Machine for Nvidia {
    fn gpus(&self) -> Result<Vec<Gpu>, Missing> {
        // They do not change while a process lives, and asking takes tens of milliseconds.
        static GPUS: OnceLock<Result<Vec<Gpu>, Missing>> = OnceLock::new();
        GPUS.get_or_init(gpus::list).clone()
    }

    fn open(&self, ordinal: usize) -> Result<Box<dyn Driver>, Error> {
        let gpus = self.gpus().map_err(|missing| Error::Device(missing.reason))?;
        let gpu = gpus.into_iter().nth(ordinal);
        let gpu = gpu.ok_or_else(|| Error::Device(format!("no GPU {ordinal}")))?;
        let library = library::library().map_err(|missing| Error::Device(missing.reason))?;
        let cache = cache::Cache::new(self.cache.clone(), gpus::version(library));
        Ok(Box::new(driver::Context::open(library, ordinal, gpu, cache)?))
    }
}

/// Longest wait for the device; a kernel takes milliseconds, a whole prefill seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// Waiting spins so long before it sleeps between looks: a token takes less than a sleep.
const SPIN: Duration = Duration::from_millis(20);

/// Returns when what is asked for has happened, or failed, or no answer came.
fn wait(
    library: &library::Library,
    during: &str,
    ask: impl Fn() -> library::Code,
) -> Result<(), Error> {
    wait_at_most(PATIENCE, library, during, ask)
}

fn wait_at_most(
    patience: Duration,
    library: &library::Library,
    during: &str,
    ask: impl Fn() -> library::Code,
) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        let code = ask();
        if code != error::code::NOT_READY {
            return error::check(library, during, code);
        }
        let waited = begun.elapsed();
        if waited > patience {
            let seconds = patience.as_secs();
            return Err(Error::DeviceLost(format!(
                "{during}: no answer from the GPU for {seconds} s"
            )));
        }
        if waited < SPIN {
            std::hint::spin_loop();
        } else {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_wait_ends_with_what_is_waited_for_or_by_giving_up() {
        let (library, asked) = (library::never(), Cell::new(0));
        let third = || {
            asked.set(asked.get() + 1);
            if asked.get() < 3 { error::code::NOT_READY } else { error::code::SUCCESS }
        };
        assert!(wait_at_most(PATIENCE, &library, "computing", third).is_ok());
        let silent = || error::code::NOT_READY;
        let given_up = wait_at_most(Duration::from_millis(1), &library, "computing", silent);
        assert!(matches!(given_up, Err(Error::DeviceLost(text)) if text.contains("no answer")));
    }
}
