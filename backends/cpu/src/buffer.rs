//! Zeroed, aligned memory that a crew writes in disjoint pieces between barriers.

use std::alloc::{Layout, alloc, dealloc};
use std::ops::Range;
use std::ptr::NonNull;

use yardstick_api::Error;

/// Alignment of every buffer: a cache line, and the widest vector.
const ALIGN: usize = 64;
/// Of buffers this long or longer: a large page, which the system is asked for. With small ones a Zen 4 in a virtual machine
/// reads a third slower.
const LARGE: usize = 2 << 20;

/// A plain element for which all bits zero is a value.
pub(crate) trait Plain: Copy + Send + Sync + 'static {}
impl Plain for f32 {}
impl Plain for i32 {}
impl Plain for u32 {}
impl Plain for i8 {}
impl Plain for u8 {}
impl Plain for u16 {}

/// `len` elements, zero at first. They are written at once, so that no page of a cache is first touched inside a measurement.
pub(crate) struct Buffer<T: Plain> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: a buffer owns plain memory; shared access goes through the unsafe methods below.
unsafe impl<T: Plain> Send for Buffer<T> {}
// SAFETY: as above.
unsafe impl<T: Plain> Sync for Buffer<T> {}

impl<T: Plain> Buffer<T> {
    /// Allocates, or says how many bytes could not be had.
    pub(crate) fn zeroed(len: usize) -> Result<Buffer<T>, Error> {
        let refused = || {
            let bytes = (len as u128) * size_of::<T>() as u128;
            Error::OutOfMemory(format!("the system refused {bytes} bytes"))
        };
        if len == 0 {
            return Ok(Buffer { start: NonNull::dangling(), len });
        }
        let layout = Self::layout(len).ok_or_else(refused)?;
        // SAFETY: the layout is not empty.
        let start = NonNull::new(unsafe { alloc(layout) }).ok_or_else(refused)?;
        if layout.size() >= LARGE {
            ask_for_large_pages(start, layout.size());
        }
        // SAFETY: all of what was just allocated; zero is a value of every plain element.
        unsafe { start.write_bytes(0, layout.size()) };
        Ok(Buffer { start: start.cast(), len })
    }

    fn layout(len: usize) -> Option<Layout> {
        let bytes = len.checked_mul(size_of::<T>())?;
        Layout::from_size_align(bytes, if bytes < LARGE { ALIGN } else { LARGE }).ok()
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        (self.len * size_of::<T>()) as u64
    }

    /// Elements held.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All elements; nobody else has a view while `self` is borrowed mutably.
    pub(crate) fn all_mut(&mut self) -> &mut [T] {
        // SAFETY: `&mut self` is exclusive and the memory is initialised.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// A piece to read. Panics outside the buffer.
    ///
    /// # Safety
    /// Nobody writes the piece while the slice lives.
    pub(crate) unsafe fn read(&self, range: Range<usize>) -> &[T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: within the allocation (checked), initialised, and not written (the caller).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(range.start), range.len()) }
    }

    /// A piece to write. Panics outside the buffer.
    ///
    /// # Safety
    /// Nobody else reads or writes the piece while the slice lives.
    #[allow(clippy::mut_from_ref, reason = "disjointness is the caller's promise")]
    pub(crate) unsafe fn write(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: within the allocation (checked), initialised, and exclusive (the caller).
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(range.start), range.len()) }
    }

    /// Writes one element. Panics outside the buffer.
    ///
    /// # Safety
    /// Nobody else reads or writes this element meanwhile.
    pub(crate) unsafe fn set(&self, at: usize, value: T) {
        assert!(at < self.len);
        // SAFETY: within the allocation (checked) and exclusive (the caller).
        unsafe { self.start.as_ptr().add(at).write(value) };
    }

    /// The first element, for strided access.
    #[cfg(any(test, target_arch = "x86_64", target_arch = "aarch64"))]
    pub(crate) fn pointer(&self) -> *mut T {
        self.start.as_ptr()
    }
}

impl<T: Plain> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let (true, Some(layout)) = (self.len > 0, Self::layout(self.len)) {
            // SAFETY: allocated by `zeroed` with this layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) };
        }
    }
}

/// Advice, before the pages are touched; where it is not taken they are small.
fn ask_for_large_pages(start: NonNull<u8>, bytes: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        // Whole large pages: the last, begun one may be somebody else's.
        let whole = bytes / LARGE * LARGE;
        // SAFETY: within the allocation, and this advice changes no contents.
        let _ = unsafe { madvise(start.as_ptr().cast(), whole, Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_buffers_are_zeroed_and_begin_a_large_page() {
        let mut buffer = Buffer::<u8>::zeroed(LARGE + 100).unwrap();
        assert!(buffer.all_mut().iter().all(|&v| v == 0));
        assert_eq!(buffer.pointer() as usize % LARGE, 0);
    }

    #[test]
    fn is_zeroed_and_aligned() {
        let mut buffer = Buffer::<f32>::zeroed(1000).unwrap();
        assert!(buffer.all_mut().iter().all(|&v| v == 0.0));
        assert_eq!(buffer.pointer() as usize % ALIGN, 0);
    }

    #[test]
    fn an_impossible_size_is_an_error() {
        assert!(Buffer::<f32>::zeroed(usize::MAX / 2).is_err());
        assert!(Buffer::<u8>::zeroed(1 << 62).is_err());
    }
}
