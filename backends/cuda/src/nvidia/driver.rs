//! One context on one GPU: the driver's functions behind [`Driver`]. Every wait ends, if only by giving up.
#![allow(unsafe_code, reason = "calls of the driver")]

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CString, c_int, c_void};
use std::ptr::null_mut;

use yardstick_api::Error;

use super::cache::Cache;
use super::error::check;
use super::library::{Address, Code, Handle, Library};
use super::staging::Staging;
use super::wait;
use crate::machine::{Driver, Gpu, Graph, Kernel, Launch, Unit};

/// `CU_STREAM_NON_BLOCKING`: nobody else's default queue is waited for.
const NON_BLOCKING: u32 = 1;
/// `CU_STREAM_CAPTURE_MODE_THREAD_LOCAL`: what other threads do is no part of a recording.
const THREAD_LOCAL: u32 = 1;
/// `CU_FUNC_ATTRIBUTE_NUM_REGS`.
const REGISTERS: c_int = 4;

/// See the file's head.
pub(super) struct Context {
    cuda: &'static Library,
    gpu: Gpu,
    device: c_int,
    context: Handle,
    stream: Handle,
    staging: Staging,
    cache: Cache,
    compiled: HashMap<Unit, Kernel>,
    modules: Vec<Handle>,
    functions: Vec<Handle>,
    graphs: Vec<Handle>,
    allocations: Vec<Address>,
    /// The GPU gave up, or no answer came: nothing more is asked of it, not even to free memory, which might never return.
    lost: Cell<bool>,
}

impl Context {
    pub(super) fn open(
        cuda: &'static Library,
        ordinal: usize,
        gpu: Gpu,
        cache: Cache,
    ) -> Result<Context, Error> {
        let checked = |code| check(cuda, "opening the GPU", code);
        let ordinal = c_int::try_from(ordinal).map_err(|_| Error::Device("no such GPU".into()))?;
        let mut device = 0;
        // SAFETY: a place for a number.
        checked(unsafe { (cuda.cuDeviceGet)(&raw mut device, ordinal) })?;
        let mut context = null_mut();
        // SAFETY: the device was just named by the driver; the context is released on drop.
        checked(unsafe { (cuda.cuDevicePrimaryCtxRetain)(&raw mut context, device) })?;
        let mut stream = null_mut();
        // SAFETY: the context was just retained.
        let ready = checked(unsafe { (cuda.cuCtxSetCurrent)(context) }).and_then(|()| {
            // SAFETY: a place for a handle.
            checked(unsafe { (cuda.cuStreamCreate)(&raw mut stream, NON_BLOCKING) })
        });
        let staging = ready.and_then(|()| Staging::new(cuda)).inspect_err(|_| {
            // SAFETY: retained above and used by nothing that goes on; what was made in it goes with it.
            let _ = unsafe { (cuda.cuDevicePrimaryCtxRelease_v2)(device) };
        })?;
        Ok(Context {
            cuda,
            gpu,
            device,
            context,
            stream,
            staging,
            cache,
            compiled: HashMap::new(),
            modules: Vec::new(),
            functions: Vec::new(),
            graphs: Vec::new(),
            allocations: Vec::new(),
            lost: Cell::new(false),
        })
    }

