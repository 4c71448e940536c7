//! Small vocabularies of both kinds, as files.

use yardstick_model::{Error, Gguf, Tokenizer};

use crate::build::{ARRAY, F32, File, I32, array, texts};

/// The tokenizer of a file.
pub(crate) fn tokenizer(file: &File) -> Result<Tokenizer, Error> {
    Tokenizer::from_gguf(&Gguf::from_bytes("made-up", file.bytes())?)
}

/// Byte-level: the 256 bytes (ids 0 to 255, in the alphabet's order), then `tokens`.
pub(crate) fn byte_level(pre: &str, merges: &[&str], tokens: &[&str]) -> File {
    let alphabet = (0x21..=0x7e).chain(0xa1..=0xac).chain(0xae..=0xff).chain(0x100..=0x143);
    let mut all: Vec<String> = alphabet.filter_map(char::from_u32).map(String::from).collect();
    all.extend(tokens.iter().map(|&token| token.to_owned()));
    File::empty()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", pre)
        .set("tokenizer.ggml.tokens", ARRAY, texts(&all))
        .set("tokenizer.ggml.merges", ARRAY, texts(merges))
}

/// SentencePiece: unknown, begin, end, the bytes (ids 3 to 258), then `tokens` with their scores.
pub(crate) fn sentence_piece(tokens: &[(&str, f32)]) -> File {
    let mut all: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    all.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    all.extend(tokens.iter().map(|token| token.0.to_owned()));
    let scores = (0..259).map(|_| 0.0).chain(tokens.iter().map(|token| token.1));
    let scores: Vec<u8> = scores.flat_map(f32::to_le_bytes).collect();
    let kind = |i: usize| match i {
        0 => 2i32,
        1 | 2 => 3,
        3..=258 => 6,
        _ => 1,
    };
    let types: Vec<u8> = (0..all.len()).flat_map(|i| kind(i).to_le_bytes()).collect();
    File::empty()
        .text("tokenizer.ggml.model", "llama")
        .set("tokenizer.ggml.tokens", ARRAY, texts(&all))
        .set("tokenizer.ggml.scores", ARRAY, array(F32, all.len() as u64, &scores))
        .set("tokenizer.ggml.token_type", ARRAY, array(I32, all.len() as u64, &types))
}
