//! An operation taken apart: meetings of threads, least streaming and arithmetic, and what is left.

use super::measured::Roofs;
use super::pass::{Operation, Pass};

/// An operation, nanoseconds a pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Limb {
    pub(super) name: String,
    /// All of it.
    pub(super) ns: f64,
    /// Counted meetings at their measured latency, at most the whole.
    pub(super) meetings: f64,
    /// Bytes, and what reading them takes at the roof.
    pub(super) bytes: f64,
    pub(super) streaming: f64,
    /// Operations, and what they take at their roof.
    pub(super) operations: f64,
    pub(super) arithmetic: f64,
    /// What arithmetic takes beyond streaming.
    pub(super) beyond: f64,
    /// Its bytes are counted and the read roof is known.
    pub(super) counted: bool,
}

impl Limb {
    /// Its roofs allow a hundredth of its time or less: bytes and arithmetic say nothing of it.
    pub(super) fn is_far(&self) -> bool {
        self.floor() < super::held::FAR * self.ns
    }
}

impl Limb {
    /// Time without meetings.
    pub(super) fn work_ns(&self) -> f64 {
        self.ns - self.meetings
    }

    /// The least its work could take.
    pub(super) fn floor(&self) -> f64 {
        self.streaming.max(self.arithmetic)
    }

    /// Arithmetic is its limit.
    pub(super) fn computes(&self) -> bool {
        self.arithmetic > self.streaming
    }

    /// Both as one, as where two programs cut the same work differently.
    pub(super) fn join(&mut self, other: &Limb) {
        self.counted =
            if self.name.is_empty() { other.counted } else { self.counted && other.counted };
        if !self.name.is_empty() {
            self.name += " + ";
        }
        self.name += &other.name;
        self.ns += other.ns;
        self.meetings += other.meetings;
        self.bytes += other.bytes;
        self.streaming += other.streaming;
        self.operations += other.operations;
        self.arithmetic += other.arithmetic;
        self.beyond += other.beyond;
    }
}

/// Every operation, all layers together.
pub(super) fn limbs(pass: &Pass, roofs: &Roofs) -> Vec<Limb> {
    let mut limbs: Vec<Limb> = Vec::new();
    for operation in &pass.operations {
        let one = limb(operation, roofs);
        match limbs.iter_mut().find(|limb| limb.name == one.name) {
            Some(known) => {
                let name = std::mem::take(&mut known.name);
                let counted = known.counted && one.counted;
                known.join(&one);
                (known.name, known.counted) = (name, counted);
            }
            None => limbs.push(one),
        }
    }
    limbs
}

fn limb(operation: &Operation, roofs: &Roofs) -> Limb {
    let per_second = |roof: Option<&super::Roof>| roof.map(|roof| roof.per_second);
    let at = |amount: Option<f64>, rate: Option<f64>| {
        amount.zip(rate.filter(|rate| *rate > 0.0)).map(|(amount, rate)| amount * 1e9 / rate)
    };
    let (bytes, operations) =
        (operation.bytes.value().copied(), operation.operations.value().copied());
    let streaming = at(bytes, per_second(roofs.read.value()));
    let arithmetic = at(operations, per_second(roofs.arithmetic(&operation.name).value()));
    let barrier = roofs.barrier_ns.value().copied().unwrap_or(0.0);
    let meetings = (operation.calls * barrier).min(operation.ns);
    let (least, computing) = (streaming.unwrap_or(0.0), arithmetic.unwrap_or(0.0));
    Limb {
        name: operation.name.clone(),
        ns: operation.ns,
        meetings,
        bytes: bytes.unwrap_or(0.0),
        streaming: least,
        operations: operations.unwrap_or(0.0),
        arithmetic: computing,
        // Without a read roof nobody can tell what is beyond it.
        beyond: streaming.map_or(0.0, |streaming| (computing - streaming).max(0.0)),
        counted: streaming.is_some_and(|ns| ns > 0.0) || (streaming.is_some() && computing > 0.0),
    }
}
