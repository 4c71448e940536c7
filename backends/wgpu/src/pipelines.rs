//! Compiled pipelines kept on disk between processes, for adapters whose driver can hand them out.

use crate::kept::Kept;

/// Their name on disk.
const FILE: &str = "pipelines";

/// The driver's cache of this process, and where it is kept.
pub(crate) struct Pipelines {
    kept: Kept,
    pub(crate) cache: Option<wgpu::PipelineCache>,
    /// Bytes it began with.
    pub(crate) found: usize,
}

impl Pipelines {
    /// With what an earlier process kept; without the feature, or nowhere to keep it, there is none.
    pub(crate) fn new(device: &wgpu::Device, kept: Kept) -> Pipelines {
        let able = device.features().contains(wgpu::Features::PIPELINE_CACHE);
        if !able || !kept.somewhere() {
            return Pipelines { kept, cache: None, found: 0 };
        }
        let data = kept.read(FILE);
        let cache = open(device, data.as_deref());
        Pipelines { kept, cache: Some(cache), found: data.map_or(0, |data| data.len()) }
    }

    /// Keeps what was compiled; whether there was anything to keep, and room.
    pub(crate) fn keep(&self) -> bool {
        let data = self.cache.as_ref().and_then(wgpu::PipelineCache::get_data);
        data.is_some_and(|data| self.kept.write(FILE, &data))
    }
}

#[allow(unsafe_code, reason = "a driver is handed bytes from a file")]
fn open(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let label = Some("yardstick");
    let descriptor = wgpu::PipelineCacheDescriptor { label, data, fallback: true };
    // SAFETY: the bytes are what `get_data` gave for the same adapter and driver (the file's name says which, its checksum
    // that nothing was changed since), or there are none; wgpu compares the header's adapter and driver once more.
    unsafe { device.create_pipeline_cache(&descriptor) }
}
