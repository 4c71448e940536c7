//! `model tokenize` and `model detokenize` as commands: ids, bytes, and what is refused.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::PathBuf;

use support::Place;
use yardstick_model::gguf::Header;

/// A byte-level vocabulary: 256 bytes, two merges, a begin of text. Needs no golden files.
fn vocabulary(place: &Place, pre: &str) -> PathBuf {
    let alphabet = (0x21..=0x7e).chain(0xa1..=0xac).chain(0xae..=0xff).chain(0x100..=0x143);
    let mut tokens: Vec<String> =
        alphabet.map(|c| char::from_u32(c).unwrap().to_string()).collect();
    tokens.extend(["he", "Ġhe", "<|begin|>"].map(str::to_owned));
    let mut types = vec![1i32; tokens.len()];
    types[258] = 3;
    let mut header = Header::new("vocabulary");
    header.set("general.architecture", "llama");
    header.set("tokenizer.ggml.model", "gpt2");
    header.set("tokenizer.ggml.pre", pre);
    header.set_array("tokenizer.ggml.tokens", &tokens);
    header.set_array("tokenizer.ggml.token_type", &types);
    header.set_array("tokenizer.ggml.merges", &["h e", "Ġ he"]);
    header.set("tokenizer.ggml.bos_token_id", 258u32);
    header.set("tokenizer.ggml.add_bos_token", true);
    let path = place.path(&format!("{pre}.gguf"));
    std::fs::write(&path, header.start(Vec::new()).unwrap().finish().unwrap()).unwrap();
    path
}

#[test]
fn a_text_becomes_a_line_of_ids_and_comes_back_byte_for_byte() {
    let place = Place::new();
    let model = vocabulary(&place, "gpt-2").display().to_string();
    let (text, ids) = (place.path("text"), place.path("ids"));
    let bytes: Vec<u8> = b"he he<|begin|>\0\xff\xfe\r\n".iter().copied().chain(0..=255).collect();
    std::fs::write(&text, &bytes).unwrap();
    let text = text.to_str().unwrap();
    let (code, out, err) = place.run(&["model", "tokenize", &model, "--text-file", text]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("258 256 257 ") && out.lines().count() == 1, "{out}");
    std::fs::write(&ids, &out).unwrap();
    let ids = ids.to_str().unwrap();
    let mut back = place.yardstick();
    let back = back.args(["model", "detokenize", &model, "--ids-file", ids]).output().unwrap();
    assert_eq!((back.status.code(), back.stdout), (Some(0), bytes));
}

#[test]
fn flags_leave_out_the_begin_read_control_tokens_and_print_pieces() {
    let place = Place::new();
    let model = vocabulary(&place, "gpt-2").display().to_string();
    let text = place.path("text");
    std::fs::write(&text, "<|begin|> he").unwrap();
    let text = text.to_str().unwrap();
    let fixed = ["model", "tokenize", &model, "--text-file", text, "--no-bos", "--special"];
    assert_eq!(place.run(&fixed).1, "258 257\n");
    let json: serde_json::Value =
        serde_json::from_str(&place.run(&[&fixed[..], &["--json"]].concat()).1).unwrap();
    let expected = serde_json::json!({ "id": 257, "text": " he", "bytes": "206865" });
    assert_eq!((&json["tokens"][1], &json["tokenizer"]), (&expected, &"gpt2".into()));
    let detokenize = ["model", "detokenize", &model, "--ids", "258,257"];
    assert_eq!(place.run(&detokenize).1, " he");
    assert_eq!(place.run(&[&detokenize[..], &["--special"]].concat()).1, "<|begin|> he");
}

#[test]
fn what_cannot_be_tokenized_is_named() {
    let place = Place::new();
    let known = vocabulary(&place, "gpt-2").display().to_string();
    let unknown = vocabulary(&place, "gpt-9").display().to_string();
    let text = place.path("text");
    std::fs::write(&text, "x").unwrap();
    let text = text.to_str().unwrap();
    let cases: [(&[&str], &str); 5] = [
        (
            &["tokenize", &unknown, "--text-file", text],
            "gpt-9\" (tokenizer.ggml.pre) is not supported; supported: llama-bpe,",
        ),
        (
            &["tokenize", "tiny:Q4_0", "--text-file", text],
            "this file has none and takes token ids only",
        ),
        (&["tokenize", &known, "--text-file", "/nowhere"], "cannot read /nowhere"),
        (
            &["detokenize", &known, "--ids", "5,259"],
            "token 1: found 259, expected less than the vocabulary of 259",
        ),
        (&["detokenize", &known, "--ids-file", text], "token 0: found \"x\""),
    ];
    for (arguments, wanted) in cases {
        let (code, out, err) = place.run(&[&["model"], arguments].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains(wanted), "{arguments:?}: {err}");
    }
}
