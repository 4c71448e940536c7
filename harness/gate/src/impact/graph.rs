//! What a function is, whatever its address: its bytes without the linker's, and what it refers to, by name or by contents.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use object::elf::R_X86_64_PC32;

use super::image::{Image, Reference, Target};

/// How deep data that refer to data are followed.
const DEPTH: usize = 8;
/// References to data that are written are known up to the length of an immediate (`cmpb $0, FLAG(%rip)`), so that one piece may
/// reach a little into the next. Constants are not compared in memory with immediates: they are folded.
const SLACK: u64 = 4;
/// A place in source code, as panics tell it: a pointer, a length, a line and a column.
const PLACE: usize = 24;

/// A function as two builds can compare it.
pub(super) struct Node {
    pub(super) signature: u64,
    /// Functions it refers to, itself or through data.
    pub(super) to: Vec<usize>,
}

/// All functions of a program, in its order.
pub(super) fn nodes(image: &Image) -> Vec<Node> {
    (0..image.functions.len()).map(|index| node(image, index)).collect()
}

fn node(image: &Image, index: usize) -> Node {
    let function = &image.functions[index];
    let mut walk = Walk { image, hasher: DefaultHasher::new(), to: Vec::new() };
    walk.bytes(function.address, function.address + function.size, 0);
    walk.to.sort_unstable();
    walk.to.dedup();
    Node { signature: walk.hasher.finish(), to: walk.to }
}

struct Walk<'a> {
    image: &'a Image,
    hasher: DefaultHasher,
    to: Vec<usize>,
}

impl Walk<'_> {
    /// Bytes without what the linker wrote, and what is referred to from them.
    fn bytes(&mut self, from: u64, to: u64, depth: usize) {
        let references = self.image.references(from, to);
        let Some(section) = self.image.section_at(from) else {
            "nowhere".hash(&mut self.hasher);
            return;
        };
        let Some(bytes) = bytes_of(&section.bytes, section.address, from, to) else {
            // Memory that is zero at first.
            return (to - from).hash(&mut self.hasher);
        };
        let mut bytes = bytes.to_vec();
        for reference in references {
            let at = (reference.at - from) as usize;
            bytes.iter_mut().skip(at).take(reference.width as usize).for_each(|byte| *byte = 0);
        }
        if depth > 0 && is_place(&bytes, references, from) {
            // Lines move when a comment grows; no instruction depends on them.
            bytes[16..].fill(0);
        }
        // What follows data up to the next is padding, more or less of it from build to build.
        let padding =
            if depth > 0 { bytes.iter().rev().take_while(|byte| **byte == 0).count() } else { 0 };
        bytes[..bytes.len() - padding].hash(&mut self.hasher);
        for reference in references {
            let at = reference.at - from;
            (at, reference.kind).hash(&mut self.hasher);
            match reference.to {
                // A table of jumps: offsets from its start, and not from each entry's end.
                Target::Address(address) if depth > 0 && reference.kind == R_X86_64_PC32 => {
                    self.target(&Target::Address(address.wrapping_sub(4 + at)), depth);
                }
                ref to => self.target(to, depth),
            }
        }
    }

    fn target(&mut self, target: &Target, depth: usize) {
        let address = match target {
            Target::Name(name, addend) => return (name, addend).hash(&mut self.hasher),
            Target::Address(address) => *address,
        };
        if let Some(index) = self.image.function_at(address) {
            let function = &self.image.functions[index];
            (&function.name, address - function.address).hash(&mut self.hasher);
            return self.to.push(index);
        }
        if depth == DEPTH {
            return "deep".hash(&mut self.hasher);
        }
        match self.piece(address) {
            Some(end) => self.bytes(address, end, depth + 1),
            None => "outside".hash(&mut self.hasher),
        }
    }

    /// The end of the data that begin at an address: where the next begin that something refers to.
    fn piece(&self, address: u64) -> Option<u64> {
        let section = self.image.section_at(address)?;
        let end = section.address + section.size;
        let slack = if section.written { SLACK } else { 0 };
        let after = self.image.starts.partition_point(|start| *start <= address + slack);
        let next = self.image.starts.get(after).map_or(end, |next| next + slack);
        Some(next.min(end))
    }
}

fn bytes_of(bytes: &[u8], start: u64, from: u64, to: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(from - start).ok()?..usize::try_from(to - start).ok()?)
}

/// 24 bytes that begin with a pointer and hold no other.
fn is_place(bytes: &[u8], references: &[Reference], from: u64) -> bool {
    let number =
        |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let small = |at: usize, most: u32| number(at).is_some_and(|n| 0 < n && n <= most);
    bytes.len() == PLACE
        && references.len() == 1
        && references.first().is_some_and(|reference| reference.at == from)
        && small(8, 400)
        && number(12) == Some(0)
        && small(16, 100_000)
        && small(20, 1000)
}