    /// Notes when the GPU is lost.
    fn noted<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        outcome.inspect_err(|error| {
            if matches!(error, Error::DeviceLost(_)) {
                self.lost.set(true);
            }
        })
    }

    fn check(&self, during: &str, code: Code) -> Result<(), Error> {
        self.noted(check(self.cuda, during, code))
    }

    /// Sessions of several GPUs may take turns on one thread.
    fn enter(&self) -> Result<(), Error> {
        if self.lost.get() {
            return Err(Error::DeviceLost("the GPU was lost before; load again".into()));
        }
        // SAFETY: the context is retained while `self` lives.
        self.check("switching GPU", unsafe { (self.cuda.cuCtxSetCurrent)(self.context) })
    }

    fn function(&self, kernel: Kernel) -> Result<Handle, Error> {
        let found = self.functions.get(kernel.0).copied();
        found.ok_or_else(|| Error::Device("a kernel of another context".into()))
    }

    fn launch(&self, launch: &Launch) -> Result<(), Error> {
        let function = self.function(launch.kernel)?;
        let mut bits: Vec<u64> = launch.arguments.iter().map(|argument| argument.bits()).collect();
        let mut places: Vec<*mut c_void> =
            bits.iter_mut().map(|bits| std::ptr::from_mut(bits).cast()).collect();
        let [x, y, z] = launch.grid;
        // SAFETY: arguments are in the order and of the widths of the kernel's parameters, which tests hold for every
        // kernel by running it on the host; the driver copies them before it returns.
        let queued = unsafe {
            let (places, extra) = (places.as_mut_ptr(), null_mut());
            let threads = launch.threads;
            (self.cuda.cuLaunchKernel)(
                function,
                x,
                y,
                z,
                threads,
                1,
                1,
                0,
                self.stream,
                places,
                extra,
            )
        };
        self.check(&format!("launching {}", launch.name), queued)
    }

    fn queue(&self, launches: &[Launch]) -> Result<(), Error> {
        launches.iter().try_for_each(|launch| self.launch(launch))
    }

    fn load(&mut self, unit: &Unit, code: &[u8]) -> Result<Kernel, Error> {
        let during = format!("loading {}", unit.entry);
        let mut module = null_mut();
        // SAFETY: an ELF file as NVRTC wrote it; the driver checks it and copies what it needs.
        let loaded = unsafe { (self.cuda.cuModuleLoadData)(&raw mut module, code.as_ptr().cast()) };
        self.check(&during, loaded)?;
        self.modules.push(module);
        let name =
            CString::new(unit.entry).map_err(|_| Error::Device("a zero in a name".into()))?;
        let mut function = null_mut();
        // SAFETY: the module is live until `self` is dropped; a name that ends in 0.
        let found =
            unsafe { (self.cuda.cuModuleGetFunction)(&raw mut function, module, name.as_ptr()) };
        self.check(&during, found)?;
        // Asking for a fact of it loads it now: the driver would else do so at its first launch, which may be a recording.
        let mut registers = 0;
        // SAFETY: as above; a place for a number.
        let asked =
            unsafe { (self.cuda.cuFuncGetAttribute)(&raw mut registers, REGISTERS, function) };
        self.check(&during, asked)?;
        self.functions.push(function);
        Ok(Kernel(self.functions.len() - 1))
    }

    /// Launches between two calls of the driver that record what is queued.
    fn capture(&self, launches: &[Launch]) -> Result<Handle, Error> {
        // SAFETY: the stream is ours and nothing records it yet.
        let begun = unsafe { (self.cuda.cuStreamBeginCapture_v2)(self.stream, THREAD_LOCAL) };
        self.check("recording", begun)?;
        let queued = self.queue(launches);
        let mut graph = null_mut();
        // SAFETY: begun above; it must end whatever happened between.
        let ended = unsafe { (self.cuda.cuStreamEndCapture)(self.stream, &raw mut graph) };
        let ended = self.check("recording", ended);
        if queued.is_err() {
            self.destroy(graph);
        }
        queued.and(ended).map(|()| graph)
    }

    fn destroy(&self, graph: Handle) {
        if !graph.is_null() {
            // SAFETY: recorded by us and used by nothing any more; what was instantiated of it holds a copy.
            let _ = unsafe { (self.cuda.cuGraphDestroy)(graph) };
        }
    }

    /// Returns when nothing is queued.
    fn idle(&self) -> Result<(), Error> {
        let (cuda, stream) = (self.cuda, self.stream);
        // SAFETY: the stream is live.
        self.noted(wait(cuda, "computing", || unsafe { (cuda.cuStreamQuery)(stream) }))
    }

    /// Marks a moment of the queue.
    fn mark(&self, events: &mut Vec<Handle>) -> Result<(), Error> {
        let mut event = null_mut();
        // SAFETY: a place for a handle.
        self.check("timing", unsafe { (self.cuda.cuEventCreate)(&raw mut event, 0) })?;
        events.push(event);
        // SAFETY: the event was just made, the stream is live.
        self.check("timing", unsafe { (self.cuda.cuEventRecord)(event, self.stream) })
    }

    /// Nanoseconds between neighbouring events, which are destroyed.
    fn spans(&self, events: Vec<Handle>, outcome: Result<(), Error>) -> Result<Vec<u64>, Error> {
        let span = |pair: &[Handle]| {
            let mut milliseconds = 0.0_f32;
            // SAFETY: both were recorded and have happened.
            let asked =
                unsafe { (self.cuda.cuEventElapsedTime)(&raw mut milliseconds, pair[0], pair[1]) };
            self.check("timing", asked)?;
            Ok((f64::from(milliseconds.max(0.0)) * 1e6) as u64)
        };
        let spans = outcome.and_then(|()| events.windows(2).map(span).collect());
        for event in events {
            if !self.lost.get() {
                // SAFETY: made by `mark`, waited for or given up.
                let _ = unsafe { (self.cuda.cuEventDestroy_v2)(event) };
            }
        }
        spans
    }

    fn graph(&self, graph: Graph) -> Result<Handle, Error> {
        let recorded = self.graphs.get(graph.0).copied();
        recorded.ok_or_else(|| Error::Device("a graph of another context".into()))
    }

    fn replay(&self, recorded: Handle, times: usize) -> Result<(), Error> {
        for _ in 0..times {
            // SAFETY: both are live, and the memory its kernels use lives as long as `self`.
            let queued = unsafe { (self.cuda.cuGraphLaunch)(recorded, self.stream) };
            self.check("replaying", queued)?;
        }
        Ok(())
    }
}

impl Driver for Context {
    fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    fn free_bytes(&mut self) -> Result<u64, Error> {
        self.enter()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: places for two numbers.
        let asked = unsafe { (self.cuda.cuMemGetInfo_v2)(&raw mut free, &raw mut total) };
        self.check("asking for memory", asked)?;
        Ok(free as u64)
    }

