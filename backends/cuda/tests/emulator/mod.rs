//! A machine whose GPU is this processor: the kernels compiled as C++ (`shim.h`), memory on the heap behind guards,
//! arguments checked against the kernels' parameters. The same host code drives it as drives a GPU.
#![allow(dead_code, reason = "each test uses a part")]

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, c_char, c_uint, c_void};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use libloading::Library;
use yardstick_api::{DeviceClass, Error, Known};
use yardstick_cuda::kernels::source;
use yardstick_cuda::machine::{
    Argument, Driver, Gpu, Graph, Kernel, Launch, Machine, Missing, Unit,
};

/// Bytes around every allocation that nobody may touch.
const GUARD: usize = 256;
/// What they hold, and new buffers too: no number, in any type.
const FILL: u8 = 0xff;
/// What the backend calls buffers whose contents no pass leaves to the next.
const WORKING: &str = "working memory";

/// A machine with one emulated GPU, or with what tests want to go wrong.
#[derive(Clone)]
pub(crate) struct Emulated {
    pub(crate) gpu: Gpu,
    /// Memory of the GPU.
    pub(crate) memory: u64,
    /// After so many launches every further call fails with this.
    pub(crate) fault: Option<(usize, fn() -> Error)>,
    /// Blocks of a kernel that one of its processors has room for.
    pub(crate) resident: u32,
    /// Every access is checked (`checker.h`), which takes ten times as long.
    pub(crate) checked: bool,
    /// The order of blocks, warps and lanes; 0 is that of their numbers.
    pub(crate) seed: u64,
}

/// Whether this machine can emulate: a C++ compiler, and an x86-64 processor.
pub(crate) fn possible() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let compiler = Command::new("g++").arg("--version").output();
        let found = cfg!(target_arch = "x86_64") && compiler.is_ok_and(|out| out.status.success());
        if !found {
            println!("skipped: the kernels are emulated with g++ on x86-64 only");
        }
        found
    })
}

impl Emulated {
    pub(crate) fn new() -> Emulated {
        let gpu = Gpu {
            name: "emulated GPU".into(),
            capability: (9, 0),
            // Few, so that loops over more work than there are blocks run too.
            processors: 2,
            memory_bytes: Known::Value(1 << 32),
            driver: Known::unavailable("an emulated GPU has none"),
            class: DeviceClass::Emulated,
            unfit: None,
            notes: BTreeMap::new(),
        };
        Emulated { gpu, memory: 1 << 32, fault: None, resident: 4, checked: false, seed: 0 }
    }

    /// One that looks for races, and for memory that is read before it is written.
    pub(crate) fn checked(seed: u64) -> Emulated {
        Emulated { checked: true, seed, ..Emulated::new() }
    }
}

impl Machine for Emulated {
    fn gpus(&self) -> Result<Vec<Gpu>, Missing> {
        Ok(vec![self.gpu.clone()])
    }

    fn open(&self, _: usize) -> Result<Box<dyn Driver>, Error> {
        Ok(Box::new(Context { machine: self.clone(), ..Context::default() }))
    }
}

/// A kernel compiled for this processor.
struct Program {
    unit: Unit,
    library: Library,
    letters: String,
    threads: u32,
    /// Shared memory is the library's own, so that one launch runs at a time.
    running: Mutex<()>,
}

/// Bytes with guards on both sides.
struct Allocation {
    bytes: Vec<u128>,
    length: usize,
    what: &'static str,
    /// A flag a byte: something was put there. Only where that is checked.
    written: Vec<u8>,
}

impl Allocation {
    fn mark(&mut self, from: usize, bytes: &[u8]) {
        if let Some(flags) = self.written.get_mut(from..from + bytes.len()) {
            flags.copy_from_slice(bytes);
        }
    }
}

/// A buffer as the checker knows it: `Region` of `checker.h`.
#[repr(C)]
struct Region {
    base: usize,
    length: usize,
    written: *mut u8,
}

#[derive(Default)]
pub(crate) struct Context {
    machine: Emulated,
    programs: Vec<Arc<Program>>,
    kernels: HashMap<Unit, Kernel>,
    memory: BTreeMap<u64, Allocation>,
    used: u64,
    graphs: Vec<Vec<Launch>>,
    launched: usize,
}

impl Default for Emulated {
    fn default() -> Emulated {
        Emulated::new()
    }
}

impl Context {
    fn healthy(&self) -> Result<(), Error> {
        match self.machine.fault {
            Some((after, error)) if self.launched >= after => Err(error()),
            _ => Ok(()),
        }
    }

