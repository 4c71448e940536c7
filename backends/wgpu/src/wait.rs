//! Waiting. Inside the crate whatever must wait is asynchronous, so that a browser's event loop can drive it; those who have a
//! thread block it at the outside (blocking.rs). And clocks, of which std's panics in a browser.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Runs a future to its end on this thread.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

/// An answer that a callback will give, and the callback's end of it.
pub(crate) fn answer<T>() -> (Told<T>, Answer<T>) {
    let state = Arc::new(Mutex::new(State { value: None, silent: false, waker: None }));
    (Told(Arc::clone(&state)), Answer(state))
}

struct State<T> {
    value: Option<T>,
    /// Nobody is left to tell it.
    silent: bool,
    waker: Option<Waker>,
}

/// What a callback holds.
pub(crate) struct Told<T>(Arc<Mutex<State<T>>>);

impl<T> Told<T> {
    pub(crate) fn tell(self, value: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).value = Some(value);
        // Dropped here, which wakes who waits.
    }
}

impl<T> Drop for Told<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.silent = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What the callback says; `None`: it was dropped unsaid.
pub(crate) struct Answer<T>(Arc<Mutex<State<T>>>);

impl<T> Future for Answer<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.silent {
            return Poll::Ready(state.value.take());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// This moment, where there is a clock.
pub(crate) fn now() -> Option<Instant> {
    (!cfg!(target_arch = "wasm32")).then(Instant::now)
}

/// The time since a moment; none where there was no clock.
pub(crate) fn since(moment: Option<Instant>) -> Duration {
    moment.map_or(Duration::ZERO, |moment| moment.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_from_another_thread_arrives_and_silence_is_noticed() {
        let (told, answer_) = answer();
        let thread = std::thread::spawn(move || told.tell(7));
        assert_eq!(block(answer_), Some(7));
        thread.join().expect("it tells");
        let (told, answer_) = answer::<u8>();
        drop(told);
        assert_eq!(block(answer_), None);
    }
}
