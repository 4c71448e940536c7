//! The thread pool: a crew that runs one closure together and meets at barriers. Not a task scheduler.
//!
//! The whole forward pass is one `run`, so a phase costs one barrier. Waiting spins for a bounded time and then
//! sleeps: a pure spin is ruinous when threads outnumber cores.

use std::cell::{Cell, UnsafeCell};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::affinity::Share;
use crate::switches::ThreadId;

/// How long a waiter spins before it sleeps, at most.
const SPIN: Duration = Duration::from_micros(50);
/// And at least, where threads may share a processor: each wait that spun in vain halves the time, each that did not doubles it.
/// When the thread waited for is itself waiting for this processor, spinning is pure loss. Threads on processors of their own
/// always spin the whole time.
const LEAST: Duration = Duration::from_micros(1);

/// Threads that stay alive between runs; the caller is thread 0.
pub(crate) struct Pool {
    state: Arc<State>,
    workers: Vec<JoinHandle<()>>,
    /// Where the caller runs during a run.
    share: Option<Share>,
    /// Times a thread was switched out involuntarily before it belonged to this crew.
    before: u64,
}

/// A thread panicked inside `run`.
#[derive(Debug)]
pub(crate) struct Panicked;

/// One thread's view of a run.
pub(crate) struct Member<'a> {
    /// 0 .. threads.
    pub(crate) index: usize,
    state: &'a State,
    shares: Cell<usize>,
}