    /// The allocation that holds so many bytes from an address, and where in it.
    fn holding(&mut self, address: u64, length: u64) -> Result<(&mut Allocation, usize), Error> {
        let found = self.memory.range_mut(..=address).next_back();
        let found = found.filter(|(base, found)| address + length <= *base + found.length as u64);
        let (base, found) = found.ok_or_else(|| {
            Error::Device(format!("{length} bytes at {address:#x} are not allocated"))
        })?;
        Ok((found, (address - base) as usize))
    }

    /// What the buffers are, for a checked kernel. A pass begins with the embedding: working memory of the pass before is no
    /// longer there to be read.
    fn regions(&mut self, launch: &Launch) -> Vec<Region> {
        let region = |(&base, allocation): (&u64, &mut Allocation)| {
            if launch.name == "token_embd" && allocation.what == WORKING {
                allocation.written.fill(0);
            }
            let written = allocation.written.as_mut_ptr();
            Region { base: base as usize, length: allocation.length, written }
        };
        self.memory.iter_mut().map(region).collect()
    }

    fn guards_hold(&self) -> Result<(), Error> {
        for allocation in self.memory.values() {
            // SAFETY: plain bytes of a live allocation.
            let bytes = unsafe {
                std::slice::from_raw_parts(
                    allocation.bytes.as_ptr().cast::<u8>(),
                    allocation.bytes.len() * 16,
                )
            };
            let behind = &bytes[GUARD + allocation.length..];
            if bytes[..GUARD].iter().chain(behind).any(|&byte| byte != FILL) {
                let length = allocation.length;
                return Err(Error::DeviceLost(format!(
                    "written beyond a buffer of {length} bytes"
                )));
            }
        }
        Ok(())
    }

    fn launch(&mut self, launch: &Launch) -> Result<(), Error> {
        self.healthy()?;
        self.launched += 1;
        let program = Arc::clone(&self.programs[launch.kernel.0]);
        let wrong = |what: String| Error::Device(format!("{}: {what}", program.unit.entry));
        let letter = |argument: &Argument| match argument {
            Argument::Address(_) => 'p',
            Argument::Count(_) => 'u',
            Argument::Real(_) => 'f',
        };
        let given: String = launch.arguments.iter().map(letter).collect();
        if given != program.letters {
            return Err(wrong(format!("takes {}, was given {given}", program.letters)));
        }
        if launch.threads != program.threads || launch.grid.contains(&0) {
            return Err(wrong(format!(
                "launched with {} threads, {:?}",
                launch.threads, launch.grid
            )));
        }
        for argument in &launch.arguments {
            if let Argument::Address(address @ 1..) = *argument {
                self.holding(address, 1).map_err(|error| wrong(error.to_string()))?;
            }
        }
        let mut bits: Vec<u64> = launch.arguments.iter().map(|a| a.bits()).collect();
        let mut places: Vec<*mut c_void> =
            bits.iter_mut().map(|bits| std::ptr::from_mut(bits).cast()).collect();
        type Run = unsafe extern "C" fn(
            c_uint,
            c_uint,
            c_uint,
            c_uint,
            *mut *mut c_void,
            u64,
        ) -> *const c_char;
        type Regions = unsafe extern "C" fn(*const Region, usize);
        let [x, y, z] = launch.grid;
        // Launches differ in their order too.
        let seed = self.machine.seed.wrapping_mul(self.launched as u64);
        let regions = if self.machine.checked { self.regions(launch) } else { Vec::new() };
        let running = program.running.lock().expect("kernels do not panic");
        // SAFETY: the signatures are `exports.h`'s; the arguments were compared with the kernel's parameters, and the
        // buffers live as long as `self`.
        let outcome = unsafe {
            if self.machine.checked {
                let tell = program.library.get::<Regions>(b"emulated_regions\0");
                tell.expect("exported")(regions.as_ptr(), regions.len());
            }
            let run = program.library.get::<Run>(b"emulated_run\0").expect("exported");
            run(x, y, z, launch.threads, places.as_mut_ptr(), seed)
        };
        drop(running);
        if outcome.is_null() {
            return Ok(());
        }
        // SAFETY: a constant text that ends in 0.
        Err(wrong(unsafe { CStr::from_ptr(outcome) }.to_string_lossy().into_owned()))
    }
}

impl Driver for Context {
    fn gpu(&self) -> &Gpu {
        &self.machine.gpu
    }

    fn free_bytes(&mut self) -> Result<u64, Error> {
        Ok(self.machine.memory - self.used)
    }

