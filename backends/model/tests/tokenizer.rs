//! Tokenizers of made-up vocabularies: what is refused and by what name, what comes back, and how long it takes.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

#[path = "hostile/build.rs"]
#[allow(dead_code, reason = "the hostile cases use the rest")]
mod build;
#[path = "tokenizer/vocabularies.rs"]
mod vocabularies;

use std::time::{Duration, Instant};

use build::{ARRAY, BOOL, F32, File, I32, STRING, U8, U32, array, texts};
use vocabularies::{byte_level, sentence_piece, tokenizer};
use yardstick_model::tokenizer::{Encoding, Kind, Tokenizer};

const PLAIN: Encoding = Encoding { ends: false, control: false };
const CONTROL: Encoding = Encoding { ends: false, control: true };
const TOKENS: &str = "tokenizer.ggml.tokens";
const MERGES: &str = "tokenizer.ggml.merges";
const SCORES: &str = "tokenizer.ggml.scores";
const TYPES: &str = "tokenizer.ggml.token_type";

fn floats(values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    array(F32, values.len() as u64, &bytes)
}

fn integers(values: &[i32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    array(I32, values.len() as u64, &bytes)
}

/// An array of strings that need not be UTF-8.
fn raw(strings: &[&[u8]]) -> Vec<u8> {
    let one = |s: &&[u8]| [&(s.len() as u64).to_le_bytes(), *s].concat();
    array(STRING, strings.len() as u64, &strings.iter().flat_map(one).collect::<Vec<u8>>())
}

/// (what is wrong, file, words of the error)
fn hostile() -> Vec<(&'static str, File, [&'static str; 2])> {
    let bpe = || byte_level("gpt-2", &["h e"], &["he"]);
    let spm = || sentence_piece(&[("a", -1.0), ("b", -2.0)]);
    let long = "x".repeat(10 << 20);
    vec![
        (
            "no tokenizer",
            File::empty(),
            ["tokenizer.ggml.model: found nothing", "takes token ids only"],
        ),
        (
            "no_vocab",
            bpe().text("tokenizer.ggml.model", "no_vocab"),
            ["tokenizer.ggml.model", "has none"],
        ),
        (
            "another kind",
            bpe().text("tokenizer.ggml.model", "bert"),
            ["tokenizer \"bert\"", "supported: gpt2, llama"],
        ),
        (
            "kind of wrong type",
            bpe().u32("tokenizer.ggml.model", 3),
            ["tokenizer.ggml.model", "a string"],
        ),
        (
            "unknown pre-tokenizer",
            bpe().text("tokenizer.ggml.pre", "x\u{1b}"),
            ["pre-tokenizer \"x\\u{1b}\"", "llama-bpe, "],
        ),
        (
            "pre-tokenizer of wrong type",
            bpe().u32("tokenizer.ggml.pre", 1),
            ["tokenizer.ggml.pre", "a string"],
        ),
        ("no tokens", bpe().without(TOKENS), [TOKENS, "no vocabulary"]),
        ("zero tokens", bpe().set(TOKENS, ARRAY, texts::<&str>(&[])), [TOKENS, "0 tokens"]),
        (
            "tokens are numbers",
            bpe().set(TOKENS, ARRAY, integers(&[1])),
            [TOKENS, "an array of string"],
        ),
        ("tokens are one string", bpe().text(TOKENS, "abc"), [TOKENS, "an array of string"]),
        (
            "a token twice",
            sentence_piece(&[("a", 0.0), ("b", 0.0), ("a", 0.0)]),
            ["tokens[261]", "token 259 too"],
        ),
        (
            "a token of 10 MB",
            sentence_piece(&[(&long, 0.0)]),
            ["tokens[259]", "at most 4096 bytes"],
        ),
        (
            "a token not UTF-8",
            bpe().without(TYPES).set(TOKENS, ARRAY, raw(&[b"a", b"\xff"])),
            ["tokens[1]", "not UTF-8"],
        ),
        ("no merges", bpe().without(MERGES), [MERGES, "without which text cannot be tokenized"]),
        ("empty merges", bpe().set(MERGES, ARRAY, texts::<&str>(&[])), [MERGES, "nothing"]),
        (
            "merges are numbers",
            bpe().set(MERGES, ARRAY, integers(&[1])),
            [MERGES, "an array of string"],
        ),
        (
            "a merge of one piece",
            bpe().set(MERGES, ARRAY, texts(&["he"])),
            ["merges[0]", "separated by a space"],
        ),
        (
            "a merge with an empty end",
            bpe().set(MERGES, ARRAY, texts(&["h e", "h "])),
            ["merges[1]", "two pieces"],
        ),
        ("an empty merge", bpe().set(MERGES, ARRAY, texts(&[""])), ["merges[0]", "two pieces"]),
        (
            "a merge not UTF-8",
            bpe().set(MERGES, ARRAY, raw(&[b"\xff \xfe"])),
            ["merges[0]", "UTF-8"],
        ),
        (
            "types too few",
            bpe().set(TYPES, ARRAY, integers(&[1])),
            ["token_type length: found 1", "257"],
        ),
        ("types of wrong type", bpe().set(TYPES, ARRAY, floats(&[1.0])), [TYPES, "an array of"]),
        (
            "a type out of range",
            spm().set(TYPES, ARRAY, integers(&[9; 261])),
            ["token_type[0]", "from 0 to 6"],
        ),
        (
            "a negative type",
            spm().set(TYPES, ARRAY, integers(&[-1; 261])),
            ["token_type[0]", "from 0 to 6"],
        ),
        (
            "a byte token of no byte",
            spm().set(TYPES, ARRAY, integers(&[6; 261])),
            ["tokens[0]", "<0x00> to <0xFF>"],
        ),
        ("no scores", spm().without(SCORES), [SCORES, "nothing"]),
        (
            "scores too few",
            spm().set(SCORES, ARRAY, floats(&[0.0; 3])),
            ["scores length: found 3", "261"],
        ),
        (
            "scores of wrong type",
            spm().set(SCORES, ARRAY, array(U8, 4, &[0; 4])),
            [SCORES, "an array of f32"],
        ),
        (
            "a score that is NaN",
            spm().set(SCORES, ARRAY, floats(&[f32::NAN; 261])),
            ["scores[0]", "NaN"],
        ),
        (
            "begin beyond the vocabulary",
            spm().u32("tokenizer.ggml.bos_token_id", 261),
            ["bos_token_id: found 261", "261"],
        ),
        (
            "unknown beyond the vocabulary",
            spm().u32("tokenizer.ggml.unknown_token_id", u32::MAX),
            ["unknown_token_id", "less"],
        ),
        (
            "end of wrong type",
            spm().text("tokenizer.ggml.eos_token_id", "2"),
            ["eos_token_id", "unsigned"],
        ),
        (
            "end wanted, none named",
            bpe().set("tokenizer.ggml.add_eos_token", BOOL, [1]),
            ["eos_token_id: found nothing", "add_eos_token"],
        ),
        (
            "a flag of wrong type",
            spm().set("tokenizer.ggml.add_space_prefix", U32, [1, 0, 0, 0]),
            ["add_space_prefix", "bool"],
        ),
        (
            "special tokens of megabytes",
            special_megabytes(),
            ["special tokens", "at most 1048576 bytes"],
        ),
    ]
}

