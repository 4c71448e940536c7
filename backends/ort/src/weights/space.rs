//! Room on disk, asked before gigabytes are written.

use std::path::Path;

/// Bytes this user may still write where `folder` is; `None` where the system does not say.
#[cfg(unix)]
pub(super) fn left(folder: &Path) -> Option<u64> {
    let volume = rustix::fs::statvfs(folder).ok()?;
    Some(volume.f_bavail.saturating_mul(volume.f_frsize))
}

/// Not asked on this system; writing says when the disk is full.
#[cfg(not(unix))]
pub(super) fn left(_: &Path) -> Option<u64> {
    None
}
