//! An open device: its queue and its pipelines, made when first used and kept while the process lives.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use yardstick_api::Error;
use yardstick_api::mutants::Mutation;
use yardstick_model::Format;

use crate::adapters::{self, Found};
use crate::fault::Fault;
use crate::kept::Kept;
use crate::mutants;
use crate::pipelines::Pipelines;
use crate::shaders::{Input, Kind, Operation, Variant};
use crate::texels::WORDS_OF_ROW;

/// An open device, shared by its sessions.
pub(crate) struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) limits: wgpu::Limits,
    pub(crate) found: &'static Found,
    pub(crate) fault: Arc<Fault>,
    /// Codes of weights go into textures.
    pub(crate) texels: bool,
    /// Sums over a workgroup go through subgroups.
    pub(crate) subgroups: bool,
    /// The eight lanes of a panel are a subgroup, and loads cost as much a lane.
    pub(crate) lanes: bool,
    /// What it computes wrongly on purpose.
    pub(crate) mutation: Mutation,
    pub(crate) kept: Kept,
    pub(crate) pipelines: Pipelines,
    made: Mutex<HashMap<Key, Arc<Pipeline>>>,
}

/// What makes a pipeline what it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) operation: Operation,
    pub(crate) format: Option<Format>,
    pub(crate) variant: Variant,
    /// Values of the shader's overrides.
    pub(crate) constants: Vec<(&'static str, u32)>,
}

/// A shader ready to run, and how it is bound.
pub(crate) struct Pipeline {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
}

/// What timing single steps takes; nothing needs it for its answers.
const TIMESTAMPS: wgpu::Features =
    wgpu::Features::TIMESTAMP_QUERY.union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);

/// Taken where there: times of steps, the peak of f16, sums over subgroups, compiled pipelines. No answer depends on them.
const OPTIONAL: wgpu::Features = TIMESTAMPS
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::PIPELINE_CACHE);

/// Timestamps can be written between dispatches.
pub(crate) fn has_timestamps(found: &Found) -> bool {
    found.adapter.features().contains(TIMESTAMPS)
}

/// A buffer, or a part of one, to be bound.
pub(crate) type Part<'a> = wgpu::BindingResource<'a>;

/// Open devices by id.
static OPEN: Mutex<Vec<(String, Arc<Gpu>)>> = Mutex::new(Vec::new());

/// The device of an adapter, opened once a process, so that its pipelines are made once; a lost one is opened anew.
/// `folder` is where what can be made again is kept.
pub(crate) async fn open(id: &str, folder: Option<&Path>) -> Result<Arc<Gpu>, Error> {
    if let Some(gpu) = known(id) {
        return Ok(gpu);
    }
    let gpu = Arc::new(Gpu::alone(id, folder).await?);
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.push((id.to_owned(), Arc::clone(&gpu)));
    Ok(gpu)
}

/// The device of this id that is open and not lost.
fn known(id: &str) -> Option<Arc<Gpu>> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, gpu)| !gpu.fault.is_lost());
    open.iter().find(|(known, _)| known == id).map(|(_, gpu)| Arc::clone(gpu))
}

impl Gpu {
    /// An adapter's device that no other session shares.
    pub(crate) async fn alone(id: &str, folder: Option<&Path>) -> Result<Gpu, Error> {
        let (found, mutation) =
            adapters::find(id).ok_or_else(|| Error::Device(format!("no device {id} any more")))?;
        let mut gpu = Gpu::new(found, mutation, folder).await?;
        gpu.lanes = gpu.subgroups && found.is_software() && gpu.lanes_are_subgroups().await?;
        Ok(gpu)
    }

