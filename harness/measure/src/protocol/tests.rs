//! The grammar: lines are capped, unknown fields are refused, nothing panics.

use std::io::{BufReader, Read};

use proptest::prelude::*;

use super::*;

/// Endless bytes without a newline, counting those taken.
struct Endless {
    taken: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(b'x');
        self.taken += buffer.len();
        Ok(buffer.len())
    }
}

#[test]
fn a_line_without_end_is_given_up_at_the_cap() {
    let mut input = BufReader::with_capacity(8192, Endless { taken: 0 });
    assert!(matches!(read_line(&mut input, 100_000), Ok(Line::TooLong)));
    assert!(input.get_ref().taken <= 100_000 + 8192, "{} bytes were read", input.get_ref().taken);
}

#[test]
fn lines_end_at_newlines_and_nowhere_else() {
    let mut input = BufReader::with_capacity(4, &b"abcdef\n\n12345\nrest"[..]);
    let mut next = || read_line(&mut input, 6).unwrap();
    assert!(matches!(next(), Line::Text(text) if text == "abcdef"));
    assert!(matches!(next(), Line::Text(text) if text.is_empty()));
    assert!(matches!(next(), Line::Text(text) if text == "12345"));
    assert!(matches!(next(), Line::Cut));
    assert!(matches!(read_line(&mut &b""[..], 6), Ok(Line::End)));
    assert!(matches!(read_line(&mut &b"1234567\n"[..], 6), Ok(Line::TooLong)));
    assert!(matches!(read_line(&mut &b"\xff\n"[..], 6), Ok(Line::NotText)));
}

#[test]
fn calls_are_written_as_the_contract_says() {
    let contract = include_str!("../../../../backends/PROTOCOL.md");
    let load = Load { device: "a:b".into(), model: "m".into(), options: Options::default() };
    let (test, file) = (Test::Load, "f".to_owned());
    let generated = Generated { sequences: 1, ids: vec![2] };
    for call in [
        Call::Hello { protocol: VERSION },
        Call::Devices { backend: "a".into() },
        Call::Plan(load.clone()),
        Call::Load(load),
        Call::Observe { file: file.clone() },
        Call::Expect { generated, file: file.clone() },
        Call::Prepare { test },
        Call::WarmUp { test, seconds: 1.0 },
        Call::Sample { test, sampling: Sampling::default() },
        Call::Ceiling { device: "null:0".into(), limit: Limit::Read { bytes: 1 }, threads: None },
        Call::Generate { tokens: vec![1], n: 1 },
        Call::Logits { tokens: vec![1], step: true, held: 0, skip: 0, file },
        Call::Profile,
        Call::Cancel,
        Call::Stop,
    ] {
        let text = serde_json::to_string(&Request { id: 7, call: call.clone() }).unwrap();
        let name = text.split('"').nth(5).unwrap();
        assert!(
            contract.contains(&format!("`{{\"{name}\":"))
                || contract.contains(&format!("`\"{name}\"`")),
            "{name}"
        );
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), Request { id: 7, call });
    }
}

#[test]
fn unknown_fields_are_refused_on_both_sides() {
    for text in [
        r#"{"id":1,"call":"stop","now":true}"#,
        r#"{"id":1,"call":{"hello":{"protocol":1,"accent":"x"}}}"#,
        r#"{"id":1,"call":{"load":{"device":"d","model":"m","options":{"theads":1}}}}"#,
        r#"{"id":1,"call":{"sample":{"test":"warp9","sampling":null}}}"#,
    ] {
        assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
    }
    for text in [
        r#"{"heartbeat":{"beat":1,"loud":true}}"#,
        r#"{"reply":{"id":1,"answer":{"hello":{"protocol":1,"name":"n","version":"v","backends":[],"x":1}}}}"#,
        r#"{"samples":{"id":1,"samples":[{"started_ns":-1}]}}"#,
        r#"{"murmur":{}}"#,
    ] {
        assert!(serde_json::from_str::<Message>(text).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cap in 0_usize..200) {
        let mut input = &bytes[..];
        for _ in 0..bytes.len() + 2 {
            match read_line(&mut input, cap).unwrap() {
                Line::Text(text) => {
                    prop_assert!(text.len() <= cap);
                    let _ = serde_json::from_str::<Message>(&text);
                    let _ = serde_json::from_str::<Request>(&text);
                }
                _ => break,
            }
        }
    }

    #[test]
    fn no_changed_message_panics(at in 0_usize..400, byte in any::<char>()) {
        let message = r#"{"reply":{"id":3,"answer":{"warmed_up":{"warm_up":{"repetitions":1,"nanoseconds":18446744073709551615,"steady":true}}}}}"#;
        let at = at % message.len();
        let changed = format!("{}{byte}{}", &message[..at], &message[at + 1..]);
        let _ = serde_json::from_str::<Message>(&changed);
    }
}