/// User-defined tokens that would make an automaton of gigabytes.
fn special_megabytes() -> File {
    let tokens: Vec<String> = (0..600).map(|i| format!("{i:0>4000}")).collect();
    let tokens: Vec<(&str, f32)> = tokens.iter().map(|t| (t.as_str(), 0.0)).collect();
    let count = 259 + tokens.len();
    sentence_piece(&tokens).set(
        TYPES,
        ARRAY,
        integers(&[&[1; 259][..], &vec![4; count - 259]].concat()),
    )
}

#[test]
fn every_hostile_vocabulary_is_refused_by_name_and_quickly() {
    let mut wrong = Vec::new();
    for (name, file, words) in hostile() {
        let start = Instant::now();
        let error = match tokenizer(&file) {
            Ok(_) => {
                wrong.push(format!("{name}: accepted"));
                continue;
            }
            Err(error) => error.to_string(),
        };
        println!("{name}: {}", &error[..error.len().min(200)]);
        wrong.extend(
            words
                .iter()
                .filter(|w| !error.contains(*w))
                .map(|w| format!("{name}: {error:?} lacks {w:?}")),
        );
        if error.len() > 1000
            || error.chars().any(char::is_control)
            || start.elapsed() > Duration::from_secs(2)
        {
            wrong.push(format!("{name}: long, unprintable or slow"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn odd_vocabularies_mean_something_defined() {
    // Merges may pass through what is no token (llama.cpp allows it): the piece falls back to its bytes.
    let gap = tokenizer(&byte_level("gpt-2", &["a b", "ab c"], &["abc"])).unwrap();
    assert_eq!(gap.encode(b"abc", PLAIN).unwrap(), [256]);
    assert_eq!(gap.decode(&gap.encode(b"ab", PLAIN).unwrap(), false).unwrap(), b"ab");
    assert_eq!(gap.encode(b"ab", PLAIN).unwrap().len(), 2);
    // Merges that run in a circle, repeat or name no bytes: every merge makes a piece longer, so they end.
    let circle = byte_level(
        "gpt-2",
        &["a b", "b a", "ab a", "a ba", "a b", "漢 字", "q z"],
        &["ab", "ba", "aba"],
    );
    let circle = tokenizer(&circle).unwrap();
    let ids = circle.encode(b"abababa qz", PLAIN).unwrap();
    assert_eq!(circle.decode(&ids, false).unwrap(), b"abababa qz");
    // A control token is never made of text, even where merges spell it.
    let spelled = byte_level("gpt-2", &["< s", "<s >"], &["<s", "<s>"]);
    let types: Vec<i32> = (0..258).map(|i| if i == 257 { 3 } else { 1 }).collect();
    let spelled = tokenizer(&spelled.set(TYPES, ARRAY, integers(&types))).unwrap();
    assert!(!spelled.encode(b"<s>", PLAIN).unwrap().contains(&257));
    assert_eq!(spelled.encode(b"<s>", CONTROL).unwrap(), [257]);
    assert_eq!((spelled.kind(257), spelled.kind(258)), (Some(Kind::Control), None));
}

#[test]
fn ids_and_bytes_without_a_meaning_are_named() {
    let bpe = tokenizer(&byte_level("gpt-2", &["h e"], &["he"])).unwrap();
    let error = bpe.decode(&[0, 257], false).unwrap_err().to_string();
    assert!(
        error.contains("token 1: found 257, expected less than the vocabulary of 257"),
        "{error}"
    );
    let few = tokenizer(
        &File::empty()
            .text("tokenizer.ggml.model", "gpt2")
            .set(TOKENS, ARRAY, texts(&["a", "b", "ab"]))
            .set(MERGES, ARRAY, texts(&["a b"])),
    );
    let error = few.unwrap().encode(b"abc", PLAIN).unwrap_err().to_string();
    assert!(error.contains("text at byte 2: found byte 0x63"), "{error}");
}

#[test]
fn sentence_piece_prefixes_falls_back_trims_and_knows_the_unknown() {
    let tokens = [("▁", -1.0), ("a", -2.0), ("b", -3.0), ("▁a", -4.0), ("ab", -5.0), ("▁▁", -6.0)];
    let plain = tokenizer(&sentence_piece(&tokens)).unwrap();
    let pieces = |t: &Tokenizer, text: &[u8]| -> Vec<String> {
        let ids = t.encode(text, Encoding::default()).unwrap();
        ids.iter().map(|&id| String::from_utf8_lossy(t.piece(id).unwrap()).into_owned()).collect()
    };
    // The better score first: "▁a" before "ab".
    assert_eq!(pieces(&plain, b"ab"), ["<s>", " a", "b"]);
    assert_eq!(pieces(&plain, b" ab"), ["<s>", " ", " a", "b"]);
    assert_eq!(pieces(&plain, "é".as_bytes()), ["<s>", " ", "\u{fffd}", "\u{fffd}"]);
    assert_eq!(pieces(&plain, b""), ["<s>"]);
    let bare = sentence_piece(&tokens).set("tokenizer.ggml.add_space_prefix", BOOL, [0]);
    assert_eq!(pieces(&tokenizer(&bare).unwrap(), b"ab"), ["<s>", "ab"]);
    let trims = sentence_piece(&tokens).set("tokenizer.ggml.remove_extra_whitespaces", BOOL, [1]);
    assert_eq!(pieces(&tokenizer(&trims).unwrap(), b"  a   b "), ["<s>", " a", " ", "b"]);
    // Without byte tokens a run of unknown characters is one unknown token.
    let few = File::empty()
        .text("tokenizer.ggml.model", "llama")
        .set(TOKENS, ARRAY, texts(&["<unk>", "▁", "a"]))
        .set(SCORES, ARRAY, floats(&[0.0, -1.0, -2.0]));
    let unknown = few.clone().set(TYPES, ARRAY, integers(&[2, 1, 1]));
    let unknown = tokenizer(&unknown).unwrap();
    assert_eq!(unknown.encode("aéüa\u{ff}".as_bytes(), PLAIN).unwrap(), [1, 2, 0, 2, 0]);
    assert!(tokenizer(&few).unwrap().encode("é".as_bytes(), PLAIN).is_err());
}

#[test]
fn special_tokens_are_leftmost_longest_and_user_defined_ones_always_found() {
    let tokens = [("<a>", 0.0), ("<a><b>", 0.0), ("<c>", 0.0), ("x", 0.0)];
    let types = [&[2, 3, 3][..], &[6; 256], &[4, 4, 3, 1]].concat();
    let t = tokenizer(&sentence_piece(&tokens).set(TYPES, ARRAY, integers(&types))).unwrap();
    let special = |how| -> Vec<u32> {
        let ids = t.encode(b"<a><b><a>x<c>", how).unwrap();
        ids.into_iter().filter(|id| (259..262).contains(id)).collect()
    };
    assert_eq!(special(PLAIN), [260, 259]);
    assert_eq!(special(CONTROL), [260, 259, 261]);
    assert_eq!(t.decode(&t.encode(b" <a> x<c> y", PLAIN).unwrap(), false).unwrap(), b" <a> x<c> y");
}

#[test]
fn long_words_take_time_in_proportion() {
    let merges: Vec<String> =
        (0..12).map(|i| ["a", "a"].map(|a| a.repeat(1 << i)).join(" ")).collect();
    let tokens: Vec<String> = (1..=12).map(|i| "a".repeat(1 << i)).collect();
    let merges: Vec<&str> = merges.iter().map(String::as_str).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let scored: Vec<(&str, f32)> = tokens.iter().zip(0..).map(|(&t, i)| (t, i as f32)).collect();
    let seed = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    let texts =
        [vec![b'a'; 1 << 20], (0..1 << 20).map(|n| seed(n) as u8).collect(), vec![b' '; 1 << 20]];
    for file in [byte_level("llama-bpe", &merges, &tokens), sentence_piece(&scored)] {
        let tokenizer = tokenizer(&file).unwrap();
        for text in &texts {
            let start = Instant::now();
            let ids = tokenizer.encode(text, PLAIN).unwrap();
            assert_eq!(&tokenizer.decode(&ids, false).unwrap(), text);
            // Quadratic merging would take hours; this allows for a loaded machine and a debug build.
            assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
        }
    }
}