    fn compile(&mut self, unit: &Unit) -> Result<Kernel, Error> {
        if let Some(&kernel) = self.compiled.get(unit) {
            return Ok(kernel);
        }
        self.enter()?;
        let (code, cached) = self.cache.code(unit, &self.gpu)?;
        let kernel = match self.load(unit, &code) {
            // A cached file may be damaged or of another driver after all.
            Err(_) if cached && !self.lost.get() => {
                let code = self.cache.anew(unit, &self.gpu)?;
                self.load(unit, &code)
            }
            loaded => loaded,
        }?;
        self.compiled.insert(unit.clone(), kernel);
        Ok(kernel)
    }

    fn resident(&mut self, kernel: Kernel, threads: u32) -> Result<u32, Error> {
        self.enter()?;
        let function = self.function(kernel)?;
        let (mut blocks, threads) = (0, c_int::try_from(threads).unwrap_or(c_int::MAX));
        // SAFETY: the function is live; a place for a number; no dynamic shared memory.
        let asked = unsafe {
            let ask = self.cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor;
            ask(&raw mut blocks, function, threads, 0)
        };
        self.check("asking how many blocks fit", asked)?;
        Ok(u32::try_from(blocks).unwrap_or(0).max(1))
    }

    fn allocate(&mut self, bytes: u64, what: &'static str) -> Result<u64, Error> {
        self.enter()?;
        let length = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX);
        let mut address = 0;
        // SAFETY: any length may be asked for; freed on drop.
        let made = unsafe { (self.cuda.cuMemAlloc_v2)(&raw mut address, length) };
        self.check(&format!("allocating {bytes} bytes for {what}"), made)?;
        self.allocations.push(address);
        Ok(address)
    }

    fn write(&mut self, to: u64, bytes: &[u8]) -> Result<(), Error> {
        self.enter()?;
        let written = self.staging.write(to, bytes, self.stream);
        self.noted(written)
    }

    fn read(&mut self, from: u64, out: &mut [u8]) -> Result<(), Error> {
        self.enter()?;
        let read = self.staging.read(from, out, self.stream);
        self.noted(read)
    }

    fn copy(&mut self, to: u64, from: u64, bytes: u64) -> Result<(), Error> {
        self.enter()?;
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        // SAFETY: callers stay within what they allocated; queued behind everything before.
        let queued = unsafe { (self.cuda.cuMemcpyDtoDAsync_v2)(to, from, length, self.stream) };
        self.check("copying", queued)
    }

    fn run(&mut self, launches: &[Launch]) -> Result<(), Error> {
        self.enter()?;
        self.queue(launches)
    }

    fn record(&mut self, launches: &[Launch]) -> Result<Graph, Error> {
        self.enter()?;
        let graph = self.capture(launches)?;
        let mut made = null_mut();
        // SAFETY: a graph that was just recorded; a place for a handle.
        let code = unsafe { (self.cuda.cuGraphInstantiateWithFlags)(&raw mut made, graph, 0) };
        self.destroy(graph);
        self.check("making a graph", code)?;
        self.graphs.push(made);
        // Else its first replay would wait for its upload.
        // SAFETY: both are live.
        self.check("uploading a graph", unsafe { (self.cuda.cuGraphUpload)(made, self.stream) })?;
        Ok(Graph(self.graphs.len() - 1))
    }

    fn replay(&mut self, graph: Graph, times: usize) -> Result<(), Error> {
        self.enter()?;
        Context::replay(self, self.graph(graph)?, times)
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        self.enter()?;
        self.idle()
    }

    fn time(&mut self, launches: &[Launch]) -> Result<Vec<u64>, Error> {
        self.enter()?;
        let mut events = Vec::new();
        let mut timed = || {
            self.mark(&mut events)?;
            for launch in launches {
                self.launch(launch)?;
                self.mark(&mut events)?;
            }
            self.idle()
        };
        let outcome = timed();
        self.spans(events, outcome)
    }

    fn time_replay(&mut self, graph: Graph) -> Result<u64, Error> {
        self.enter()?;
        let recorded = self.graph(graph)?;
        let mut events = Vec::new();
        let mut timed = || {
            self.mark(&mut events)?;
            Context::replay(self, recorded, 1)?;
            self.mark(&mut events)?;
            self.idle()
        };
        let outcome = timed();
        Ok(self.spans(events, outcome)?.into_iter().sum())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // A GPU that is lost, or that gives no answer now, would not answer these either. The process is about to end.
        if self.enter().and_then(|()| self.idle()).is_err() {
            return;
        }
        self.staging.free();
        // Errors are of no use here: the worker that holds the context is about to end or to free more.
        // SAFETY: everything was made by us, is idle, and is given back once.
        unsafe {
            for &graph in &self.graphs {
                let _ = (self.cuda.cuGraphExecDestroy)(graph);
            }
            for &module in &self.modules {
                let _ = (self.cuda.cuModuleUnload)(module);
            }
            for &address in &self.allocations {
                let _ = (self.cuda.cuMemFree_v2)(address);
            }
            let _ = (self.cuda.cuStreamDestroy_v2)(self.stream);
            let _ = (self.cuda.cuDevicePrimaryCtxRelease_v2)(self.device);
        }
    }
}
