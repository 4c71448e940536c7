//! The family: what the formats of one model have in common.

use yardstick_record::ModelRef;

use crate::Row;

/// The model's name without its format: `smollm-135m` of `smollm-135m:Q4_0`, `mine` of `mine-Q4_K_M.gguf`.
pub(crate) fn family(model: &ModelRef) -> &str {
    base(&model.name, model.quantisation.value())
}

/// Whether a row's answers are held against another format of its own weights, or against nothing.
pub(crate) fn is_held_against_itself(row: &Row) -> bool {
    let Some(reference) = row.quality.as_ref().and_then(|quality| quality.reference.as_ref())
    else {
        return true;
    };
    let same = |hash: &String| row.cell.model.sha256.value() == Some(hash);
    reference.sha256.value().is_some_and(same)
        || base(&reference.model, reference.quantisation.value()) == family(&row.cell.model)
}

fn base<'a>(name: &'a str, format: Option<&String>) -> &'a str {
    let name = name.strip_suffix(".gguf").unwrap_or(name);
    let Some(format) = format else { return name };
    let Some(start) = name.len().checked_sub(format.len()) else { return name };
    match (name.get(..start), name.get(start..)) {
        (Some(head), Some(tail)) if tail.eq_ignore_ascii_case(format) => {
            let base = head.trim_end_matches(['-', '_', '.', ':']);
            if base.is_empty() { name } else { base }
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yardstick_api::Known;

    #[test]
    fn the_format_is_taken_from_the_end_of_a_name() {
        for (name, format, expected) in [
            ("smollm-135m:Q4_0", "Q4_0", "smollm-135m"),
            ("smollm-135m?kv_heads=1:Q4_K_M", "Q4_K_M", "smollm-135m?kv_heads=1"),
            ("mine-Q4_K_M.gguf", "Q4_K_M", "mine"),
            ("mine.q8_0.gguf", "Q8_0", "mine"),
            ("hf:o/r/mine-f16.gguf", "F16", "hf:o/r/mine"),
            ("mine.gguf", "Q4_0", "mine"),
            ("Q4_0", "Q4_0", "Q4_0"),
            ("ä", "Q4_0", "ä"),
            ("äääQ", "Q4_0", "äääQ"),
        ] {
            let mut model = ModelRef::unopened(name, "a test");
            model.quantisation = Known::Value(format.to_owned());
            assert_eq!(family(&model), expected, "{name}");
        }
        assert_eq!(family(&ModelRef::unopened("a:Q4_0", "not opened")), "a:Q4_0");
    }
}