    fn compile(&mut self, unit: &Unit) -> Result<Kernel, Error> {
        if let Some(&kernel) = self.kernels.get(unit) {
            return Ok(kernel);
        }
        self.programs.push(program(unit, self.machine.checked)?);
        let kernel = Kernel(self.programs.len() - 1);
        self.kernels.insert(unit.clone(), kernel);
        Ok(kernel)
    }

    fn resident(&mut self, _: Kernel, _: u32) -> Result<u32, Error> {
        Ok(self.machine.resident)
    }

    fn allocate(&mut self, bytes: u64, what: &'static str) -> Result<u64, Error> {
        if bytes > self.machine.memory - self.used {
            return Err(Error::OutOfMemory(format!("allocating {bytes} bytes: none are left")));
        }
        self.used += bytes;
        let length = bytes as usize;
        let words = (length + 2 * GUARD).div_ceil(256) * 16 + 16;
        let mut made = vec![u128::from_le_bytes([FILL; 16]); words];
        // SAFETY: as many bytes as were made just now.
        let base = unsafe { made.as_mut_ptr().cast::<u8>().add(GUARD) };
        let written = if self.machine.checked { vec![0; length] } else { Vec::new() };
        self.memory.insert(base as u64, Allocation { bytes: made, length, what, written });
        Ok(base as u64)
    }

    fn write(&mut self, to: u64, bytes: &[u8]) -> Result<(), Error> {
        self.healthy()?;
        let (found, at) = self.holding(to, bytes.len() as u64)?;
        found.mark(at, &vec![1; bytes.len()]);
        // SAFETY: checked just now; nothing else runs.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to as *mut u8, bytes.len()) };
        Ok(())
    }

    fn read(&mut self, from: u64, out: &mut [u8]) -> Result<(), Error> {
        self.healthy()?;
        self.guards_hold()?;
        let (found, at) = self.holding(from, out.len() as u64)?;
        if found.written.get(at..at + out.len()).is_some_and(|flags| flags.contains(&0)) {
            return Err(Error::Device(format!("read back from {}: nothing wrote it", found.what)));
        }
        // SAFETY: checked just now; nothing else runs.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, out.as_mut_ptr(), out.len()) };
        Ok(())
    }

    fn copy(&mut self, to: u64, from: u64, bytes: u64) -> Result<(), Error> {
        self.healthy()?;
        let (found, at) = self.holding(from, bytes)?;
        let flags = found.written.get(at..at + bytes as usize).map(<[u8]>::to_vec);
        let (found, at) = self.holding(to, bytes)?;
        found.mark(at, &flags.unwrap_or_default());
        // SAFETY: checked just now; ranges may overlap.
        unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes as usize) };
        Ok(())
    }

    fn run(&mut self, launches: &[Launch]) -> Result<(), Error> {
        launches.iter().try_for_each(|launch| self.launch(launch))
    }

    fn record(&mut self, launches: &[Launch]) -> Result<Graph, Error> {
        self.graphs.push(launches.to_vec());
        Ok(Graph(self.graphs.len() - 1))
    }

    fn replay(&mut self, graph: Graph, times: usize) -> Result<(), Error> {
        let launches = self.graphs[graph.0].clone();
        (0..times).try_for_each(|_| self.run(&launches))
    }

    fn synchronize(&mut self) -> Result<(), Error> {
        self.healthy()?;
        self.guards_hold()
    }

    fn time(&mut self, launches: &[Launch]) -> Result<Vec<u64>, Error> {
        self.run(launches)?;
        Ok(vec![1; launches.len()])
    }

    fn time_replay(&mut self, graph: Graph) -> Result<u64, Error> {
        self.replay(graph, 1).map(|()| 1)
    }
}

/// Compiled once per process and source, and kept beside the tests for the next.
fn program(unit: &Unit, checked: bool) -> Result<Arc<Program>, Error> {
    type Loaded = HashMap<(Unit, bool), Arc<Program>>;
    static LOADED: OnceLock<Mutex<Loaded>> = OnceLock::new();
    let mut loaded = LOADED.get_or_init(Mutex::default).lock().expect("no test panics holding it");
    if let Some(program) = loaded.get(&(unit.clone(), checked)) {
        return Ok(Arc::clone(program));
    }
    let library = build(unit, checked)?;
    // SAFETY: a library that was just compiled from our own sources; both functions are `exports.h`'s.
    let (library, letters, threads) = unsafe {
        let library = Library::new(&library).map_err(|error| Error::Device(error.to_string()))?;
        type Letters = unsafe extern "C" fn() -> *const c_char;
        let letters = library.get::<Letters>(b"emulated_letters\0").expect("exported")();
        let letters = CStr::from_ptr(letters).to_string_lossy().into_owned();
        type Threads = unsafe extern "C" fn() -> c_uint;
        let threads = library.get::<Threads>(b"emulated_threads\0").expect("exported")();
        (library, letters, threads)
    };
    let program = Arc::new(Program {
        unit: unit.clone(),
        library,
        letters,
        threads,
        running: Mutex::default(),
    });
    loaded.insert((unit.clone(), checked), Arc::clone(&program));
    Ok(program)
}

