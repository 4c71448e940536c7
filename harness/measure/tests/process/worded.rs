//! A tiny model with a tokenizer: a preset's weights without the key that calls them random, and one token a byte.

use std::fs::File;
use std::path::{Path, PathBuf};

use yardstick_model::Gguf;
use yardstick_model::gguf::Header;

/// Tokens of the preset `tiny`.
const VOCAB: usize = 512;
/// GGUF's kinds of tokens.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;

/// Writes the model of a preset's file into a folder.
pub(crate) fn write(preset: &Path, folder: &Path) -> PathBuf {
    let path = folder.join("worded.gguf");
    let from = Gguf::open(preset).unwrap();
    let mut header = Header::new(path.display().to_string());
    header.copy_metadata(&from);
    header.remove("yardstick.preset");
    let tokens = tokens();
    let mut kinds = vec![NORMAL; VOCAB];
    kinds[VOCAB - 1] = CONTROL;
    header.set("tokenizer.ggml.model", "gpt2");
    header.set("tokenizer.ggml.pre", "gpt-2");
    header
        .set_array("tokenizer.ggml.tokens", &tokens.iter().map(String::as_str).collect::<Vec<_>>());
    header.set_array("tokenizer.ggml.token_type", &kinds);
    // There must be one; no text of the tests has these two side by side.
    header.set_array("tokenizer.ggml.merges", &["q z"]);
    header.set("tokenizer.ggml.eos_token_id", VOCAB as u32 - 1);
    header.set("tokenizer.ggml.add_bos_token", false);
    for tensor in from.tensors() {
        header.tensor(&tensor.name, tensor.format, &tensor.shape).unwrap();
    }
    let mut data = header.start(File::create(&path).unwrap()).unwrap();
    for tensor in from.tensors() {
        data.write(from.bytes(tensor)).unwrap();
    }
    data.finish().unwrap();
    path
}

/// GPT-2's character of every byte, then words that no text has.
fn tokens() -> Vec<String> {
    let shown = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut hidden = 256..;
    let bytes = (0..256).map(|byte| {
        let character = if shown(byte) { byte } else { hidden.next().unwrap() };
        char::from_u32(character).unwrap().to_string()
    });
    let mut tokens: Vec<String> = bytes.collect();
    tokens.push("qz".to_owned());
    tokens.extend((257..VOCAB).map(|id| format!("<{id}>")));
    tokens
}
