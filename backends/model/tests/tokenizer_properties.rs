//! Any text through any vocabulary: it comes back, or is refused.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

#[path = "hostile/build.rs"]
#[allow(dead_code, reason = "the hostile cases use the rest")]
mod build;
#[path = "tokenizer/vocabularies.rs"]
mod vocabularies;

use build::{ARRAY, F32, File, I32, array, texts};
use proptest::prelude::*;
use vocabularies::{byte_level, sentence_piece, tokenizer};
use yardstick_model::Error;
use yardstick_model::tokenizer::Encoding;

const PLAIN: Encoding = Encoding { ends: false, control: false };
const CONTROL: Encoding = Encoding { ends: false, control: true };

fn merges() -> impl Strategy<Value = Vec<String>> {
    let piece = prop::sample::select(vec!["a", "b", "ab", "Ġ", "Ġa", "Ċ", "ÿ", "bb", "abab", "1"]);
    prop::collection::vec((piece.clone(), piece), 1..12)
        .prop_map(|pairs| pairs.into_iter().map(|(l, r)| format!("{l} {r}")).collect())
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![&b"a"[..], b"ab", b" ", b"\n", b"<s>", "▁".as_bytes(), b"\xe2\x96", b"\xff", b"1"]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn byte_level_vocabularies_give_back_every_byte(merges in merges(), text in any_bytes()) {
        let merges: Vec<&str> = merges.iter().map(String::as_str).collect();
        for pre in ["llama-bpe", "qwen2", "gpt-2", "smollm", "deepseek-llm", "default"] {
            let t = tokenizer(&byte_level(pre, &merges, &["ab", "Ġa", "abab"])).unwrap();
            let ids = t.encode(&text, PLAIN).unwrap();
            prop_assert_eq!(t.decode(&ids, false).unwrap(), text.clone());
        }
    }

    #[test]
    fn sentence_piece_with_byte_tokens_gives_back_every_byte(scores in prop::collection::vec(-9.0f32..9.0, 7), text in any_bytes()) {
        let names = ["▁", "a", "▁a", "▁▁", "ab", "▁ab▁a", "1"];
        let tokens: Vec<(&str, f32)> = names.into_iter().zip(scores).collect();
        for count in [3, 5, 7] {
            let t = tokenizer(&sentence_piece(&tokens[..count])).unwrap();
            let ids = t.encode(&text, PLAIN).unwrap();
            prop_assert_eq!(t.decode(&ids, false).unwrap(), text.clone());
        }
    }

    #[test]
    fn any_vocabulary_is_refused_or_works(
        tokens in prop::collection::vec("[ab▁Ġ<>0x1é]{0,4}", 1..12),
        merges in prop::collection::vec("[abĠé]{0,2} [abĠé]{0,2}", 0..6),
        types in prop::collection::vec(-1i32..8, 12),
        scores in prop::collection::vec(any::<f32>(), 12),
        model in prop::sample::select(vec!["gpt2", "llama"]),
        content in any_bytes(),
    ) {
        let count = tokens.len();
            let types: Vec<u8> = types[..count].iter().flat_map(|n| n.to_le_bytes()).collect();
            let scores: Vec<u8> = scores[..count].iter().flat_map(|n| n.to_le_bytes()).collect();
        let file = File::empty()
            .text("tokenizer.ggml.model", model)
            .set("tokenizer.ggml.tokens", ARRAY, texts(&tokens))
            .set("tokenizer.ggml.token_type", ARRAY, array(I32, count as u64, &types))
            .set("tokenizer.ggml.scores", ARRAY, array(F32, count as u64, &scores))
            .set("tokenizer.ggml.merges", ARRAY, texts(&merges))
            .text("general.name", "phi-3");
        if let Ok(t) = tokenizer(&file) {
            for how in [PLAIN, CONTROL, Encoding::default()] {
                match t.encode(&content, how) {
                    Ok(ids) => prop_assert!(t.decode(&ids, true).is_ok()),
                    Err(Error::Invalid { .. }) => {}
                    Err(other) => prop_assert!(false, "{other}"),
                }
            }
        }
    }
}
