//! What really runs.

use std::collections::BTreeMap;

use yardstick_api::{Facts, Known, Numerics};

use super::WgpuSession;
use crate::program::dispatches;
use crate::sizes::CHAIN;

impl WgpuSession {
    pub(super) fn describe(&self) -> Facts {
        let (found, tuning) = (self.gpu.found, self.tuning);
        let input = if tuning.uniform { "uniform" } else { "storage" };
        let codes = if tuning.texels { "textures" } else { "buffers" };
        let variant = format!(
            "f32, activations through {input} bindings, codes in {codes}, {} splits, {} pairs of panels",
            tuning.splits, tuning.pairs
        );
        let formats = self.model.info().formats.iter();
        let kernel = |&(format, _): &(yardstick_model::Format, u64)| {
            (format.name().to_owned(), format!("planes of 8 rows; {variant}"))
        };
        Facts {
            device: self.device.clone(),
            isa: variant.clone().into(),
            adapter: found.info.name.clone().into(),
            driver: found.driver().into(),
            threads: Known::unavailable("the driver schedules invocations"),
            context: self.sizes.context,
            sequences: self.sizes.sequences,
            chunk: self.sizes.chunk,
            kv: self.kv,
            numerics: Numerics::F32.with_kv(self.kv),
            mapped_bytes: 0,
            copied_bytes: self.network.bytes(),
            kv_bytes: self.buffers.cache_bytes(),
            scratch_bytes: self.buffers.scratch_bytes(),
            streamed_bytes: self.network.streamed_bytes(),
            kernels: formats.map(kernel).collect(),
            notes: self.notes(),
        }
    }

    fn notes(&self) -> BTreeMap<String, Known<String>> {
        let info = &self.gpu.found.info;
        let shared = match info.device_type {
            wgpu::DeviceType::Cpu | wgpu::DeviceType::IntegratedGpu => {
                "re-laid copy in memory the adapter shares with the processor"
            }
            _ => "re-laid copy in the adapter's memory",
        };
        let steps = &self.single;
        let (body, head) = (dispatches(&steps.body, 1), dispatches(&steps.head, 1));
        let layers = self.network.layers.len();
        let most = (0..layers).map(|layer| steps.of_layer(layer)).max().unwrap_or(0);
        let dispatches = format!(
            "{} for a generated token, at most {most} a layer",
            body + head + dispatches(&steps.choice, 1)
        );
        let encoding = format!(
            "{} submissions so far, {:.1} ms to record and submit them",
            self.pace.submissions,
            self.pace.encoding.as_secs_f64() * 1e3
        );
        let notes = [
            ("dispatches", dispatches),
            ("encoding", encoding),
            ("interface", format!("{:?}", info.backend)),
            ("adapter type", format!("{:?}", info.device_type)),
            ("weights", shared.to_owned()),
            ("generation", format!("chained on the device, {CHAIN} tokens a submission")),
        ];
        notes.map(|(name, text)| (name.to_owned(), Known::Value(text))).into()
    }
}