    async fn new(
        found: &'static Found,
        mutation: Mutation,
        folder: Option<&Path>,
    ) -> Result<Gpu, Error> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("yardstick"),
            required_features: found.adapter.features() & OPTIONAL,
            required_limits: found.limits.clone(),
            ..Default::default()
        };
        let (device, queue) = found.adapter.request_device(&descriptor).await.map_err(|error| {
            Error::Device(format!("{} cannot be opened: {error}", found.info.name))
        })?;
        let (fault, limits) = (Fault::watch(&device), device.limits());
        // A software adapter takes buffers apart lane by lane and fetches texels whole.
        let side = u64::from(limits.max_texture_dimension_2d);
        let texels = found.is_software() && side >= WORDS_OF_ROW;
        let subgroups = device.features().contains(wgpu::Features::SUBGROUP);
        let kept = Kept::new(folder, &found.info);
        let pipelines = Pipelines::new(&device, kept.clone());
        let made = Mutex::default();
        Ok(Gpu {
            device,
            queue,
            limits,
            found,
            fault,
            texels,
            subgroups,
            lanes: false,
            mutation,
            kept,
            pipelines,
            made,
        })
    }

    /// Tries it for the workgroups that rely on it: nothing else says which invocations make a subgroup.
    async fn lanes_are_subgroups(&self) -> Result<bool, Error> {
        let rows = self.eights_are_subgroups([8, 2]).await?;
        Ok(rows && self.eights_are_subgroups([16, 1]).await?)
    }

    /// Tries it for workgroups so wide and deep (shaders/lanes.wgsl).
    async fn eights_are_subgroups(&self, [width, depth]: [u32; 2]) -> Result<bool, Error> {
        let key = Key {
            operation: Operation::Lanes,
            format: None,
            variant: Variant::default(),
            constants: vec![("WIDTH", width), ("DEPTH", depth)],
        };
        let pipeline = self.pipeline(key)?;
        let right = self.storage("right", 64)?;
        let staging = self.buffer("right", 64, wgpu::BufferUsages::MAP_READ)?;
        let group = self.bind(&pipeline, &[whole(&right)]);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline.pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        }
        encoder.copy_buffer_to_buffer(&right, 0, &staging, 0, 64);
        let index = self.queue.submit([encoder.finish()]);
        let read = self.read(&staging, 64, Some(index)).await?;
        Ok(read.chunks_exact(4).all(|count| count == 8u32.to_le_bytes()))
    }

    /// How products read activations that are in a uniform binding or not.
    pub(crate) fn input(&self, uniform: bool) -> Input {
        match (uniform, self.lanes) {
            (true, true) => Input::Lanes,
            (true, false) => Input::Uniform,
            (false, _) => Input::Storage,
        }
    }

    /// Shaders may compute in f16.
    pub(crate) fn has_f16(&self) -> bool {
        self.device.features().contains(wgpu::Features::SHADER_F16)
    }

    /// A buffer of zeros, or the reason why there is none.
    pub(crate) fn buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, Error> {
        let size = bytes.next_multiple_of(16).max(16);
        if size > self.limits.max_buffer_size {
            let limit = self.limits.max_buffer_size;
            return Err(Error::OutOfMemory(format!(
                "{label}: {size} bytes, a buffer has at most {limit}"
            )));
        }
        let usage = usage | wgpu::BufferUsages::COPY_DST;
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        self.fault.check()?;
        let buffer = self.device.create_buffer(&descriptor);
        self.fault.check_of(|| format!("{label}: {size} bytes"))?;
        Ok(buffer)
    }

    /// A buffer shaders read and write.
    pub(crate) fn storage(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer, Error> {
        use wgpu::BufferUsages as U;
        self.buffer(label, bytes, U::STORAGE | U::UNIFORM | U::COPY_SRC)
    }

    /// A pipeline, made if this is the first use.
    pub(crate) fn pipeline(&self, key: Key) -> Result<Arc<Pipeline>, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = made.get(&key) {
            return Ok(Arc::clone(pipeline));
        }
        let pipeline = Arc::new(self.make(&key)?);
        made.insert(key, Arc::clone(&pipeline));
        Ok(pipeline)
    }

    fn make(&self, key: &Key) -> Result<Pipeline, Error> {
        let name = key.operation.name();
        self.fault.check()?;
        let text = key.operation.text(key.format, key.variant);
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(
                mutants::text(self.mutation, key.operation, text).into(),
            ),
        });
        let mut kinds = key.operation.bindings().to_vec();
        if key.variant.texels {
            kinds[1] = Kind::Texels;
        }
        let layout = self.layout(&kinds);
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let constants: Vec<(&str, f64)> =
            key.constants.iter().map(|&(name, value)| (name, f64::from(value))).collect();
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                // Every buffer is zero from the start, and workgroup memory is written before it is read.
                zero_initialize_workgroup_memory: false,
            },
            cache: self.pipelines.cache.as_ref(),
        });
        self.fault.check_of(|| format!("shader {name} of {:?}", key.format))?;
        Ok(Pipeline { pipeline, layout })
    }

    fn layout(&self, kinds: &[Kind]) -> wgpu::BindGroupLayout {
        let entry = |(binding, kind): (usize, &Kind)| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: binding_type(*kind),
            count: None,
        };
        let entries: Vec<_> = kinds.iter().enumerate().map(entry).collect();
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
        self.device.create_bind_group_layout(&descriptor)
    }

    /// Binds buffers to a pipeline, in the order of its bindings.
    pub(crate) fn bind(&self, pipeline: &Pipeline, parts: &[Part<'_>]) -> wgpu::BindGroup {
        let numbered = parts.iter().zip(0..);
        let entries: Vec<_> = numbered
            .map(|(part, binding)| wgpu::BindGroupEntry { binding, resource: part.clone() })
            .collect();
        let layout = &pipeline.layout;
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
        self.device.create_bind_group(&descriptor)
    }
}

/// A part of a buffer.
pub(crate) fn part(buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Part<'_> {
    let size = wgpu::BufferSize::new(bytes);
    Part::Buffer(wgpu::BufferBinding { buffer, offset, size })
}

/// All of a buffer.
pub(crate) fn whole(buffer: &wgpu::Buffer) -> Part<'_> {
    Part::Buffer(wgpu::BufferBinding { buffer, offset: 0, size: None })
}

fn binding_type(kind: Kind) -> wgpu::BindingType {
    let ty = match kind {
        Kind::Uniform | Kind::Window => wgpu::BufferBindingType::Uniform,
        Kind::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Kind::Write => wgpu::BufferBindingType::Storage { read_only: false },
        Kind::Texels => {
            return wgpu::BindingType::Texture {
                sample_type: wgpu::TextureSampleType::Uint,
                view_dimension: wgpu::TextureViewDimension::D2,
                multisampled: false,
            };
        }
    };
    let has_dynamic_offset = kind == Kind::Window;
    wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None }
}