/// The shared library of a kernel, named by the hash of its source.
fn build(unit: &Unit, checked: bool) -> Result<PathBuf, Error> {
    let shim = include_str!("shim.h").replace("#include \"checker.h\"", CHECKER_HEAD);
    let exports = include_str!("exports.h");
    // Kernels with a fault, which the emulator itself is tested with.
    let faults = if unit.entry == "fault" { include_str!("faults.cu") } else { "" };
    let (entry, source) = (unit.entry, source(unit));
    let text = format!("{shim}\n#line 1 \"{entry}.cu\"\n{source}{faults}\n{exports}");
    let mut hasher = DefaultHasher::new();
    (unit, checked, &text, CHECKER).hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulated");
    let library = folder.join(format!("{}-{:016x}.so", unit.entry, hasher.finish()));
    if library.exists() {
        return Ok(library);
    }
    let failed =
        |error: std::io::Error| Error::Device(format!("emulating {}: {error}", unit.entry));
    std::fs::create_dir_all(&folder).map_err(failed)?;
    // Tests of several programs may build the same at once: each in a file of its own, then renamed.
    let own = |kind: &str| library.with_extension(format!("{}.{kind}", std::process::id()));
    let (part, object, whole) = (own("cpp"), own("o"), own("so"));
    std::fs::write(&part, text).map_err(failed)?;
    let mut arguments: Vec<String> = WARNINGS.map(str::to_owned).to_vec();
    arguments.extend(unit.defines.iter().map(|(name, value)| format!("-D{name}={value}")));
    arguments.push(format!("-DENTRY={}", unit.entry));
    if checked {
        // Compiled sooner, and it is the checks that take time.
        arguments.extend(["-O1", "-fsanitize=thread", "-DCHECKED"].map(str::to_owned));
    }
    compile(&part, &object, &arguments)?;
    let mut inputs = vec![object.clone()];
    if checked {
        inputs.push(checker_object(&folder)?);
    }
    let mut linker = Command::new("g++");
    linker.arg("-shared").arg("-o").arg(&whole).args(inputs);
    finished(linker, "linking")?;
    std::fs::rename(&whole, &library).map_err(failed)?;
    for path in [&object, &part] {
        let _ = std::fs::remove_file(path);
    }
    Ok(library)
}

/// `checker.cpp` compiled, once for all kernels.
fn checker_object(folder: &Path) -> Result<PathBuf, Error> {
    let text = CHECKER.replace("#include \"checker.h\"", CHECKER_HEAD);
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let object = folder.join(format!("checker-{:016x}.o", hasher.finish()));
    if object.exists() {
        return Ok(object);
    }
    let failed = |error: std::io::Error| Error::Device(format!("the checker: {error}"));
    let own = |kind: &str| object.with_extension(format!("{}.{kind}", std::process::id()));
    let (part, whole) = (own("cpp"), own("o"));
    std::fs::write(&part, text).map_err(failed)?;
    compile(&part, &whole, &WARNINGS.map(str::to_owned))?;
    std::fs::rename(&whole, &object).map_err(failed)?;
    let _ = std::fs::remove_file(&part);
    Ok(object)
}

const CHECKER_HEAD: &str = include_str!("checker.h");
const CHECKER: &str = include_str!("checker.cpp");

/// Also what a GPU answers with a fault: addresses that are not aligned, arrays that end.
const WARNINGS: [&str; 10] = [
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-Wall",
    "-Wno-unknown-pragmas",
    "-Wno-unused-function",
    "-Wno-maybe-uninitialized",
    "-Wno-unused-variable",
    "-fsanitize=alignment,bounds",
    "-fsanitize-undefined-trap-on-error",
];

fn compile(source: &Path, object: &Path, arguments: &[String]) -> Result<(), Error> {
    let mut compiler = Command::new("g++");
    compiler.args(arguments).arg("-c").arg("-o").arg(object).arg(source);
    finished(compiler, "compiling")
}

fn finished(mut command: Command, what: &str) -> Result<(), Error> {
    let output = command.output().map_err(|error| Error::Device(format!("{what}: {error}")))?;
    let words = String::from_utf8_lossy(&output.stderr);
    let fine = output.status.success();
    if fine { Ok(()) } else { Err(Error::Device(format!("{what} {command:?}: {words}"))) }
}
