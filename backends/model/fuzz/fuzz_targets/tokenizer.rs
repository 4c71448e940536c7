//! A vocabulary of any tokens and a text of any bytes: refused, or it encodes and decodes without a panic.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use yardstick_model::Gguf;
use yardstick_model::gguf::Header;
use yardstick_model::tokenizer::{Encoding, Tokenizer};

/// A vocabulary and a text.
#[derive(Arbitrary, Debug)]
struct Case {
    sentence_piece: bool,
    pre: u8,
    tokens: Vec<(String, f32, u8)>,
    merges: Vec<(String, String)>,
    ids: [Option<u8>; 3],
    space_prefix: Option<bool>,
    trim: Option<bool>,
    control: bool,
    text: Vec<u8>,
}

const PRE: [&str; 7] =
    ["llama-bpe", "qwen2", "gpt-2", "smollm", "deepseek-llm", "deepseek-coder", "default"];

fuzz_target!(|case: Case| {
    let mut header = Header::new("fuzz");
    let (names, rest): (Vec<String>, Vec<_>) =
        case.tokens.into_iter().map(|t| (t.0, (t.1, t.2))).unzip();
    let (scores, types): (Vec<f32>, Vec<i32>) =
        rest.into_iter().map(|(s, t)| (s, i32::from(t % 8))).unzip();
    let merges: Vec<String> = case.merges.iter().map(|(l, r)| format!("{l} {r}")).collect();
    header.set("tokenizer.ggml.model", if case.sentence_piece { "llama" } else { "gpt2" });
    header.set("tokenizer.ggml.pre", PRE[usize::from(case.pre) % PRE.len()]);
    header.set_array("tokenizer.ggml.tokens", &names);
    header.set_array("tokenizer.ggml.scores", &scores);
    header.set_array("tokenizer.ggml.token_type", &types);
    header.set_array("tokenizer.ggml.merges", &merges);
    for (name, id) in ["bos", "eos", "unknown"].iter().zip(case.ids) {
        if let Some(id) = id {
            header.set(&format!("tokenizer.ggml.{name}_token_id"), u32::from(id));
        }
    }
    for (name, flag) in
        [("add_space_prefix", case.space_prefix), ("remove_extra_whitespaces", case.trim)]
    {
        if let Some(flag) = flag {
            header.set(&format!("tokenizer.ggml.{name}"), flag);
        }
    }
    let Ok(file) = header.start(Vec::new()).and_then(|data| data.finish()) else { return };
    let Ok(gguf) = Gguf::from_bytes("fuzz", file) else { return };
    let Ok(tokenizer) = Tokenizer::from_gguf(&gguf) else { return };
    let Ok(ids) = tokenizer.encode(&case.text, Encoding { ends: true, control: case.control })
    else {
        return;
    };
    tokenizer.decode(&ids, true).expect("ids that encoding gave are of the vocabulary");
});
