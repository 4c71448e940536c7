//! Headers that lie, and the field each error names.

use yardstick_model::Error;
use yardstick_model::safetensors::Safetensors;

use super::file;

fn one(shape: &str, offsets: &str) -> String {
    format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
}

fn two(first: &str, second: &str) -> String {
    let entry = |offsets| format!(r#"{{"dtype":"U8","shape":[4],"data_offsets":{offsets}}}"#);
    format!(r#"{{"a":{},"b":{}}}"#, entry(first), entry(second))
}

fn text(error: &Error) -> String {
    match error {
        Error::Invalid { field, found, expected, .. } => format!("{field} / {found} / {expected}"),
        Error::Unsupported { what, supported, .. } => format!("{what} / {supported}"),
        Error::Io { .. } => panic!("an I/O error from memory"),
    }
}

#[test]
fn every_header_that_lies_is_rejected_by_the_name_of_its_field() {
    let deep = format!(r#"{{"a":{}"#, "[".repeat(100_000));
    let name =
        format!(r#"{{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#, "n".repeat(513));
    let cases: Vec<(&str, Vec<u8>, [&str; 2])> = vec![
        ("nothing", vec![], ["header length", "0 bytes"]),
        ("seven bytes", vec![0; 7], ["header length", "truncated"]),
        ("no header", file("", 0), ["header length", "2 to 0"]),
        (
            "header beyond the file",
            100u64.to_le_bytes().to_vec(),
            ["header length", "what the file holds"],
        ),
        (
            "largest length",
            u64::MAX.to_le_bytes().to_vec(),
            ["header length", "18446744073709551615"],
        ),
        ("not JSON", file("{\"a\":", 0), ["header /", "EOF"]),
        ("space before", file(" {}", 0), ["header /", "begins with {"]),
        ("a list", file("[1]", 0), ["header /", "begins with {"]),
        ("more after it", file("{}{}", 0), ["header /", "trailing"]),
        ("not UTF-8", [&3u64.to_le_bytes()[..], b"{\"\xff"].concat(), ["header /", "column"]),
        ("deep", file(&deep, 0), ["header /", "expected"]),
        ("no dtype", file(r#"{"a":{"shape":[1],"data_offsets":[0,1]}}"#, 1), ["\"a\"", "dtype"]),
        (
            "another key",
            file(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}"#, 1),
            ["\"a\"", "unknown field"],
        ),
        (
            "unknown dtype",
            file(r#"{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,1]}}"#, 1),
            ["tensor \"a\" dtype", "one of BOOL"],
        ),
        (
            "foreign dtype",
            file(r#"{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}"#, 1),
            ["dtype: F4", "BOOL"],
        ),
        ("negative dimension", file(&one("[-1]", "[0,4]"), 4), ["\"a\"", "-1"]),
        ("fractional dimension", file(&one("[1.5]", "[0,4]"), 4), ["\"a\"", "1.5"]),
        ("nine dimensions", file(&one("[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4), ["\"a\"", "at most 8"]),
        ("zero weights", file(&one("[0]", "[0,0]"), 0), ["tensor \"a\" shape", "at least 1"]),
        (
            "shape less than offsets",
            file(&one("[1]", "[0,8]"), 8),
            ["tensor \"a\" shape", "8 bytes, as data_offsets [0, 8] say"],
        ),
        (
            "shape more than offsets",
            file(&one("[3]", "[0,8]"), 8),
            ["tensor \"a\" shape", "(12 bytes)"],
        ),
        (
            "elements that wrap",
            file(&one("[4194305,4194305,211106198978564]", "[0,4]"), 4),
            ["tensor \"a\" shape", "fewer than 2^64"],
        ),
        (
            "bytes that wrap",
            file(&one("[4611686018427387905]", "[0,4]"), 4),
            ["tensor \"a\" shape", "fewer than 2^64"],
        ),
        (
            "offsets turned round",
            file(&one("[1]", "[4,0]"), 4),
            ["tensor \"a\" data_offsets", "[4, 0]"],
        ),
        (
            "end beyond the file",
            file(&one("[2]", "[0,8]"), 7),
            ["tensor \"a\" data_offsets", "within the 7 bytes"],
        ),
        (
            "largest offsets",
            file(&one("[1]", "[18446744073709551615,18446744073709551615]"), 4),
            ["data_offsets", "truncated"],
        ),
        (
            "overlap",
            file(&two("[0,4]", "[3,7]"), 7),
            ["tensor \"b\" data_offsets", "overlaps \"a\""],
        ),
        ("same bytes", file(&two("[0,4]", "[0,4]"), 4), ["data_offsets", "overlaps"]),
        ("gap", file(&two("[0,4]", "[5,9]"), 9), ["tensor \"b\" data_offsets", "gap after \"a\""]),
        (
            "gap at the start",
            file(&one("[1]", "[4,8]"), 8),
            ["tensor \"a\" data_offsets", "gap after the header"],
        ),
        (
            "bytes behind",
            file(&one("[1]", "[0,4]"), 5),
            ["bytes of data", "4, where the last tensor ends"],
        ),
        (
            "two of one name",
            file(&two("[0,4]", "[4,8]").replace("\"b\"", "\"a\""), 8),
            ["header", "\"a\" twice"],
        ),
        (
            "two metadata",
            file(r#"{"__metadata__":{},"__metadata__":{}}"#, 0),
            ["header", "second __metadata__"],
        ),
        ("metadata of numbers", file(r#"{"__metadata__":{"a":1}}"#, 0), ["__metadata__", "string"]),
        (
            "one metadata key twice",
            file(r#"{"__metadata__":{"a":"1","a":"2"}}"#, 0),
            ["__metadata__", "\"a\" twice"],
        ),
        ("long name", file(&name, 1), ["header", "513 bytes"]),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, wanted) in cases {
        match Safetensors::from_bytes("x.safetensors", bytes) {
            Ok(_) => wrong.push(format!("{name}: accepted")),
            Err(error) => {
                let text = text(&error);
                let plain = !text.chars().any(char::is_control) && text.len() < 1000;
                let named = error.to_string().starts_with("x.safetensors: ");
                if !plain || !named || !wanted.iter().all(|part| text.contains(part)) {
                    wrong.push(format!("{name}: {text:?} lacks one of {wanted:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
