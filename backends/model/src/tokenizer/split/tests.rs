//! Splitters against the regular expressions they stand for, run by a backtracking engine.

use fancy_regex::Regex;
use proptest::prelude::*;

use super::*;

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Expressions by name, in order.
fn expressions(name: &str) -> Vec<&'static str> {
    match name {
        "llama-bpe" | "dbrx" => vec![LLAMA3],
        "qwen2" => vec![QWEN2],
        "gpt-2" => vec![GPT2],
        "smollm" => vec![r"\p{N}", GPT2],
        "deepseek-llm" => {
            vec![
                r"[\r\n]",
                // The published expression spells out its letters; no class has just these.
                r"\s?[CASED]+",
                r"\s?[!-/:-~！-／：-～‘-‟　-。&&\S]+",
                r"\s+$",
                r"[一-龥ࠀ-一가-퟿&&\S]+",
                r"\p{N}+",
            ]
        }
        "deepseek-coder" => {
            vec![r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿&&\S]+", r"\p{N}"]
        }
        "falcon" => vec![r"[\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"],
        "default" => vec![r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
        other => panic!("no expressions for {other}"),
    }
}

fn by_expression(expressions: &[Regex], text: &str) -> Vec<String> {
    let Some((first, rest)) = expressions.split_first() else { return vec![text.to_owned()] };
    let mut pieces = Vec::new();
    let mut done = 0;
    for found in first.find_iter(text).map(Result::unwrap) {
        pieces.extend((found.start() > done).then(|| &text[done..found.start()]));
        pieces.push(found.as_str());
        done = found.end();
    }
    pieces.extend((done < text.len()).then(|| &text[done..]));
    pieces.into_iter().flat_map(|piece| by_expression(rest, piece)).collect()
}

fn words(splitter: &Splitter, text: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let all: Result<(), ()> = splitter.split(Text::new(text), &mut |start, end| {
        words.push(text[start..end].to_vec());
        Ok(())
    });
    all.unwrap();
    words
}

/// Characters at which patterns differ, often enough.
fn text() -> impl Strategy<Value = String> {
    let corner = prop::sample::select(vec![
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "'",
        "'s",
        "'RE",
        "'Ll",
        "'ſ",
        "a",
        "Zz",
        "ß",
        "é",
        "e\u{301}",
        "漢字",
        "かな",
        "한글",
        "ก็",
        "0",
        "12",
        "1234",
        "½",
        "٣٤",
        "Ⅷ",
        "!",
        "?!",
        "...",
        "$",
        "`",
        "~|",
        "_",
        "«",
        "。",
        "！",
        "～",
        "‘",
        "\u{3000}",
        "\u{a0}",
        "\u{85}",
        "\u{2028}",
        "\u{200b}",
        "\u{200d}",
        "🙂",
        "👩‍👩‍👧",
        "\0",
        "\u{1c}",
        "\u{feff}",
        "\u{fffd}",
        "\u{e000}",
        "ǅ",
        "ª",
        "ʰ",
        "µ",
        "Ω",
        "\u{10ffff}",
        "\u{13460}",
        "𐐀",
        "𞥃",
    ]);
    let any_char = any::<char>().prop_map(String::from);
    let piece = prop_oneof![8 => corner.prop_map(String::from), 1 => any_char];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[test]
fn every_splitter_cuts_where_its_expressions_match() {
    for splitter in KNOWN {
        let name = splitter.names[0];
        // Classes of the version of Unicode that the splitters know.
        let range = |&(first, last): &(u32, u32)| format!(r"\u{{{first:x}}}-\u{{{last:x}}}");
        let cased: String = letters::CASED.iter().map(range).collect();
        let aged = |e: &str| {
            let class = |e: String, class: char| {
                e.replace(&format!(r"\p{{{class}}}"), &format!(r"[\p{{{class}}}&&\p{{Age=15.1}}]"))
            };
            "LNP".chars().fold(e.replace("CASED", &cased), class)
        };
        let expressions = expressions(name).into_iter().map(|e| Regex::new(&aged(e)).unwrap());
        let expressions: Vec<Regex> = expressions.collect();
        proptest!(ProptestConfig::with_cases(500), |(text in text())| {
            let found = words(splitter, text.as_bytes()).into_iter();
            let found: Vec<String> = found.map(|w| String::from_utf8(w).unwrap()).collect();
            prop_assert_eq!(found, by_expression(&expressions, &text), "{}", name);
        });
    }
}

proptest! {
    #[test]
    fn words_are_the_text_even_when_it_is_not_utf8(
        bytes in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        for splitter in KNOWN {
            let words = words(splitter, &bytes);
            prop_assert!(words.iter().all(|w| !w.is_empty()));
            prop_assert_eq!(words.concat(), bytes.clone());
        }
    }
}

#[test]
fn names_are_unambiguous_and_known() {
    let names = Splitter::names();
    let distinct: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    for name in ["llama-bpe", "qwen2", "gpt-2", "smollm", "deepseek-llm", "starcoder", "default"] {
        assert!(Splitter::named(name).is_some(), "{name}");
    }
    assert!(Splitter::named("").is_none());
}

#[test]
fn known_texts_are_cut_as_each_name_wants() {
    let cases: [(&str, &str, &[&str]); 6] = [
        ("llama-bpe", "I'LL pay 12345.", &["I", "'LL", " pay", " ", "123", "45", "."]),
        ("qwen2", "a 12\r\n\r\n  b", &["a", " ", "1", "2", "\r\n\r\n", " ", " b"]),
        ("gpt-2", "We'LL 12345  x", &["We", "'", "LL", " 12345", " ", " x"]),
        ("smollm", "v1.25 ok", &["v", "1", ".", "2", "5", " ok"]),
        ("default", "12345,x", &["123", "45", ",", "x"]),
        ("deepseek-llm", "Grüße 漢字 12", &["Gr", "üß", "e", " ", "漢字", " ", "12"]),
    ];
    for (name, text, expected) in cases {
        let found = words(Splitter::named(name).unwrap(), text.as_bytes());
        let expected: Vec<Vec<u8>> = expected.iter().map(|w| w.as_bytes().to_vec()).collect();
        assert_eq!(found, expected, "{name} {text:?}");
    }
}
