//! A bounded reader of little-endian fields: it never reads past its end and never allocates.

use super::backing::Backing;

/// Bytes walked before their pages are given back.
const WINDOW: usize = 4 << 20;

/// A position in a file, with an end it never passes.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    backing: &'a Backing,
    bytes: &'a [u8],
    at: usize,
    kept_from: usize,
}

impl<'a> Cursor<'a> {
    /// Reads `range` of a file; the range must lie inside it.
    pub(crate) fn new(backing: &'a Backing, range: std::ops::Range<usize>) -> Cursor<'a> {
        let bytes = &backing.bytes()[..range.end];
        Cursor { backing, bytes, at: range.start, kept_from: range.start }
    }

    /// Offset in the file of the next byte.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Bytes left.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `n` bytes, or `None` (and no movement) when fewer are left.
    pub(crate) fn take(&mut self, n: u64) -> Option<&'a [u8]> {
        let end = self.at.checked_add(usize::try_from(n).ok()?)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        if end - self.kept_from >= WINDOW {
            // The window before as well: where the system maps huge pages, touching the first byte after a
            // window brought its last 2 MiB back.
            self.backing.release(self.kept_from.saturating_sub(WINDOW)..end);
            self.kept_from = end;
        }
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N as u64)?.try_into().ok()
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    /// The next four bytes.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length (u64) and that many bytes.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let mark = self.clone();
        let taken = self.u64().and_then(|n| self.take(n));
        if taken.is_none() {
            *self = mark;
        }
        taken
    }
}
