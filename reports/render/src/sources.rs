//! Where the texts and questions of quality come from, whether models may have seen them, and what answers were held against.

use std::collections::BTreeSet;

use yardstick_analyse::Comparison;
use yardstick_api::Known;
use yardstick_record::{Data, Quality, Reference};

use crate::text::elide;

/// Formats whose values are not quantised.
const PLAIN: [&str; 3] = ["F16", "BF16", "F32"];

/// Characters of a sentence.
const LONGEST: usize = 600;

/// A sentence for each text and each reference, each once.
pub(crate) fn sources(comparison: &Comparison) -> Vec<String> {
    let qualities = || comparison.rows.iter().filter_map(|row| row.quality.as_deref());
    let texts: BTreeSet<String> = qualities().map(|quality| text(&quality.data)).collect();
    let references: BTreeSet<String> = qualities().filter_map(reference).collect();
    texts.into_iter().chain(references).map(|text| elide(&text, LONGEST)).collect()
}

fn text(data: &Data) -> String {
    let known = |value: &Known<String>| value.value().cloned();
    let told: Vec<String> =
        [known(&data.source), known(&data.licence)].into_iter().flatten().collect();
    let told = if told.is_empty() { "source not told".to_owned() } else { told.join("; ") };
    format!("{}: {told}; {}.", data.name, data.contamination())
}

fn reference(quality: &Quality) -> Option<String> {
    let Reference { model, quantisation, device, proof, .. } = quality.reference.as_ref()?;
    let format = quantisation.value().map_or("unknown", String::as_str);
    let loss = match PLAIN.contains(&format) {
        true => String::new(),
        false => {
            format!(": {format} itself, so the loss is against those weights, not the original's")
        }
    };
    Some(format!("Held against {model} on {device} ({proof}){loss}."))
}
