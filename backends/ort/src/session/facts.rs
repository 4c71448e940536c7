//! What really runs, for the record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use yardstick_api::{Facts, Footprint, Known, Numerics, Options, WeightScheme, host};
use yardstick_model::Model;

use super::calibrate;
use super::maker::options;
use crate::onnx::ElementType;
use crate::placement::{Placement, Verdict};
use crate::providers::Place;
use crate::weights::{Converted, Scheme, streamed};

/// What a load knows when it is done.
pub(super) struct Loaded<'a> {
    pub(super) place: &'a Place,
    pub(super) model: &'a Arc<Model>,
    pub(super) options: &'a Options,
    pub(super) converted: &'a Converted,
    pub(super) scheme: Scheme,
    pub(super) footprint: Footprint,
    pub(super) context: usize,
    pub(super) chunk: usize,
    pub(super) numerics: Numerics,
    pub(super) threads: usize,
    pub(super) placement: Placement,
    pub(super) compile: Duration,
}

pub(super) fn facts(loaded: &Loaded<'_>) -> Facts {
    let Loaded { place, model, options, converted, footprint, .. } = loaded;
    let info = model.info();
    let bytes = |value: &dyn Fn(&str) -> bool| -> u64 {
        let tensors = converted.index.tensors.iter();
        tensors.filter(|(name, _)| value(name)).map(|(_, stored)| stored.bytes).sum()
    };
    // Products that run in 8 bits are those of blocks; a model without any computes in f32.
    let blocks = converted
        .index
        .tensors
        .iter()
        .any(|(name, codes)| name.ends_with(".codes") && codes.element == ElementType::U8);
    let numerics = match loaded.numerics {
        Numerics::A8 if !blocks && !loaded.scheme.rounds_activations() => Numerics::F32,
        other => other,
    };
    let level = match numerics {
        _ if loaded.scheme.rounds_activations() => "activations in u16 on both sides",
        Numerics::A8 => "activations in 8 bits (accuracy level 4)",
        _ => "activations in f32 (accuracy level 0)",
    };
    let kernels = info.formats.iter().map(|&(format, _)| {
        (format.name().to_owned(), loaded.scheme.carrier(format).describe(level))
    });
    Facts {
        device: format!("ort:{}", place.provider.what),
        isa: Known::unavailable("ONNX Runtime does not tell which kernels it chose"),
        adapter: match place.provider.kind {
            yardstick_api::DeviceKind::Cpu => host::processor(),
            _ => Known::unavailable("ONNX Runtime does not name it"),
        },
        driver: Known::Value(place.source()),
        threads: loaded.threads.into(),
        context: loaded.context,
        sequences: options.sequences,
        chunk: loaded.chunk,
        kv: options.kv,
        numerics: numerics.with_kv(options.kv),
        mapped_bytes: 0,
        copied_bytes: bytes(&|_| true),
        kv_bytes: footprint.kv_bytes,
        scratch_bytes: footprint.scratch_bytes,
        streamed_bytes: streamed(&info.architecture, &converted.index),
        kernels: kernels.collect(),
        notes: notes(loaded),
    }
}

fn notes(loaded: &Loaded<'_>) -> BTreeMap<String, Known<String>> {
    let Loaded { place, converted, placement, compile, .. } = loaded;
    let provider = place.provider;
    let placed = match placement.verdict(provider.name, provider.strict()) {
        Verdict::Placed => format!("placed 100 %: {placement}"),
        Verdict::Partial { share } => {
            let time = match placement.share_of_time(provider.name) {
                Some(time) => format!("{time:.1} % of time"),
                None => "an unknown share of time".to_owned(),
            };
            let elsewhere = placement.elsewhere(provider.name);
            format!(
                "partial {share} % of nodes, {time} on ort:{}, the rest on ort:cpu: {placement}; elsewhere {elsewhere}",
                provider.what
            )
        }
        Verdict::Invalid => format!("invalid: {placement}"),
    };
    let residuals: Vec<String> = converted
        .index
        .residuals
        .iter()
        .map(|(format, residual)| match residual {
            0.0 => format!("{format} exact"),
            _ => format!("{format} off by at most {residual:.1e} of a block's largest weight"),
        })
        .collect();
    let form = match provider.fixed {
        true => format!("static: graphs of {} rows and of one, the head apart", loaded.chunk),
        false => "dynamic: one graph, keys and values in place".to_owned(),
    };
    let said = options(place, loaded.numerics, loaded.threads);
    let said: Vec<String> = said.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let notes = [
        ("provider options", if said.is_empty() { "none".to_owned() } else { said.join(" ") }),
        (Facts::PLACEMENT, placed),
        ("conversion", conversion(loaded.scheme, &residuals)),
        ("load", parts(converted.read, converted.convert, *compile)),
        ("runtime", format!("ONNX Runtime {}", place.version)),
        ("form", form),
        ("embedding", "looked up on the host".to_owned()),
    ];
    let weights = loaded.scheme.anew.map(|anew| (WeightScheme::NOTE, anew.name().to_owned()));
    let notes = notes.into_iter().chain(weights);
    notes.map(|(name, value)| (name.to_owned(), Known::Value(value))).collect()
}

/// What became of the weights.
fn conversion(scheme: Scheme, residuals: &[String]) -> String {
    match scheme.anew {
        Some(anew) if anew.rounds_activations() => format!(
            "rounded anew, not the file's values: {}; activations in u16, ranges of {} tokens on ort:cpu",
            scheme.name(),
            calibrate::TOKENS
        ),
        Some(_) => format!("rounded anew, not the file's values: {}", scheme.name()),
        None => format!("{}: {}", scheme.name(), residuals.join(", ")),
    }
}

/// Times of a load.
fn parts(read: Duration, convert: Duration, compile: Duration) -> String {
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    format!("read {:.1} ms, convert {:.1} ms, compile {:.1} ms", ms(read), ms(convert), ms(compile))
}
