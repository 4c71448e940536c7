//! Candle's threads: two pools for the whole process, sized from the environment when they are first used.
//! They cannot be resized, so a session either gets the number they have or is refused.

use candle_core::utils::{barrier_pool, get_num_threads};
use yardstick_api::Unsupported;

/// The variable candle sizes its pools by; unset, it takes the physical cores.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Threads that multiply quantised matrices: the caller's and the pool's. Starts the pool.
pub(crate) fn count() -> usize {
    barrier_pool().n_workers() + 1
}

/// Threads of the other pool, which does dense products and the small operations.
pub(crate) fn of_rayon() -> usize {
    get_num_threads()
}

/// The threads this process computes with, or why it cannot be those asked for.
pub(crate) fn agree(asked: Option<usize>) -> Result<usize, Unsupported> {
    let here = count();
    match asked {
        Some(asked) if asked != here => Err(Unsupported {
            reason: format!(
                "asked for {asked} threads, candle's pools have {here} for the life of the process"
            ),
            fix: Some(format!("start the worker with {VARIABLE}={asked}")),
        }),
        _ => Ok(here),
    }
}
