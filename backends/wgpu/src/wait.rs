//! Waiting: wgpu is asynchronous, the backend's traits are not. A browser has no thread to block and drives
//! [`crate::wait`]'s callers from its own event loop instead.

use std::future::Future;

/// Runs a future to its end.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

/// Runs a future that is ready at once; in a browser nothing may block.
#[cfg(target_arch = "wasm32")]
pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("the browser's entry points do not block"),
    }
}
