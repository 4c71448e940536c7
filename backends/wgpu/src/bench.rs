//! Shaders one by one, for benches: each step of a loaded model's programs can be run alone, over and over.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use yardstick_api::{Backend, Device, DeviceStatus, Error, Numerics, Options};
use yardstick_model::Model;

use crate::program::{Depth, Step, record_one};
use crate::session::WgpuSession;
use crate::tune::Tunings;
use crate::wait::block;
use crate::{Wgpu, gpu};

/// Tokens of the steps that take many.
const ROWS: u32 = 64;

/// One shader with the buffers of one place of a model.
pub struct Shader {
    /// `ffn_down, 1 token` or `attend, 64 tokens, a8`.
    pub name: String,
    /// Weight bytes it reads; 0 where it reads activations only.
    pub bytes: u64,
    /// Multiplications and additions; 0 where they are too few to count.
    pub operations: u64,
    session: Arc<WgpuSession>,
    place: Place,
}

/// Where a step is: its dispatches follow each other, several where its weights do not fit into one binding.
#[derive(Clone)]
struct Place {
    single: bool,
    /// 0 body, 1 head, 2 choice.
    part: usize,
    steps: Range<usize>,
}

impl WgpuSession {
    fn steps(&self, place: &Place) -> &[Step] {
        let program = self.program(place.single);
        [&program.body, &program.head, &program.choice][place.part]
            .get(place.steps.clone())
            .expect("listed from it")
    }
}

/// The adapter to bench on: the one of this number, else the best one.
pub fn adapter(number: Option<usize>) -> Option<Device> {
    let ready = |status: DeviceStatus| match status {
        DeviceStatus::Ready(device) => Some(device),
        DeviceStatus::Missing { .. } => None,
    };
    let id = number.map(|number| format!("wgpu:{number}"));
    let wanted = |device: &Device| id.as_ref().map_or(device.preferred, |id| *id == device.id);
    Wgpu::default().devices().into_iter().filter_map(ready).find(wanted)
}

/// Every shader a model uses, once for each name: of one token and of many, in f32 and, with what the adapter would choose set aside, in
/// 8 bits. `folder`: an empty one, for the choices.
pub fn shaders(device: &Device, model: &Arc<Model>, folder: &Path) -> Result<Vec<Shader>, Error> {
    let mut found = Vec::new();
    // 8 bits first: an open device keeps the folder it was opened with.
    for numerics in [Numerics::A8, Numerics::F32] {
        let options =
            Options { context: Some(1024), numerics: Some(numerics), ..Options::default() };
        Wgpu::default().plan(device, model.info(), &options)?;
        if numerics == Numerics::A8 {
            let gpu = block(gpu::open(&device.id, Some(folder)))?;
            Tunings::all_in_8_bits(&gpu).keep(&gpu);
        }
        let session = block(WgpuSession::new(&device.id, model, &options, Some(folder)))?;
        list(&Arc::new(session), numerics, &mut found);
    }
    // What both have is timed once.
    let products = |shader: &Shader| shader.operations > 0 || shader.name.contains("quantise");
    let (eight, plain): (Vec<Shader>, Vec<Shader>) =
        found.into_iter().partition(|shader| shader.name.ends_with(EIGHT));
    Ok(plain.into_iter().chain(eight.into_iter().filter(products)).collect())
}

/// What names of shaders in 8 bits end with.
const EIGHT: &str = ", a8";

fn list(session: &Arc<WgpuSession>, numerics: Numerics, found: &mut Vec<Shader>) {
    let mut seen = HashSet::new();
    let ending = if numerics == Numerics::A8 { EIGHT } else { "" };
    for single in [true, false] {
        let (program, rows) = (session.program(single), if single { 1 } else { ROWS });
        for (part, steps) in [&program.body, &program.head, &program.choice].into_iter().enumerate()
        {
            let same =
                |a: &Step, b: &Step| (a.name, a.layer, a.depth) == (b.name, b.layer, b.depth);
            let mut at = 0;
            for steps in steps.chunk_by(same) {
                let place = Place { single, part, steps: at..at + steps.len() };
                at += steps.len();
                let Some(first) = steps.first().filter(|s| seen.insert((single, s.name, s.depth)))
                else {
                    continue;
                };
                let tokens = if single { "token" } else { "tokens" };
                let deep = if first.depth == Depth::Deep { ", deep" } else { "" };
                found.push(Shader {
                    name: format!("{}{deep}, {rows} {tokens}{ending}", first.name),
                    bytes: steps.iter().map(|step| step.bytes).sum(),
                    operations: steps.iter().map(|step| 2 * step.work * u64::from(rows)).sum(),
                    session: Arc::clone(session),
                    place,
                });
            }
        }
    }
}

impl Shader {
    /// Runs it so many times, one behind another in one submission; the time until the last is done.
    pub fn run(&self, times: u64) -> Result<Duration, Error> {
        let (gpu, steps) = (self.session.gpu(), self.session.steps(&self.place));
        let rows = if self.place.single { 1 } else { ROWS };
        let start = Instant::now();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in 0..times {
                steps.iter().for_each(|step| record_one(&mut pass, step, rows));
            }
        }
        let index = gpu.queue.submit([encoder.finish()]);
        gpu.drive(Some(index))?;
        Ok(start.elapsed())
    }
}
