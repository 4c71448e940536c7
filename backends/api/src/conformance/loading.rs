//! Devices, plans, loading and facts.

use super::Case;
use super::bench::{Bench, SEQUENCES};
use crate::{Backend, Device, DeviceKind, DeviceStatus, KvType, Options, Rows};

type Check = fn(&dyn Backend, &Device, &Case) -> Result<(), String>;

/// Checks that load for themselves, or must not load at all.
pub(super) const CHECKS: &[(&str, Check)] = &[
    ("plans that must be refused", plan_refuses),
    ("plans that may be refused, but calmly", plan_survives),
    ("two sessions at once", twice),
    ("the defaults work", defaults),
];

/// What a backend says of a device, usable or not.
pub(super) fn device(backend: &dyn Backend, status: &DeviceStatus) -> Result<(), String> {
    let named = status.id().strip_prefix(backend.name()).and_then(|rest| rest.strip_prefix(':'));
    if named.is_none_or(str::is_empty) {
        return Err(format!("the id is not {}:something", backend.name()));
    }
    match status {
        DeviceStatus::Ready(device) if device.numerics.is_empty() => {
            Err("offers no numerics class".into())
        }
        DeviceStatus::Missing { reason, .. } if reason.is_empty() => {
            Err("missing without a reason".into())
        }
        _ => Ok(()),
    }
}

pub(super) fn preferred(backend: &dyn Backend) -> Result<(), String> {
    let devices = backend.devices();
    let ready = || {
        devices.iter().filter_map(|status| match status {
            DeviceStatus::Ready(device) => Some(device),
            DeviceStatus::Missing { .. } => None,
        })
    };
    let preferred = ready().filter(|device| device.preferred).count();
    match (ready().count(), preferred) {
        (0, _) | (_, 1) => Ok(()),
        (ready, preferred) => Err(format!("{preferred} preferred devices of {ready}, expected 1")),
    }
}

/// The facts against what was asked and planned.
pub(super) fn facts(bench: &mut Bench<'_>) -> Result<(), String> {
    let (facts, options) = (&bench.facts, bench.options);
    let numerics = options.numerics.unwrap_or(bench.device.numerics[0]);
    // A device that computes nothing reads nothing.
    let idle = bench.device.kind == DeviceKind::None;
    let claims = [
        (facts.device == bench.device.id, "device is the one asked for"),
        (Some(facts.context) == options.context, "context is the one asked for"),
        (facts.sequences == SEQUENCES, "sequences are those asked for"),
        (exactness(facts.kv) <= exactness(options.kv), "kv is at least as exact as asked for"),
        (facts.numerics.with_kv(facts.kv) == facts.numerics, "numerics include the KV storage"),
        (
            facts.numerics.nmse_limit() <= numerics.with_kv(facts.kv).nmse_limit(),
            "numerics are as exact as asked for",
        ),
        (facts.kv_bytes > 0, "kv_bytes is not 0"),
        (idle || facts.mapped_bytes + facts.copied_bytes > 0, "the weights are somewhere"),
        (idle || facts.streamed_bytes > 0, "streamed_bytes is not 0"),
        (facts.chunk > 0, "chunk is not 0"),
        (idle || !facts.kernels.is_empty(), "kernels are named"),
    ];
    match claims.iter().find(|(holds, _)| !holds) {
        Some((_, claim)) => Err(format!("not true that {claim}: {facts:?}")),
        None => Ok(()),
    }
}

/// 0 is most exact.
fn exactness(kv: KvType) -> Option<usize> {
    KvType::ALL.iter().position(|&kind| kind == kv)
}

fn plan_refuses(backend: &dyn Backend, device: &Device, case: &Case) -> Result<(), String> {
    let options = Options { context: Some(16), ..Options::default() };
    let absurd = [
        ("a context of 2^64 - 1", Options { context: Some(usize::MAX), ..options.clone() }),
        ("a context of 2^60", Options { context: Some(1 << 60), ..options.clone() }),
        ("2^64 - 1 sequences", Options { sequences: usize::MAX, ..options.clone() }),
        ("no context", Options { context: Some(0), ..options.clone() }),
        ("no sequences", Options { sequences: 0, ..options.clone() }),
        ("a chunk of 0", Options { chunk: 0, ..options.clone() }),
        ("no threads", Options { threads: Some(0), ..options.clone() }),
    ];
    for (name, options) in absurd {
        let refusal = backend.plan(device, case.model.info(), &options);
        match refusal {
            Ok(_) => return Err(format!("{name} was planned")),
            Err(refusal) if refusal.reason.is_empty() => return Err(format!("{name}: no reason")),
            Err(_) if backend.load(device, &case.model, &options).is_ok() => {
                return Err(format!("{name} was refused, then loaded"));
            }
            Err(_) => {}
        }
    }
    let stranger = Device { id: format!("{}:no-such-device", backend.name()), ..device.clone() };
    match backend.plan(&stranger, case.model.info(), &options) {
        Ok(_) => Err("an unknown device was planned".into()),
        Err(_) => Ok(()),
    }
}

/// Sizes whose answer is the backend's own business, as long as there is one.
fn plan_survives(backend: &dyn Backend, device: &Device, case: &Case) -> Result<(), String> {
    let large = usize::MAX;
    for options in [
        Options { chunk: large, ..Options::default() },
        Options { threads: Some(large), ..Options::default() },
        Options { context: Some(large), sequences: large, chunk: large, ..Options::default() },
    ] {
        let _ = backend.plan(device, case.model.info(), &options);
    }
    Ok(())
}

/// Two sessions over one model, taking turns, the first closed before the second is done.
fn twice(backend: &dyn Backend, device: &Device, case: &Case) -> Result<(), String> {
    let options = Options {
        context: Some(case.context.unwrap_or(case.tokens.len())),
        sequences: SEQUENCES,
        kv: KvType::F32,
        ..Options::default()
    };
    let mut one = Bench::open(backend, device, case, &options)?;
    let mut two = Bench::open(backend, device, case, &options)?;
    one.forward(&[(0, &case.tokens[..5])], Rows::None)?;
    let other = two.other_tokens(1);
    two.forward(&[(0, &other[..7])], Rows::None)?;
    let logits = one.forward(&[(0, &case.tokens[5..])], Rows::All)?;
    one.judge("the first", &logits, one.expected(5..case.tokens.len()))?;
    drop(one);
    let logits = two.alone(0, &case.tokens)?;
    two.judge("the second", &logits, &case.expected)
}

/// Options as they come, context left to the backend, which must say what it chose.
fn defaults(backend: &dyn Backend, device: &Device, case: &Case) -> Result<(), String> {
    let options = Options::default();
    let mut bench = Bench::open(backend, device, case, &options)?;
    if bench.facts.context < case.tokens.len() {
        return Err(format!("chose a context of {}", bench.facts.context));
    }
    let logits = bench.alone(0, &case.tokens)?;
    bench.judge("all rows", &logits, &case.expected)
}
