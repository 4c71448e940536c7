//! Codes of weights in textures, which software adapters fetch 16 bytes at a time where they take buffers apart.

use yardstick_api::Error;

use crate::gpu::Gpu;

/// Words of 16 bytes in a row of a texture of codes (shaders/codes_texture.wgsl).
pub(crate) const WORDS_OF_ROW: u64 = 4096;

impl Gpu {
    /// The most bytes a texture of codes holds.
    pub(crate) fn texture_bytes(&self) -> u64 {
        let side = u64::from(self.limits.max_texture_dimension_2d);
        if side < WORDS_OF_ROW { 0 } else { side * WORDS_OF_ROW * 16 }
    }

    /// A texture with the words of a buffer, and its bytes.
    pub(crate) fn texels(
        &self,
        label: &str,
        words: &wgpu::Buffer,
    ) -> Result<(wgpu::TextureView, u64), Error> {
        let count = words.size() / 16;
        let rows = count.div_ceil(WORDS_OF_ROW);
        self.fault.check()?;
        let texture = self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some(label),
            size: wgpu::Extent3d {
                width: WORDS_OF_ROW as u32,
                height: rows as u32,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Uint,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        self.fault.check_of(|| format!("{label}: {rows} rows of texels"))?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        // Whole rows, then what is left of the last.
        let (whole, rest) = ((count / WORDS_OF_ROW) as u32, (count % WORDS_OF_ROW) as u32);
        for (y, width, height) in [(0, WORDS_OF_ROW as u32, whole), (whole, rest, 1)] {
            if width == 0 || height == 0 {
                continue;
            }
            let source = wgpu::TexelCopyBufferInfo {
                buffer: words,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: u64::from(y) * WORDS_OF_ROW * 16,
                    bytes_per_row: Some(WORDS_OF_ROW as u32 * 16),
                    rows_per_image: None,
                },
            };
            let target = wgpu::TexelCopyTextureInfo {
                texture: &texture,
                mip_level: 0,
                origin: wgpu::Origin3d { x: 0, y, z: 0 },
                aspect: wgpu::TextureAspect::All,
            };
            let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
            encoder.copy_buffer_to_texture(source, target, size);
        }
        let index = self.queue.submit([encoder.finish()]);
        self.drive(Some(index))?;
        Ok((texture.create_view(&Default::default()), rows * WORDS_OF_ROW * 16))
    }
}
