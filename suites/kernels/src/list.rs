//! Every bench there is.

use yardstick_cpu::bench::isas;
use yardstick_model::Format;

use crate::name::{Name, Operation, Shape};

/// Matrices of real models: rows, weights a row, and whose they are. Projections that a session multiplies one after the
/// other (Q, K and V; gate and up) are one matrix here.
pub const SHAPES: &[(usize, usize, &str)] = &[
    (960, 576, "smollm-135m qkv"),
    (576, 576, "smollm-135m o"),
    (3072, 576, "smollm-135m gate and up"),
    (576, 1536, "smollm-135m down"),
    (49152, 576, "smollm-135m head"),
    (1152, 896, "qwen2-0.5b qkv"),
    (896, 896, "qwen2-0.5b o"),
    (9728, 896, "qwen2-0.5b gate and up"),
    (896, 4864, "qwen2-0.5b down"),
    (151936, 896, "qwen2-0.5b head"),
    (3072, 2048, "llama-3.2-1b qkv"),
    (2048, 2048, "llama-3.2-1b o"),
    (16384, 2048, "llama-3.2-1b gate and up"),
    (2048, 8192, "llama-3.2-1b down"),
    (128256, 2048, "llama-3.2-1b head"),
];

/// Rows from which on a matrix is a head: prefill multiplies it with one row only.
const HEAD_ROWS: usize = 40_000;
/// Rows of activations of a small batch.
const BATCH: usize = 4;
/// Rows of activations of a chunk of prefill.
const CHUNK: usize = 512;
/// Widths of the embeddings and of the widest inner rows.
const WIDTHS: [usize; 4] = [576, 896, 2048, 8192];
/// Queries that share a key head: decode of llama-3.2-1b, and a block of prefill.
const QUERIES: [usize; 2] = [4, 32];
/// Positions attended to.
const POSITIONS: [usize; 2] = [512, 4096];

/// Every bench of every instruction set, usable here or not.
pub fn names() -> Vec<Name> {
    isas().into_iter().flat_map(|(isa, _)| of_isa(isa)).collect()
}

/// The benches of one instruction set, in the order they run.
pub fn of_isa(isa: &str) -> Vec<Name> {
    let mut all = Vec::new();
    let mut add = |format: &str, operation, shape| {
        all.push(Name { isa: isa.to_owned(), format: format.to_owned(), operation, shape });
    };
    for format in Format::ALL {
        for &(rows, cols, _) in SHAPES.iter().filter(|s| s.1.is_multiple_of(format.block_len())) {
            let mut product = |operation, columns| {
                add(format.name(), operation, Shape::Product { rows, cols, columns });
            };
            product(Operation::MatVec, 1);
            product(Operation::Batch, BATCH);
            if rows < HEAD_ROWS {
                product(Operation::MatMat, CHUNK);
                if format.block_len() > 1 {
                    product(Operation::Requantised, CHUNK);
                }
            }
        }
    }
    for kv in ["F32", "F16", "Q8_0"] {
        for (queries, positions) in QUERIES.iter().flat_map(|q| POSITIONS.map(|p| (*q, p))) {
            add(kv, Operation::Attend, Shape::Attention { queries, dim: 64, positions });
        }
    }
    for operation in [
        Operation::RmsNorm,
        Operation::SiluTimes,
        Operation::Softmax,
        Operation::Rotary,
        Operation::QuantiseRow,
        Operation::QuantiseTile,
    ] {
        for width in WIDTHS {
            add("F32", operation, Shape::Row(width));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_is_unique_and_reads_back() {
        let names = names();
        let mut seen = HashSet::new();
        for name in &names {
            let text = name.to_string();
            assert_eq!(text.parse().as_ref(), Ok(name));
            assert!(seen.insert(text), "{name} twice");
            // What criterion makes a folder of is cut at 64 characters.
            assert!(name.to_string().len() < 64);
        }
        assert!(names.len() > 1000);
    }

    /// The names of one instruction set, which stands for all: a gate that holds a stored name must find it again.
    #[test]
    fn the_list_is_the_one_that_is_kept() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/names.txt");
        let list: String = of_isa("ISA").iter().map(|name| format!("{name}\n")).collect();
        if std::env::var_os("KEEP_NAMES").is_some() {
            std::fs::write(path, &list).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap();
        let (old, new): (HashSet<&str>, HashSet<&str>) =
            (kept.lines().collect(), list.lines().collect());
        let gone: Vec<_> = old.difference(&new).collect();
        let come: Vec<_> = new.difference(&old).collect();
        assert!(
            kept == list,
            "names.txt differs; gone {gone:?}, new {come:?}; KEEP_NAMES=1 cargo test writes it"
        );
    }
}
