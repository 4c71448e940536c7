//! One context on one GPU: the driver's functions behind [`Driver`]. Every wait ends, if only by giving up.
#![allow(unsafe_code, reason = "calls of the driver")]

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::time::{Duration, Instant};

use cudarc::driver::DriverError;
use cudarc::driver::result::{self, event, graph, module, primary_ctx, stream};
use cudarc::driver::sys::{self, cudaError_enum as Code};
use yardstick_api::Error;

use super::cache::Cache;
use super::error::classify;
use crate::machine::{Driver, Gpu, Graph, Kernel, Launch, Unit};

/// Longest wait for the device; a kernel takes milliseconds, a whole prefill seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// Waiting spins so long before it sleeps between looks.
const SPIN: Duration = Duration::from_millis(20);

/// See the file's head.
pub(super) struct Context {
    gpu: Gpu,
    device: sys::CUdevice,
    context: sys::CUcontext,
    stream: sys::CUstream,
    cache: Cache,
    compiled: HashMap<Unit, Kernel>,
    modules: Vec<sys::CUmodule>,
    functions: Vec<sys::CUfunction>,
    graphs: Vec<sys::CUgraphExec>,
    allocations: Vec<u64>,
}

impl Context {
    pub(super) fn open(ordinal: usize, gpu: Gpu, cache: Cache) -> Result<Context, Error> {
        let failed = |error| classify("opening the GPU", error);
        let ordinal = i32::try_from(ordinal).map_err(|_| Error::Device("no such GPU".into()))?;
        let device = result::device::get(ordinal).map_err(failed)?;
        // SAFETY: the device was just named by the driver; the context is released on drop.
        let context = unsafe { primary_ctx::retain(device) }.map_err(failed)?;
        // SAFETY: the context was just retained.
        let ready = unsafe { result::ctx::set_current(context) };
        let stream = ready.and_then(|()| stream::create(stream::StreamKind::NonBlocking));
        let stream = stream.map_err(|error| {
            // SAFETY: retained above and used by nothing.
            let _ = unsafe { primary_ctx::release(device) };
            failed(error)
        })?;
        let (compiled, modules, functions) = (HashMap::new(), Vec::new(), Vec::new());
        let (graphs, allocations) = (Vec::new(), Vec::new());
        Ok(Context {
            gpu,
            device,
            context,
            stream,
            cache,
            compiled,
            modules,
            functions,
            graphs,
            allocations,
        })
    }

    /// Sessions of several GPUs may take turns on one thread.
    fn enter(&self) -> Result<(), Error> {
        // SAFETY: the context is retained while `self` lives.
        unsafe { result::ctx::set_current(self.context) }.map_err(|e| classify("switching GPU", e))
    }

    fn launch(&self, launch: &Launch) -> Result<(), Error> {
        let Some(&function) = self.functions.get(launch.kernel.0) else {
            return Err(Error::Device(format!("{}: a kernel of another context", launch.name)));
        };
        let mut bits: Vec<u64> = launch.arguments.iter().map(|argument| argument.bits()).collect();
        let mut places: Vec<*mut c_void> =
            bits.iter_mut().map(|bits| std::ptr::from_mut(bits).cast()).collect();
        let [x, y, z] = launch.grid;
        // SAFETY: arguments are in the order and of the widths of the kernel's parameters, which tests hold for every
        // kernel by running it on the host; the driver copies them before it returns.
        let queued = unsafe {
            result::launch_kernel(
                function,
                (x, y, z),
                (launch.threads, 1, 1),
                0,
                self.stream,
                &mut places,
            )
        };
        queued.map_err(|error| classify(&format!("launching {}", launch.name), error))
    }

