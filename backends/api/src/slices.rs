//! Messages between the gate and a *slice worker*: a program that runs one kernel at a time on data in several places, so that
//! two builds can be held against each other call by call. One JSON object a line over stdio, one answer a request.
//! The contract is told in backends/SLICES.md.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Known;

/// The version spoken here.
pub const VERSION: u32 = 1;

/// What the gate asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// First.
    Hello {
        /// Version spoken.
        slices: u32,
    },
    /// Which kernels there are.
    List,
    /// Write what all sides of a comparison can read together, under a name made of its contents.
    Publish {
        /// Kernel.
        kernel: String,
        /// Folder of such files.
        folder: PathBuf,
    },
    /// Make a kernel ready; the one before is dropped.
    Prepare {
        /// Kernel.
        kernel: String,
        /// What `publish` answered.
        file: Option<PathBuf>,
    },
    /// Compute slice 0 once and write the values, little-endian f32. Right after `prepare`.
    Output {
        /// File to write.
        file: PathBuf,
    },
    /// Call the kernel, first on slice `slice`, then on those after it, from the last to the first again.
    Sample {
        /// Slice of the first call.
        slice: usize,
        /// Calls, at least 1.
        calls: usize,
    },
    /// Leave.
    Stop,
}

/// What a slice worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// To `hello`.
    Hello {
        /// Version spoken.
        slices: u32,
        /// The program's name.
        name: String,
        /// Its version.
        version: String,
    },
    /// To `list`.
    Kernels {
        /// Those that run on this machine, in any order.
        kernels: Vec<Kernel>,
        /// Where the program was loaded; null where machine code cannot be told apart by kernel.
        anchor: Option<Anchor>,
        /// Addresses of functions that a kernel's roots may refer to and no kernel here runs: those of other instruction sets, of
        /// other ways.
        #[serde(default)]
        apart: Vec<u64>,
    },
    /// To `publish`.
    Published {
        /// File, or null where all data are of the process alone.
        file: Option<PathBuf>,
    },
    /// To `prepare`.
    Prepared {
        /// Places, at least 1.
        slices: usize,
    },
    /// To `output`.
    Output {
        /// Values written.
        values: usize,
    },
    /// To `sample`.
    Sampled(Sampled),
    /// To `stop`.
    Stopped,
    /// The request failed, the worker lives.
    Fault {
        /// Why.
        message: String,
    },
}

/// One kernel of a slice worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Its name, which never changes its meaning: `cpu/avx512-vnni/Q4_K/matvec/2048x2048`.
    pub name: String,
    /// Addresses in this process of the functions that it alone (and its like) runs.
    #[serde(default)]
    pub entries: Vec<u64>,
    /// Ends of paths of functions from which everything else it runs is reached.
    #[serde(default)]
    pub roots: Vec<String>,
}

/// Where a program was loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// End of the path of one function: `bench::entries::marker`.
    pub symbol: String,
    /// Its address in this process.
    pub address: u64,
}

/// What a sample cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampled {
    /// Wall time of the calls, nanoseconds.
    pub wall_ns: u64,
    /// CPU time of the whole process meanwhile, nanoseconds; device time for a device. Null with a reason.
    pub cpu_ns: Known<u64>,
    /// How often the system took the processor away meanwhile, where it tells.
    pub switches: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_what_the_page_says() {
        let cases = [
            (Request::Hello { slices: 1 }, r#"{"hello":{"slices":1}}"#),
            (Request::List, r#""list""#),
            (Request::Sample { slice: 3, calls: 8 }, r#"{"sample":{"slice":3,"calls":8}}"#),
        ];
        for (request, text) in cases {
            assert_eq!(serde_json::to_string(&request).expect("plain"), text);
            assert_eq!(serde_json::from_str::<Request>(text).expect(text), request);
        }
        let sampled = Sampled { wall_ns: 2, cpu_ns: Known::Value(1), switches: None };
        let text = r#"{"sampled":{"wall_ns":2,"cpu_ns":1,"switches":null}}"#;
        assert_eq!(serde_json::to_string(&Answer::Sampled(sampled)).expect("plain"), text);
        let text = r#"{"sampled":{"wall_ns":2,"cpu_ns":1,"switches":null,"typo":1}}"#;
        assert!(serde_json::from_str::<Answer>(text).is_err());
    }
}
