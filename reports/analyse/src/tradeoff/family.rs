//! The family: what the formats of one model have in common.

use yardstick_record::ModelRef;

use crate::Row;

/// The model's name without its format: `smollm-135m` of `smollm-135m:Q4_0`, `mine` of `mine-Q4_K_M.gguf` and `mine-q4.gguf`.
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
    // What a file says it is comes first; people also write `Q4` for Q4_0, or `fp16`.
    let told = format.and_then(|format| {
        let (head, tail) = name.split_at_checked(name.len().checked_sub(format.len())?)?;
        tail.eq_ignore_ascii_case(format).then_some(head)
    });
    let written = || {
        let separators = name.char_indices().filter(|(_, c)| SEPARATORS.contains(c));
        separators.map(|(at, _)| at).find(|at| is_format(&name[at + 1..])).map(|at| &name[..at])
    };
    let base = told.or_else(written).map(|head| head.trim_end_matches(SEPARATORS));
    base.filter(|base| !base.is_empty()).unwrap_or(name)
}

/// What stands between a name and its format.
const SEPARATORS: [char; 4] = ['-', '_', '.', ':'];

/// Whether a word is a format as files are named after them: `f16`, `bf16`, `fp16`, `Q4`, `Q4_K_M`, `IQ4_NL`.
fn is_format(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    if ["f16", "f32", "bf16", "fp16", "fp32"].contains(&word.as_str()) {
        return true;
    }
    let mut parts = word.split('_');
    let first = parts.next().unwrap_or_default();
    let bits = first.strip_prefix("iq").or_else(|| first.strip_prefix('q')).unwrap_or_default();
    let part = |part| ["0", "1", "k", "s", "m", "l", "xs", "xxs", "xl", "nl"].contains(&part);
    matches!(bits.as_bytes(), [b'1'..=b'8']) && parts.all(part)
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
            ("mine-Q4.gguf", "Q4_0", "mine"),
            ("mine_fp16.gguf", "F16", "mine"),
            ("mine-7b-iq4_nl.gguf", "Q4_K_M", "mine-7b"),
            ("mine-q4-v2.gguf", "Q4_0", "mine-q4-v2"),
            ("mine-Q4_big.gguf", "Q4_0", "mine-Q4_big"),
            ("q4.gguf", "Q4_0", "q4"),
            ("-ä-Q4", "Q8_0", "-ä"),
            ("Q4_0", "Q4_0", "Q4_0"),
            ("ä", "Q4_0", "ä"),
            ("äääQ", "Q4_0", "äääQ"),
        ] {
            let mut model = ModelRef::unopened(name, "a test");
            model.quantisation = Known::Value(format.to_owned());
            assert_eq!(family(&model), expected, "{name}");
        }
        assert_eq!(family(&ModelRef::unopened("a:Q4_0", "not opened")), "a");
    }
}
