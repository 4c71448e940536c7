//! Pre-tokenizers by what tokenizer.json says of them: patterns known exactly, or none.

use serde_json::{Value, json};

/// The alternatives of Llama 3's and Qwen 2's pattern; digits come in between.
const START: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|";
const END: &str = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// GGUF's name of a pre-tokenizer; `whole`: a word that is a token is that token (`ignore_merges`).
pub(super) fn name(pre: &Value, whole: bool) -> Option<&'static str> {
    let split = |digits: &str| {
        json!({"type": "Split", "pattern": {"Regex": format!("{START}{digits}{END}")},
            "behavior": "Isolated", "invert": false})
    };
    let steps: Vec<&Value> = match pre.get("type")?.as_str()? {
        "Sequence" => pre.get("pretokenizers")?.as_array()?.iter().collect(),
        _ => vec![pre],
    };
    let digits = json!({"type": "Digits", "individual_digits": true});
    match steps.as_slice() {
        [bytes] if is_bytes(bytes, true) && !whole => Some("gpt-2"),
        [first, bytes] if **first == digits && is_bytes(bytes, true) && !whole => Some("smollm"),
        [first, bytes] if **first == split(r"\p{N}{1,3}") && is_bytes(bytes, false) => {
            Some(if whole { "llama-bpe" } else { "dbrx" })
        }
        [first, bytes] if **first == split(r"\p{N}") && is_bytes(bytes, false) && !whole => {
            Some("qwen2")
        }
        _ => None,
    }
}

/// The byte-level step, with GPT-2's pattern or without; no space before the text.
fn is_bytes(step: &Value, pattern: bool) -> bool {
    let flag = |key: &str, absent| step.get(key).map_or(Some(absent), Value::as_bool);
    step.get("type").and_then(Value::as_str) == Some("ByteLevel")
        && flag("use_regex", true) == Some(pattern)
        && flag("add_prefix_space", true) == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(pattern: bool) -> Value {
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": pattern})
    }

    fn split(digits: &str) -> Value {
        json!({"type": "Split", "pattern": {"Regex": format!("{START}{digits}{END}")},
            "behavior": "Isolated", "invert": false})
    }

    #[test]
    fn patterns_are_known_exactly_or_not_at_all() {
        let sequence = |steps: [Value; 2]| json!({"type": "Sequence", "pretokenizers": steps});
        let digits = json!({"type": "Digits", "individual_digits": true});
        let grouped = json!({"type": "Digits", "individual_digits": false});
        let mut spaced = bytes(true);
        spaced["add_prefix_space"] = true.into();
        let cases = [
            (bytes(true), false, Some("gpt-2")),
            (spaced, false, None),
            (bytes(false), false, None),
            (sequence([digits, bytes(true)]), false, Some("smollm")),
            (sequence([grouped, bytes(true)]), false, None),
            (sequence([split(r"\p{N}{1,3}"), bytes(false)]), true, Some("llama-bpe")),
            (sequence([split(r"\p{N}{1,3}"), bytes(false)]), false, Some("dbrx")),
            (sequence([split(r"\p{N}"), bytes(false)]), false, Some("qwen2")),
            (sequence([split(r"\p{N}{1,2}"), bytes(false)]), false, None),
            (sequence([split(r"\p{N}"), bytes(true)]), false, None),
            (json!({"type": "Metaspace"}), false, None),
        ];
        for (pre, whole, expected) in cases {
            assert_eq!(name(&pre, whole), expected, "{pre}");
        }
    }
}