    fn load(&mut self, unit: &Unit, code: &[u8]) -> Result<Kernel, DriverError> {
        // SAFETY: an ELF file as NVRTC wrote it; the driver checks it and copies what it needs.
        let module = unsafe { module::load_data(code.as_ptr().cast()) }?;
        self.modules.push(module);
        let name = CString::new(unit.entry).map_err(|_| DriverError(Code::CUDA_ERROR_NOT_FOUND))?;
        // SAFETY: the module is live until `self` is dropped.
        let function = unsafe { module::get_function(module, name) }?;
        // Asking for a fact of it loads it now: the driver would else do so at its first launch, which may be a recording.
        let fact = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS;
        // SAFETY: as above.
        unsafe { result::function::get_function_attribute(function, fact) }?;
        self.functions.push(function);
        Ok(Kernel(self.functions.len() - 1))
    }

    /// Launches between two calls of the driver that record what is queued.
    fn capture(&self, launches: &[Launch]) -> Result<sys::CUgraph, Error> {
        let failed = |error| classify("recording", error);
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is ours and nothing records it yet.
        unsafe { stream::begin_capture(self.stream, mode) }.map_err(failed)?;
        let queued = self.run(launches);
        // SAFETY: begun above; it must end whatever happened between.
        let graph = unsafe { stream::end_capture(self.stream) };
        queued?;
        graph.map_err(failed)
    }

    fn run(&self, launches: &[Launch]) -> Result<(), Error> {
        launches.iter().try_for_each(|launch| self.launch(launch))
    }

    /// Returns when nothing is queued. Spins first: a token takes less than a sleep.
    fn wait(&self) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            // SAFETY: the stream is live.
            match unsafe { sys::cuStreamQuery(self.stream) } {
                Code::CUDA_SUCCESS => return Ok(()),
                Code::CUDA_ERROR_NOT_READY => {}
                other => return Err(classify("computing", DriverError(other))),
            }
            let waited = begun.elapsed();
            if waited > PATIENCE {
                let seconds = PATIENCE.as_secs();
                return Err(Error::DeviceLost(format!("no answer from the GPU for {seconds} s")));
            }
            if waited < SPIN {
                std::hint::spin_loop();
            } else {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    }
}

impl Driver for Context {
    fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    fn free_bytes(&mut self) -> Result<u64, Error> {
        self.enter()?;
        let memory = result::mem_get_info().map_err(|e| classify("asking for memory", e))?;
        Ok(memory.0 as u64)
    }

    fn compile(&mut self, unit: &Unit) -> Result<Kernel, Error> {
        if let Some(&kernel) = self.compiled.get(unit) {
            return Ok(kernel);
        }
        self.enter()?;
        let (code, cached) = self.cache.code(unit, &self.gpu)?;
        let kernel = match self.load(unit, &code) {
            // A cached file may be damaged or of another driver after all.
            Err(_) if cached => {
                let code = self.cache.anew(unit, &self.gpu)?;
                self.load(unit, &code)
            }
            loaded => loaded,
        };
        let kernel = kernel.map_err(|e| classify(&format!("loading {}", unit.entry), e))?;
        self.compiled.insert(unit.clone(), kernel);
        Ok(kernel)
    }

