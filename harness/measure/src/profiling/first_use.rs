//! First use: what the first token after loading costs against the steady one, where weights are mapped and where they are copied,
//! with the page cache as it is and with the model's file dropped from it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use yardstick_api::{Backend, Batch, Device, Error, Facts, Options, Rows, Sequence, Session, Span};
use yardstick_model::Model;

/// Tokens after the first.
const STEADY: usize = 24;

/// Faults so far: those that read the disk, and others.
pub type Faults = (f64, f64);

/// One way of loading.
#[derive(Clone, Debug)]
pub struct FirstUse {
    /// What ran.
    pub facts: Facts,
    /// Whether the system was asked to forget the file first, and agreed.
    pub dropped: bool,
    /// From an opened file to a session.
    pub load_ns: u64,
    /// The first token.
    pub first_ns: u64,
    /// Those after it, in order.
    pub steady_ns: Vec<u64>,
    /// Faults of loading, of the first token, of those after it.
    pub faults: [Faults; 3],
}

/// Loads, computes a token, then others. `drop`: files that the system is asked to forget before. `faults` tells those of this process so far.
///
/// # Errors
/// What loading or the session says.
pub fn first_use(
    backend: &dyn Backend,
    device: &Device,
    path: &Path,
    options: &Options,
    drop: &[PathBuf],
    faults: &dyn Fn() -> Faults,
) -> Result<FirstUse, Error> {
    let dropped = !drop.is_empty() && drop.iter().all(|file| forget(file));
    let before = faults();
    let start = Instant::now();
    let model = Arc::new(Model::open(path)?);
    let options = Options { context: Some(STEADY + 1), ..options.clone() };
    let mut session = backend.load(device, &model, &options)?;
    let load_ns = nanoseconds(start);
    let loaded = faults();
    let first_ns = token(session.as_mut())?;
    let first = faults();
    let steady_ns = (0..STEADY).map(|_| token(session.as_mut())).collect::<Result<_, _>>()?;
    let end = faults();
    let less = |a: Faults, b: Faults| (b.0 - a.0, b.1 - a.1);
    Ok(FirstUse {
        facts: session.facts(),
        dropped,
        load_ns,
        first_ns,
        steady_ns,
        faults: [less(before, loaded), less(loaded, first), less(first, end)],
    })
}

fn token(session: &mut dyn Session) -> Result<u64, Error> {
    let start = Instant::now();
    let spans = [Span { sequence: Sequence(0), tokens: &[0] }];
    session.forward(&Batch { spans: &spans, rows: Rows::Last })?;
    std::hint::black_box(session.logits()?.argmax(0));
    Ok(nanoseconds(start))
}

fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Asks the system to drop a file from its cache; pages that another process maps stay.
#[cfg(target_os = "linux")]
fn forget(path: &Path) -> bool {
    use rustix::fs::{Advice, fadvise};
    let Ok(file) = File::open(path) else { return false };
    // What was just written stays until it is on the disk.
    let _ = file.sync_all();
    fadvise(&file, 0, None, Advice::DontNeed).is_ok()
}

/// Not known on this system.
#[cfg(not(target_os = "linux"))]
fn forget(path: &Path) -> bool {
    let _ = File::open(path);
    false
}