type Job = *const (dyn Fn(&Member<'_>) + Sync);

struct State {
    threads: usize,
    /// Start and end of a run; never broken.
    outer: Barrier,
    /// Between phases; broken by a panic.
    inner: Barrier,
    job: UnsafeCell<Option<Job>>,
    stop: AtomicBool,
    panicked: AtomicBool,
    /// Tasks taken of each thread's part, (threads, 4 shares in turn)
    counters: Vec<[Counter; 4]>,
    /// The workers' own numbers, those that have started.
    ids: Mutex<Vec<ThreadId>>,
}

/// A work counter on a cache line of its own.
#[repr(align(128))]
struct Counter(AtomicUsize);

// SAFETY: `job` is written by the caller of `run` only while every worker waits at the outer barrier, and read only after it.
unsafe impl Sync for State {}
// SAFETY: as above; the pointer is only followed while `run` keeps the closure alive.
unsafe impl Send for State {}

impl Pool {
    /// Starts `threads - 1` workers.
    pub(crate) fn new(threads: usize) -> std::io::Result<Pool> {
        let shares = Share::out(threads);
        let state = Arc::new(State {
            threads,
            outer: Barrier::new(threads, shares.is_some()),
            inner: Barrier::new(threads, shares.is_some()),
            job: UnsafeCell::new(None),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            counters: (0..threads)
                .map(|_| std::array::from_fn(|_| Counter(AtomicUsize::new(0))))
                .collect(),
            ids: Mutex::new(Vec::new()),
        });
        let mut workers = Vec::new();
        for index in 1..threads {
            let shared = Arc::clone(&state);
            let share = shares.as_ref().map(|shares| shares[index].clone());
            let spawned =
                std::thread::Builder::new().name(format!("cpu-{index}")).spawn(move || {
                    let _kept = share.map(|share| share.keep());
                    let id = ThreadId::current();
                    shared.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
                    work(&shared, index);
                });
            match spawned {
                Ok(worker) => workers.push(worker),
                Err(error) => {
                    // Those already started wait for a crew that will never be whole: let them out.
                    state.stop.store(true, Ordering::SeqCst);
                    state.outer.break_open();
                    workers.into_iter().for_each(|worker| drop(worker.join()));
                    return Err(error);
                }
            }
        }
        let share = shares.map(|mut shares| shares.swap_remove(0));
        let before = ThreadId::current().involuntary().unwrap_or(0);
        Ok(Pool { state, workers, share, before })
    }

    /// Times the system took a processor away from a thread of the crew since it was formed; asked by the caller of `run`.
    pub(crate) fn involuntary_switches(&self) -> Option<u64> {
        let ids = self.state.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let workers = ids.iter().map(|id| id.involuntary()).sum::<Option<u64>>()?;
        Some(workers + ThreadId::current().involuntary()?.saturating_sub(self.before))
    }

    /// Each thread keeps to processors of its own while it runs.
    pub(crate) fn is_pinned(&self) -> bool {
        self.share.is_some()
    }

    /// Threads, the caller included.
    pub(crate) fn threads(&self) -> usize {
        self.state.threads
    }

    /// Runs `job` on every thread and returns when all have finished.
    pub(crate) fn run<F: Fn(&Member<'_>) + Sync>(&mut self, job: F) -> Result<(), Panicked> {
        let state = &*self.state;
        let short: *const (dyn Fn(&Member<'_>) + Sync + '_) = &job;
        // SAFETY: only the lifetime changes; the pointer is used between the two outer barriers below, while `job` lives.
        let job: Job = unsafe { std::mem::transmute(short) };
        // SAFETY: the workers wait at the outer barrier, and `&mut self` keeps other callers out.
        unsafe { *state.job.get() = Some(job) };
        state.counters.iter().flatten().for_each(|counter| counter.0.store(0, Ordering::Relaxed));
        let kept = self.share.as_ref().map(Share::keep);
        drop(state.outer.wait());
        perform(state, 0);
        drop(state.outer.wait());
        drop(kept);
        // SAFETY: every worker is past the run.
        unsafe { *state.job.get() = None };
        if state.panicked.swap(false, Ordering::SeqCst) {
            state.inner.repair();
            return Err(Panicked);
        }
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        if !self.workers.is_empty() {
            drop(self.state.outer.wait());
        }
        for worker in self.workers.drain(..) {
            drop(worker.join());
        }
    }
}

fn work(state: &State, index: usize) {
    loop {
        let whole = state.outer.wait();
        if whole.is_err() || state.stop.load(Ordering::SeqCst) {
            return;
        }
        perform(state, index);
        if state.outer.wait().is_err() {
            return;
        }
    }
}

fn perform(state: &State, index: usize) {
    // SAFETY: set before the outer barrier was passed, and the closure outlives the run.
    let job = unsafe { &*(*state.job.get()).expect("run stores the job before the barrier") };
    let member = Member { index, state, shares: Cell::new(0) };
    if catch_unwind(AssertUnwindSafe(|| job(&member))).is_err() {
        state.panicked.store(true, Ordering::SeqCst);
        state.inner.break_open();
    }
}

impl Member<'_> {
    /// Threads in the crew.
    pub(crate) fn threads(&self) -> usize {
        self.state.threads
    }

    /// Shares tasks 0 .. n among the crew, each taken once, and returns when all are done. Each thread works through a part of
    /// its own in order, so that what it streams lies together, and then helps the others with theirs.
    /// Every thread must make the same sequence of `share` calls.
    pub(crate) fn share(&self, n: usize, mut task: impl FnMut(usize)) {
        self.share_out(n, 1, |tasks| tasks.for_each(&mut task));
    }

    /// As [`Member::share`], up to `most` tasks that follow each other at once, and fewer towards the end of a part: what streams
    /// is seldom interrupted, and still nobody waits long for the last.
    pub(crate) fn share_out(&self, n: usize, most: usize, mut work: impl FnMut(Range<usize>)) {
        let (share, threads) = (self.shares.get(), self.state.threads);
        self.shares.set(share + 1);
        // Two shares ahead: nobody uses those counters any more, nor yet.
        if self.index == 0 {
            for counters in &self.state.counters {
                counters[(share + 2) % 4].0.store(0, Ordering::Relaxed);
            }
        }
        for owner in (0..threads).map(|i| (self.index + i) % threads) {
            let (start, end) = (n * owner / threads, n * (owner + 1) / threads);
            let counter = &self.state.counters[owner][share % 4].0;
            while let Some(taken) = take(counter, end - start, most) {
                work(start + taken.start..start + taken.end);
            }
        }
        self.barrier();
    }

    /// Waits for the whole crew.
    pub(crate) fn barrier(&self) {
        if self.state.inner.wait().is_err() {
            // Another thread panicked and has said so; leave without printing a second message.
            resume_unwind(Box::new("another thread panicked"));
        }
    }
}

/// The next of `all` tasks: up to `most`, and no more than a quarter of what is left.
fn take(counter: &AtomicUsize, all: usize, most: usize) -> Option<Range<usize>> {
    if most == 1 {
        let next = counter.fetch_add(1, Ordering::Relaxed);
        return (next < all).then(|| next..next + 1);
    }
    let count = |next: usize| ((all - next) / 4).clamp(1, most);
    let further = |next: usize| (next < all).then(|| next + count(next));
    let next = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, further).ok()?;
    Some(next..next + count(next))
}

/// A sense-counting barrier.
struct Barrier {
    threads: u32,
    arrived: AtomicU32,
    generation: AtomicU32,
    broken: AtomicBool,
    sleepers: AtomicU32,
    /// Nanoseconds a waiter spins now.
    patience: AtomicU32,
    /// And at least.
    least: u32,
    lock: Mutex<()>,
    wake: Condvar,
}

struct Broken;

impl Barrier {
    fn new(threads: usize, pinned: bool) -> Barrier {
        Barrier {
            threads: threads as u32,
            arrived: AtomicU32::new(0),
            generation: AtomicU32::new(0),
            broken: AtomicBool::new(false),
            sleepers: AtomicU32::new(0),
            patience: AtomicU32::new(SPIN.as_nanos() as u32),
            least: if pinned { SPIN } else { LEAST }.as_nanos() as u32,
            lock: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    fn wait(&self) -> Result<(), Broken> {
        let generation = self.generation.load(Ordering::SeqCst);
        if self.arrived.fetch_add(1, Ordering::SeqCst) + 1 == self.threads {
            self.arrived.store(0, Ordering::SeqCst);
            self.generation.fetch_add(1, Ordering::SeqCst);
            self.rouse();
        } else if !self.spin(generation) {
            self.sleep(generation);
        }
        if self.broken.load(Ordering::SeqCst) { Err(Broken) } else { Ok(()) }
    }

    fn passed(&self, generation: u32) -> bool {
        self.generation.load(Ordering::Acquire) != generation || self.broken.load(Ordering::Acquire)
    }

    fn spin(&self, generation: u32) -> bool {
        let start = Instant::now();
        let patience = self.patience.load(Ordering::Relaxed);
        loop {
            for _ in 0..16 {
                if self.passed(generation) {
                    let more = patience.saturating_mul(2);
                    self.patience.store(more.min(SPIN.as_nanos() as u32), Ordering::Relaxed);
                    return true;
                }
                std::hint::spin_loop();
            }
            if start.elapsed() > Duration::from_nanos(patience.into()) {
                let less = patience / 2;
                self.patience.store(less.max(self.least), Ordering::Relaxed);
                return false;
            }
        }
    }

    fn sleep(&self, generation: u32) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while self.generation.load(Ordering::SeqCst) == generation
            && !self.broken.load(Ordering::SeqCst)
        {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Wakes those asleep; the sequentially consistent order of `generation` and `sleepers` means none is missed.
    fn rouse(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }

    fn break_open(&self) {
        self.broken.store(true, Ordering::SeqCst);
        self.rouse();
    }

    /// Only when nobody is inside.
    fn repair(&self) {
        self.arrived.store(0, Ordering::SeqCst);
        self.broken.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_in_every_phase() {
        for threads in [1, 2, 5] {
            let mut pool = Pool::new(threads).unwrap();
            for run in 0..20 {
                let done: Vec<AtomicUsize> = (0..97).map(|_| AtomicUsize::new(0)).collect();
                pool.run(|member| {
                    for phase in 0..11 {
                        member.share(done.len(), |task| {
                            assert_eq!(done[task].fetch_add(1, Ordering::Relaxed), phase);
                        });
                    }
                })
                .unwrap_or_else(|_| panic!("run {run} with {threads} threads"));
                assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 11));
            }
        }
    }

    #[test]
    fn tasks_taken_together_are_taken_once_and_get_fewer() {
        for (threads, n, most) in [(1, 100, 8), (2, 97, 8), (3, 5, 8), (2, 1, 4), (2, 0, 4)] {
            let done: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            let largest = AtomicUsize::new(0);
            Pool::new(threads)
                .unwrap()
                .run(|member| {
                    member.share_out(n, most, |tasks| {
                        largest.fetch_max(tasks.len(), Ordering::Relaxed);
                        for task in tasks {
                            done[task].fetch_add(1, Ordering::Relaxed);
                        }
                    });
                })
                .unwrap();
            assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{threads} {n} {most}");
            assert!(largest.into_inner() <= most);
        }
        let (counter, mut sizes) = (AtomicUsize::new(0), Vec::new());
        while let Some(taken) = take(&counter, 40, 8) {
            sizes.push(taken.len());
        }
        assert_eq!(sizes, [8, 8, 6, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn a_panic_is_reported_and_the_pool_survives() {
        let mut pool = Pool::new(3).unwrap();
        for _ in 0..3 {
            let bad = pool.run(|member| {
                assert_ne!(member.index, 1, "on purpose");
                member.barrier();
                member.barrier();
            });
            assert!(bad.is_err());
            assert!(pool.run(|member| member.barrier()).is_ok());
        }
    }

    #[test]
    fn sleeping_workers_wake_up() {
        let mut pool = Pool::new(2).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        let ran = AtomicUsize::new(0);
        assert!(pool.run(|_| assert!(ran.fetch_add(1, Ordering::Relaxed) < 2)).is_ok());
        assert_eq!(ran.into_inner(), 2);
    }
}
