//! What really runs.

use std::collections::BTreeMap;

use yardstick_api::{Facts, Known, Numerics};

use super::WgpuSession;
use crate::program::dispatches;
use crate::shaders::Input;
use crate::sizes::{CHAIN, SHALLOW};
use crate::tune::Tuning;

impl WgpuSession {
    pub(super) fn describe(&self) -> Facts {
        let found = self.gpu.found;
        let arithmetic =
            if self.tunings.int8 { "int8 dot products where kernels say so, f32" } else { "f32" };
        let codes = if self.gpu.texels { "textures" } else { "buffers" };
        let sums = if self.gpu.subgroups { "subgroups" } else { "workgroup memory" };
        let variant = format!("{arithmetic}, codes in {codes}, sums through {sums}");
        let formats = self.model.info().formats.iter();
        let kernel = |&(format, _): &(yardstick_model::Format, u64)| {
            let tuning = self.tunings.of(format);
            let input = match self.gpu.input(tuning.uniform) {
                Input::Storage => "storage bindings",
                Input::Uniform => "uniform bindings",
                Input::Lanes => "uniform bindings handed from lane to lane",
                Input::Quantised => "8 bits",
            };
            let Tuning { splits, pairs, tile_pairs, .. } = tuning;
            let tiles = if self.tunings.tiles_in_8_bits(format) { "8 bits" } else { "f32" };
            let text = format!(
                "planes of 8 rows; activations in {input}, {splits} splits, {pairs} pairs of panels; tiles in {tiles}, {tile_pairs} pairs"
            );
            (format.name().to_owned(), text)
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
            numerics: if self.tunings.int8 { Numerics::A8 } else { Numerics::F32 }.with_kv(self.kv),
            mapped_bytes: 0,
            copied_bytes: self.network.bytes(),
            kv_bytes: self.buffers.cache_bytes(),
            scratch_bytes: self.buffers.scratch_bytes(),
            streamed_bytes: self.network.streamed_bytes(),
            kernels: formats.map(kernel).collect(),
            notes: self.notes(),
        }
    }

    fn tuning_note(&self) -> String {
        match self.tunings.measured {
            0 => "the usual choice of its kind of adapter, not measured".to_owned(),
            n => format!("measured for {n} formats on this adapter and driver"),
        }
    }

    fn pipelines_note(&self) -> String {
        match (&self.gpu.pipelines.cache, self.gpu.pipelines.found) {
            (None, _) => {
                "compiled anew: the driver hands none out, or nowhere to keep them".to_owned()
            }
            (Some(_), 0) => "compiled anew, and kept".to_owned(),
            (Some(_), bytes) => format!("{bytes} bytes kept by an earlier process"),
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
        let most = |deep| (0..layers).map(|layer| steps.of_layer(layer, deep)).max().unwrap_or(0);
        let dispatches = format!(
            "{} for a generated token, at most {} a layer; {} behind {SHALLOW} positions",
            body + head + dispatches(&steps.choice, 1),
            most(false),
            most(true)
        );
        let encoding = format!(
            "{} submissions so far, {:.1} ms to record them, {:.1} ms in the driver's submit",
            self.pace.submissions,
            self.pace.encoding.as_secs_f64() * 1e3,
            self.pace.submitting.as_secs_f64() * 1e3
        );
        let notes = [
            ("dispatches", dispatches),
            ("encoding", encoding),
            ("tuning", self.tuning_note()),
            ("pipelines", self.pipelines_note()),
            ("interface", format!("{:?}", info.backend)),
            ("adapter type", format!("{:?}", info.device_type)),
            ("weights", shared.to_owned()),
            ("generation", format!("chained on the device, {CHAIN} tokens a submission")),
        ];
        notes.map(|(name, text)| (name.to_owned(), Known::Value(text))).into()
    }
}
