//! What the backend asks of a machine with GPUs, in two traits: NVIDIA's driver answers in `nvidia/`, tests answer with
//! the kernels compiled for this processor, or with failures.

use std::collections::BTreeMap;

use yardstick_api::{DeviceClass, Error, Known};

/// A machine that may have GPUs.
pub trait Machine: Send + Sync {
    /// The GPUs, by ordinal; or why there are none.
    fn gpus(&self) -> Result<Vec<Gpu>, Missing>;

    /// A context of its own on one of them.
    fn open(&self, ordinal: usize) -> Result<Box<dyn Driver>, Error>;
}

/// Why something is not there, and the one line that would change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The reason.
    pub reason: String,
    /// The line; `None` where nothing can.
    pub fix: Option<String>,
}

impl Missing {
    /// With something to do about it.
    pub fn new(reason: impl Into<String>, fix: impl Into<String>) -> Missing {
        Missing { reason: reason.into(), fix: Some(fix.into()) }
    }
}

/// A GPU as its driver describes it.
#[derive(Clone, Debug)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Compute capability, (9, 0) for an H200.
    pub capability: (u32, u32),
    /// Streaming multiprocessors.
    pub processors: u32,
    /// Memory, bytes.
    pub memory_bytes: Known<u64>,
    /// The driver and its version.
    pub driver: Known<String>,
    /// Hardware, or an emulation of it.
    pub class: DeviceClass,
    /// Why it cannot be used, where it cannot.
    pub unfit: Option<Missing>,
    /// Anything else worth keeping: clocks, ECC, MIG, power limit, processes beside us.
    pub notes: BTreeMap<String, Known<String>>,
}

impl Gpu {
    /// What compilers call its architecture: `sm_90`.
    pub fn arch(&self) -> String {
        format!("sm_{}{}", self.capability.0, self.capability.1)
    }

    /// Multiplies matrices of bf16 (`mma.sync` m16n8k16): Ampere and newer.
    pub fn has_bf16_matrices(&self) -> bool {
        self.capability.0 >= 8
    }
}

/// Source to be compiled: `entry` with these definitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit {
    /// The kernel's name, which is its file's too: `project` is in `kernels/project.cu`.
    pub entry: &'static str,
    /// `-DNAME=VALUE`, in order.
    pub defines: Vec<(&'static str, String)>,
}

/// A compiled kernel of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel(pub usize);

/// A recorded list of launches of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Graph(pub usize);

/// One argument of a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// An address in the device's memory; 0 where the kernel takes none.
    Address(u64),
    /// An unsigned number.
    Count(u32),
    /// A real number.
    Real(f32),
}

impl Argument {
    /// As the driver wants it: its bytes, little-endian, in eight.
    pub fn bits(self) -> u64 {
        match self {
            Argument::Address(address) => address,
            Argument::Count(count) => u64::from(count),
            Argument::Real(real) => u64::from(real.to_bits()),
        }
    }
}

/// One kernel, how many blocks of how many threads, and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// The kernel.
    pub kernel: Kernel,
    /// What profiles call it.
    pub name: &'static str,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub threads: u32,
    /// In the order of its parameters.
    pub arguments: Vec<Argument>,
}

/// A context on one GPU: memory, kernels and one queue, in which everything happens in order.
pub trait Driver {
    /// The GPU.
    fn gpu(&self) -> &Gpu;

    /// Bytes that could be allocated now.
    fn free_bytes(&mut self) -> Result<u64, Error>;

    /// Compiles a kernel, or finds it compiled before.
    fn compile(&mut self, unit: &Unit) -> Result<Kernel, Error>;

    /// Blocks of so many threads of a kernel that one processor has room for, by its registers and shared memory.
    fn resident(&mut self, kernel: Kernel, threads: u32) -> Result<u32, Error>;

    /// The address of so many bytes, a multiple of 256, holding anything. `what` is for messages.
    fn allocate(&mut self, bytes: u64, what: &'static str) -> Result<u64, Error>;

    /// Queues a copy to the device; returns when `bytes` may be reused.
    fn write(&mut self, to: u64, bytes: &[u8]) -> Result<(), Error>;

    /// Copies from the device, after everything queued before.
    fn read(&mut self, from: u64, out: &mut [u8]) -> Result<(), Error>;

    /// Copies within the device.
    fn copy(&mut self, to: u64, from: u64, bytes: u64) -> Result<(), Error>;

    /// Queues launches.
    fn run(&mut self, launches: &[Launch]) -> Result<(), Error>;

    /// Records launches, to be replayed at once.
    fn record(&mut self, launches: &[Launch]) -> Result<Graph, Error>;

    /// Queues a recording so many times.
    fn replay(&mut self, graph: Graph, times: usize) -> Result<(), Error>;

    /// Returns when the device is idle.
    fn synchronize(&mut self) -> Result<(), Error>;

    /// Queues launches and waits; how long each took by the device's own clock, nanoseconds.
    fn time(&mut self, launches: &[Launch]) -> Result<Vec<u64>, Error>;

    /// Queues a recording once and waits; how long all of it took by the device's own clock, nanoseconds.
    fn time_replay(&mut self, graph: Graph) -> Result<u64, Error>;
}
