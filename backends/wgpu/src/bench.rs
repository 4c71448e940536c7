//! Shaders one by one, for benches: each step of a loaded model's programs can be run alone, over and over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use yardstick_api::{Backend, Device, DeviceStatus, Error, Options};
use yardstick_model::Model;

use crate::Wgpu;
use crate::program::{Step, record_one};
use crate::session::WgpuSession;
use crate::wait::block;

/// Tokens of the steps that take many.
const ROWS: u32 = 64;

/// One shader with the buffers of one place of a model.
pub struct Shader {
    /// `ffn_down, 1 token` or `attend, 64 tokens`.
    pub name: String,
    /// Weight bytes it reads; 0 where it reads activations only.
    pub bytes: u64,
    /// Multiplications and additions; 0 where they are too few to count.
    pub operations: u64,
    session: Arc<WgpuSession>,
    place: Place,
}

/// Where a step is.
#[derive(Clone, Copy)]
struct Place {
    single: bool,
    /// 0 body, 1 head, 2 choice.
    part: usize,
    index: usize,
}

impl WgpuSession {
    fn step(&self, place: Place) -> &Step {
        let program = self.program(place.single);
        [&program.body, &program.head, &program.choice][place.part]
            .get(place.index)
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

/// Every shader a model uses, once for each name: of one token and of many.
pub fn shaders(device: &Device, model: &Arc<Model>) -> Result<Vec<Shader>, Error> {
    let options = Options { context: Some(1024), ..Options::default() };
    Wgpu::default().plan(device, model.info(), &options)?;
    let session = Arc::new(block(WgpuSession::new(&device.id, model, &options, None))?);
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for single in [true, false] {
        let (program, rows) = (session.program(single), if single { 1 } else { ROWS });
        for (part, steps) in [&program.body, &program.head, &program.choice].into_iter().enumerate()
        {
            for (index, step) in steps.iter().enumerate() {
                if seen.insert((single, step.name)) {
                    found.push(Shader {
                        name: format!("{}, {rows} tokens", step.name)
                            .replace("1 tokens", "1 token"),
                        bytes: step.bytes,
                        operations: 2 * step.work * u64::from(rows),
                        session: Arc::clone(&session),
                        place: Place { single, part, index },
                    });
                }
            }
        }
    }
    Ok(found)
}

impl Shader {
    /// Runs it so many times, one behind another in one submission; the time until the last is done.
    pub fn run(&self, times: u64) -> Result<Duration, Error> {
        let (gpu, step) = (self.session.gpu(), self.session.step(self.place));
        let rows = if self.place.single { 1 } else { ROWS };
        let start = Instant::now();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in 0..times {
                record_one(&mut pass, step, rows);
            }
        }
        let index = gpu.queue.submit([encoder.finish()]);
        gpu.drive(Some(index))?;
        Ok(start.elapsed())
    }
}
