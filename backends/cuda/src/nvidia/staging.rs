//! Pinned memory of the host through which everything goes to the device and back. Copies from memory that is not pinned
//! may still be on their way when the driver's call returns, and in another queue than ours; from this memory they take
//! their place in the queue, and whoever fills it again waits until the copy before is done.
#![allow(unsafe_code, reason = "calls of the driver, and memory that it allocates")]

use std::ffi::c_void;

use yardstick_api::Error;

use super::error::check;
use super::library::{Address, Handle, Library};
use super::wait;

/// Bytes of a slot: large enough that starting a copy costs nothing beside it.
const SLOT: usize = 4 << 20;
/// `CU_EVENT_DISABLE_TIMING`.
const WITHOUT_TIME: u32 = 2;

/// Two slots, filled in turns, so that filling one overlaps with copying the other.
pub(super) struct Staging {
    cuda: &'static Library,
    slots: [Slot; 2],
    next: usize,
}

struct Slot {
    memory: *mut u8,
    /// Has happened when the last copy out of the slot is done.
    copied: Handle,
    busy: bool,
}

impl Staging {
    /// In the current context.
    pub(super) fn new(cuda: &'static Library) -> Result<Staging, Error> {
        let empty =
            || Slot { memory: std::ptr::null_mut(), copied: std::ptr::null_mut(), busy: false };
        let mut staging = Staging { cuda, slots: [empty(), empty()], next: 0 };
        for slot in &mut staging.slots {
            let mut memory: *mut c_void = std::ptr::null_mut();
            // SAFETY: places for a pointer and for a handle.
            let (memory_code, event_code) = unsafe {
                let memory = (cuda.cuMemHostAlloc)(&raw mut memory, SLOT, 0);
                (memory, (cuda.cuEventCreate)(&raw mut slot.copied, WITHOUT_TIME))
            };
            slot.memory = memory.cast();
            check(cuda, &format!("allocating {SLOT} bytes of pinned memory"), memory_code)?;
            check(cuda, "making an event", event_code)?;
        }
        Ok(staging)
    }

    /// Queues a copy to the device. `bytes` may be reused on return.
    pub(super) fn write(&mut self, to: Address, bytes: &[u8], stream: Handle) -> Result<(), Error> {
        let mut to = to;
        for part in bytes.chunks(SLOT) {
            let cuda = self.cuda;
            self.next = 1 - self.next;
            let slot = &mut self.slots[self.next];
            if slot.busy {
                // SAFETY: the event is live and was recorded.
                wait(cuda, "writing", || unsafe { (cuda.cuEventQuery)(slot.copied) })?;
                slot.busy = false;
            }
            // SAFETY: the slot is at least as long as the part and nothing reads it now; callers stay within what they
            // allocated on the device; the stream and the event are live.
            let (copy, record) = unsafe {
                std::ptr::copy_nonoverlapping(part.as_ptr(), slot.memory, part.len());
                let copy = (cuda.cuMemcpyHtoDAsync_v2)(to, slot.memory.cast(), part.len(), stream);
                (copy, (cuda.cuEventRecord)(slot.copied, stream))
            };
            slot.busy = true;
            check(cuda, "writing", copy)?;
            check(cuda, "writing", record)?;
            to += part.len() as u64;
        }
        Ok(())
    }

    /// Copies from the device behind everything queued before, and waits.
    pub(super) fn read(
        &mut self,
        from: Address,
        out: &mut [u8],
        stream: Handle,
    ) -> Result<(), Error> {
        let mut from = from;
        for part in out.chunks_mut(SLOT) {
            let (cuda, slot) = (self.cuda, &mut self.slots[0]);
            // SAFETY: as in `write`; a copy out of this slot that is still queued comes before this one.
            let copy = unsafe {
                (cuda.cuMemcpyDtoHAsync_v2)(slot.memory.cast(), from, part.len(), stream)
            };
            check(cuda, "reading", copy)?;
            // SAFETY: the stream is live.
            wait(cuda, "computing", || unsafe { (cuda.cuStreamQuery)(stream) })?;
            // SAFETY: the copy is done; the slot is at least as long as the part.
            unsafe { std::ptr::copy_nonoverlapping(slot.memory, part.as_mut_ptr(), part.len()) };
            from += part.len() as u64;
        }
        Ok(())
    }

    /// Gives the memory back. Nothing may be on its way.
    pub(super) fn free(&mut self) {
        for slot in &mut self.slots {
            // SAFETY: allocated in `new`, freed once; errors are of no use here.
            unsafe {
                if !slot.memory.is_null() {
                    let _ = (self.cuda.cuMemFreeHost)(slot.memory.cast());
                }
                if !slot.copied.is_null() {
                    let _ = (self.cuda.cuEventDestroy_v2)(slot.copied);
                }
            }
            (slot.memory, slot.copied) = (std::ptr::null_mut(), std::ptr::null_mut());
        }
    }
}
