//! Whether an answer is right: its last number, its text, a regular expression, a JSON Schema, or that it declines.

use regex::Regex;

use super::questions::Question;

/// Bytes of a compiled expression; larger ones are refused.
const MOST_REGEX_BYTES: usize = 1 << 20;
/// Words by which an answer says that there is none.
const DECLINES: [&str; 12] = [
    "i don't know",
    "i do not know",
    "cannot be determined",
    "can't be determined",
    "cannot answer",
    "can't answer",
    "no answer",
    "not possible to",
    "not enough information",
    "unanswerable",
    "does not exist",
    "unknown",
];

/// What makes an answer right.
pub(crate) enum Check {
    Number(f64),
    Text(String),
    Regex(Regex),
    Schema(Box<jsonschema::Validator>),
    Declines,
}

impl Check {
    /// The check of a question, `None` where it names none; `Err` where it cannot be used, or there are several.
    pub(crate) fn of(question: &Question) -> Result<Option<Check>, String> {
        let mut checks = Vec::new();
        if let Some(wanted) = &question.number {
            let number = last_number(wanted)
                .ok_or_else(|| format!("number: found {wanted:?}, expected a number"))?;
            checks.push(Check::Number(number));
        }
        checks.extend(question.text.clone().map(Check::Text));
        if let Some(pattern) = &question.regex {
            let built = regex::RegexBuilder::new(pattern).size_limit(MOST_REGEX_BYTES).build();
            checks.push(Check::Regex(built.map_err(|error| format!("regex: {error}"))?));
        }
        if let Some(schema) = &question.schema {
            let built =
                jsonschema::validator_for(schema).map_err(|error| format!("schema: {error}"))?;
            checks.push(Check::Schema(Box::new(built)));
        }
        checks.extend(question.unanswerable.then_some(Check::Declines));
        match checks.len() {
            0 | 1 => Ok(checks.pop()),
            n => Err(format!(
                "found {n} ways to be right, expected one of number, text, regex, schema, unanswerable"
            )),
        }
    }

    /// Whether the answer is right.
    pub(crate) fn admits(&self, answer: &str) -> bool {
        match self {
            Check::Number(wanted) => last_number(answer) == Some(*wanted),
            Check::Text(wanted) => answer.trim() == wanted.trim(),
            Check::Regex(regex) => regex.is_match(answer),
            Check::Schema(schema) => {
                serde_json::from_str(answer.trim()).is_ok_and(|json| schema.is_valid(&json))
            }
            Check::Declines => {
                let answer = answer.to_lowercase().replace('\u{2019}', "'");
                DECLINES.iter().any(|words| answer.contains(words))
            }
        }
    }
}

/// The last number of a text, as GSM8K's scorers take it: thousands may be parted by commas.
fn last_number(text: &str) -> Option<f64> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-');
    let words = text.split(|c: char| !is_part(c));
    let number = |word: &str| {
        let word = word.trim_end_matches(['.', ',', '-']).replace(',', "");
        // A hyphen within: `3-4` ends in 4, `-4` is negative.
        let start = word.rfind('-').filter(|&at| at > 0).map_or(0, |at| at + 1);
        word[start..].parse::<f64>().ok().filter(|number| number.is_finite())
    };
    words.filter_map(number).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Option<Check>, String> {
        Check::of(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn the_last_number_is_the_answers() {
        for (text, expected) in [
            ("3 + 4 = 7.", Some(7.0)),
            ("$1,234.50 in all", Some(1234.5)),
            ("it is -4", Some(-4.0)),
            ("pages 3-4", Some(4.0)),
            ("#### 18\n", Some(18.0)),
            ("none, at all - ever.", None),
            ("", None),
        ] {
            assert_eq!(last_number(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_check_admits_what_it_should_and_nothing_else() {
        for (json, right, wrong) in [
            (r#"{"prompt":"?","number":"1,000"}"#, "so 999 + 1 = 1000", "1000 or 1001"),
            (r#"{"prompt":"?","text":"Paris"}"#, " Paris\n", "Paris, France"),
            (r#"{"prompt":"?","regex":"^(yes|no)$"}"#, "no", "maybe"),
            (
                r#"{"prompt":"?","schema":{"type":"object","required":["a"]}}"#,
                r#" {"a": 1} "#,
                r#"{"b": 1}"#,
            ),
            (r#"{"prompt":"?","unanswerable":true}"#, "Sorry, I don\u{2019}t know.", "In 1734."),
        ] {
            let check = check(json).unwrap().unwrap();
            assert!(check.admits(right), "{json} {right}");
            assert!(!check.admits(wrong), "{json} {wrong}");
        }
        assert!(check(r#"{"prompt":"?"}"#).unwrap().is_none());
    }

    #[test]
    fn a_check_that_cannot_be_made_says_why() {
        for (json, words) in [
            (r#"{"prompt":"?","number":"many"}"#, "expected a number"),
            (r#"{"prompt":"?","regex":"("}"#, "regex:"),
            (r#"{"prompt":"?","schema":{"type":"colour"}}"#, "schema:"),
            (r#"{"prompt":"?","number":"1","text":"1"}"#, "found 2 ways"),
        ] {
            let error = check(json).err().unwrap();
            assert!(error.contains(words), "{json}: {error}");
        }
    }
}
