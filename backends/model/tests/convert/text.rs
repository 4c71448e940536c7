//! Tokenizers that come along, and the reasons of those that do not.

use serde_json::{Value, json};
use yardstick_model::Gguf;
use yardstick_model::tokenizer::{Encoding, Tokenizer};

use super::build::{Checkpoint, Place, llama};

/// tokenizer.json with the letters a to c, two merges and a control token.
fn tokenizer() -> Value {
    json!({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3}, "merges": ["a b"]},
        "added_tokens": [{"id": 4, "content": "<|x|>", "special": true}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
        "decoder": {"type": "ByteLevel"}})
}

fn with(json: &Value) -> Place {
    let place = Place::of(&llama().set("bos_token_id", json!(4)));
    place.write("tokenizer.json", json.to_string());
    place
}

fn encoded(place: &Place, text: &str) -> Result<Vec<u32>, String> {
    let gguf = Gguf::open(&place.path("out/model.gguf")).unwrap();
    let tokenizer = Tokenizer::from_gguf(&gguf).map_err(|error| error.to_string())?;
    let how = Encoding { ends: true, control: true };
    tokenizer.encode(text.as_bytes(), how).map_err(|error| error.to_string())
}

#[test]
fn a_byte_level_tokenizer_comes_along() {
    for merges in [json!(["a b"]), json!([["a", "b"]])] {
        let mut json = tokenizer();
        json["model"]["merges"] = merges;
        let place = with(&json);
        assert!(place.convert(None).unwrap().notes.is_empty());
        assert_eq!(encoded(&place, "abca<|x|>c").unwrap(), [3, 2, 0, 4, 2]);
    }
    let mut json = tokenizer();
    json["post_processor"] = json!({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|x|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]});
    let place = with(&json);
    place.convert(None).unwrap();
    assert_eq!(encoded(&place, "c").unwrap(), [4, 2]);
    place.write("tokenizer_config.json", r#"{"add_bos_token": false}"#);
    place.convert(None).unwrap();
    assert_eq!(encoded(&place, "c").unwrap(), [2]);
}

#[test]
fn what_cannot_come_along_is_said_and_the_model_runs_on_ids() {
    let mut unknown = tokenizer();
    unknown["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]});
    let place = with(&unknown);
    assert!(
        place.convert(None).unwrap().notes[0].contains("pre-tokenizer of tokenizer.json is none")
    );
    assert!(encoded(&place, "a").unwrap_err().contains("\"unknown\" (tokenizer.ggml.pre)"));
    let mut words = tokenizer();
    words["model"]["type"] = json!("WordPiece");
    for (json, reason) in [(Some(words), "WordPiece"), (None, "neither tokenizer.json nor")] {
        let place = json.map_or_else(|| Place::of(&llama()), |json| with(&json));
        let notes = place.convert(None).unwrap().notes;
        assert!(notes[0].contains(reason), "{notes:?}");
        assert!(encoded(&place, "a").unwrap_err().contains("takes token ids only"));
        assert!(yardstick_model::Model::open(&place.path("out/model.gguf")).is_ok());
    }
}

#[test]
fn a_tokenizer_that_contradicts_is_an_error() {
    let mut merges = tokenizer();
    merges["model"]["merges"] = json!([]);
    let mut beyond = tokenizer();
    beyond["added_tokens"][0]["id"] = json!(5);
    let mut text = tokenizer();
    text["model"]["vocab"]["a"] = json!("0");
    let mut twice = tokenizer();
    twice["model"]["vocab"]["b"] = json!(0);
    for (json, words) in [
        (twice, "which is that of"),
        (merges, "model.merges: found nothing"),
        (beyond, "less than 5, vocab_size of config.json"),
        (text, "model.vocab \"a\""),
    ] {
        let refusal = with(&json).refusal(None);
        assert!(refusal.contains(words), "{refusal:?} lacks {words:?}");
    }
    let place = Place::of(&llama());
    place.write("tokenizer.model", [0x0a, 200]);
    assert!(place.refusal(None).contains("is it truncated?"));
    // TrainerSpec.model_type = unigram after one piece.
    place.write("tokenizer.model", [0x0a, 3, 0x0a, 1, b'a', 0x12, 2, 0x18, 1]);
    assert!(place.convert(None).unwrap().notes[0].contains("unigram"));
}

#[test]
fn pieces_of_sentencepiece_come_along_with_scores_and_kinds() {
    let piece = |text: &str, score: f32, kind: u8| {
        let mut body = vec![0x0a, text.len() as u8];
        body.extend(text.as_bytes());
        body.push(0x15);
        body.extend(score.to_le_bytes());
        body.extend([0x18, kind]);
        [vec![0x0a, body.len() as u8], body].concat()
    };
    let pieces =
        [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("▁", -1.0, 1), ("a", -2.0, 1), ("▁a", -0.5, 1)];
    let mut file: Vec<u8> = pieces.iter().flat_map(|&(t, s, k)| piece(t, s, k)).collect();
    file.extend([0x12, 2, 0x18, 2]);
    let made: Checkpoint = llama();
    let place = Place::of(&made);
    place.write("tokenizer.model", file);
    place.convert(None).unwrap();
    assert_eq!(encoded(&place, "a a").unwrap(), [1, 4, 4]);
}
