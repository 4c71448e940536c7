//! Real vocabularies against the ids an independent tokenizer gave for their texts (../shared/golden/vocab).
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use std::path::{Path, PathBuf};

use yardstick_model::Gguf;
use yardstick_model::tokenizer::{Encoding, Tokenizer};

const PLAIN: Encoding = Encoding { ends: false, control: false };
const SEPARATOR: &str = "\n__ggml_vocab_test__\n";

/// Every vocabulary that is there; none when the folder is absent.
fn vocabularies() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/vocab");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is absent", folder.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "gguf"));
    files.sort();
    assert!(files.len() >= 7, "only {} vocabularies", files.len());
    files
}

fn beside(path: &Path, suffix: &str) -> String {
    std::fs::read_to_string(format!("{}.{suffix}", path.display())).unwrap()
}

/// (text, ids) of a vocabulary.
fn cases(path: &Path) -> Vec<(String, Vec<u32>)> {
    let (texts, answers) = (beside(path, "inp"), beside(path, "out"));
    let mut texts: Vec<&str> = texts.split(SEPARATOR).collect();
    assert_eq!(texts.pop(), Some(""));
    let ids = |line: &str| line.split_whitespace().map(|id| id.parse().unwrap()).collect();
    let answers: Vec<Vec<u32>> = answers.lines().map(ids).collect();
    assert_eq!(texts.len(), answers.len(), "{}", path.display());
    texts.into_iter().map(str::to_owned).zip(answers).collect()
}

#[test]
fn every_golden_text_gives_the_golden_ids_and_comes_back() {
    for path in vocabularies() {
        let tokenizer = Tokenizer::from_gguf(&Gguf::open(&path).unwrap()).unwrap();
        for (text, ids) in cases(&path) {
            let found = tokenizer.encode(text.as_bytes(), PLAIN).unwrap();
            assert_eq!(found, ids, "{}: {text:?}", path.display());
            let back = tokenizer.decode(&ids, false).unwrap();
            assert_eq!(back, text.as_bytes(), "{}: {text:?}", path.display());
        }
    }
}

#[test]
fn hard_texts_come_back_byte_for_byte() {
    let texts: [&[u8]; 12] = [
        b"\0",
        b"a\0b\r\n\r\n c",
        "e\u{301}\u{327} \u{200d}👩‍👩‍👧‍👦".as_bytes(),
        "▁a ▁▁ b▁".as_bytes(),
        b"  lead and trail  ",
        b"\xff\xfe\xe2\x96",
        b"\xf0\x9f\x99",
        "\u{feff}bom".as_bytes(),
        b"<0x41><s></s><unk>",
        "Ġ Ċ".as_bytes(),
        "\u{3000}全角\u{a0}\u{85}".as_bytes(),
        b"<|endoftext|><|im_start|>",
    ];
    for path in vocabularies() {
        let tokenizer = Tokenizer::from_gguf(&Gguf::open(&path).unwrap()).unwrap();
        for text in texts {
            match tokenizer.encode(text, PLAIN) {
                Ok(ids) => {
                    assert_eq!(tokenizer.decode(&ids, false).unwrap(), text, "{}", path.display())
                }
                // These vocabularies have no tokens for bytes that never occur in UTF-8.
                Err(error) => {
                    let name = path.file_stem().unwrap();
                    assert!(name == "deepseek-llm" || name == "starcoder", "{error}");
                    assert!(error.to_string().contains("byte 0xff, for which"), "{error}");
                }
            }
        }
    }
}

#[test]
fn ends_are_added_where_the_file_asks_and_control_tokens_only_on_demand() {
    for path in vocabularies() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let tokenizer = Tokenizer::from_gguf(&Gguf::open(&path).unwrap()).unwrap();
        let first = tokenizer.encode(b"x", Encoding::default()).unwrap()[0];
        let asks = matches!(&*name, "llama-bpe" | "deepseek-llm" | "llama-spm" | "phi-3");
        assert_eq!(Some(first) == tokenizer.bos(), asks, "{name}");
        let bos = tokenizer.bos().unwrap();
        let spelled = tokenizer.piece(bos).unwrap();
        let as_text = tokenizer.encode(spelled, PLAIN).unwrap();
        assert!(as_text.len() > 1 && !as_text.contains(&bos), "{name}");
        let control = Encoding { ends: false, control: true };
        assert_eq!(tokenizer.encode(spelled, control).unwrap(), [bos], "{name}");
        let text = [b"a b", spelled, b" c\n", spelled].concat();
        let ids = tokenizer.encode(&text, control).unwrap();
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), text, "{name}");
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), b"a b c\n", "{name}");
    }
}