    fn allocate(&mut self, bytes: u64) -> Result<u64, Error> {
        self.enter()?;
        let failed = |error| classify(&format!("allocating {bytes} bytes"), error);
        let length = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX);
        // SAFETY: any length may be asked for; freed on drop.
        let address = unsafe { result::malloc_sync(length) }.map_err(failed)?;
        self.allocations.push(address);
        // SAFETY: as long as it was allocated.
        unsafe { result::memset_d8_async(address, 0, length, self.stream) }.map_err(failed)?;
        Ok(address)
    }

    fn write(&mut self, to: u64, bytes: &[u8]) -> Result<(), Error> {
        self.enter()?;
        self.wait()?;
        // SAFETY: callers stay within what they allocated; the queue is empty, so nothing reads it now.
        unsafe { result::memcpy_htod_sync(to, bytes) }.map_err(|e| classify("writing", e))
    }

    fn read(&mut self, from: u64, out: &mut [u8]) -> Result<(), Error> {
        self.enter()?;
        self.wait()?;
        // SAFETY: as for `write`.
        unsafe { result::memcpy_dtoh_sync(out, from) }.map_err(|e| classify("reading", e))
    }

    fn copy(&mut self, to: u64, from: u64, bytes: u64) -> Result<(), Error> {
        self.enter()?;
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        // SAFETY: as for `write`; queued behind everything before.
        unsafe { result::memcpy_dtod_async(to, from, length, self.stream) }
            .map_err(|e| classify("copying", e))
    }

    fn run(&mut self, launches: &[Launch]) -> Result<(), Error> {
        self.enter()?;
        Context::run(self, launches)
    }

    fn record(&mut self, launches: &[Launch]) -> Result<Graph, Error> {
        self.enter()?;
        let graph = self.capture(launches)?;
        // SAFETY: a graph that was just recorded; what is instantiated holds a copy.
        let made = unsafe { graph::instantiate(graph, sys::CUgraphInstantiate_flags(0)) };
        // SAFETY: used by nothing any more.
        let _ = unsafe { graph::destroy(graph) };
        self.graphs.push(made.map_err(|e| classify("making a graph", e))?);
        Ok(Graph(self.graphs.len() - 1))
    }

    fn replay(&mut self, graph: Graph, times: usize) -> Result<(), Error> {
        self.enter()?;
        let recorded = self.graphs.get(graph.0).copied();
        let recorded =
            recorded.ok_or_else(|| Error::Device("a graph of another context".into()))?;
        for _ in 0..times {
            // SAFETY: both are live, and the memory its kernels use lives as long as `self`.
            unsafe { graph::launch(recorded, self.stream) }
                .map_err(|e| classify("replaying", e))?;
        }
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        self.enter()?;
        self.wait()
    }

    fn time(&mut self, launches: &[Launch]) -> Result<Vec<u64>, Error> {
        self.enter()?;
        let failed = |error| classify("timing", error);
        let flags = sys::CUevent_flags::CU_EVENT_DEFAULT;
        let mut events = Vec::new();
        let mut timed = || {
            let mut mark = || {
                events.push(event::create(flags).map_err(failed)?);
                // SAFETY: the event was just made, the stream is live.
                unsafe { event::record(events[events.len() - 1], self.stream) }.map_err(failed)
            };
            mark()?;
            for launch in launches {
                self.launch(launch)?;
                mark()?;
            }
            self.wait()
        };
        let outcome = timed();
        let spans = outcome.and_then(|()| {
            let span = |pair: &[sys::CUevent]| {
                // SAFETY: both were recorded and have happened.
                let milliseconds = unsafe { event::elapsed(pair[0], pair[1]) }.map_err(failed)?;
                Ok((f64::from(milliseconds) * 1e6) as u64)
            };
            events.windows(2).map(span).collect()
        });
        for event in events {
            // SAFETY: made above, waited for or given up with the context.
            let _ = unsafe { event::destroy(event) };
        }
        spans
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let _ = self.enter();
        let _ = self.wait();
        // Errors are of no use here: the worker that holds the context is about to end or to free more.
        for &graph in &self.graphs {
            // SAFETY: instantiated by us, idle.
            let _ = unsafe { graph::exec_destroy(graph) };
        }
        for &module in &self.modules {
            // SAFETY: loaded by us, its kernels have ended.
            let _ = unsafe { module::unload(module) };
        }
        for &address in &self.allocations {
            // SAFETY: allocated by us, freed once.
            let _ = unsafe { result::free_sync(address) };
        }
        // SAFETY: made by us, idle.
        let _ = unsafe { stream::destroy(self.stream) };
        // SAFETY: retained once in `open`.
        let _ = unsafe { primary_ctx::release(self.device) };
    }
}
