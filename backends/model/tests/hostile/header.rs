//! Families A (header) and B (keys and strings).

use crate::build::{ARRAY, File, Pair, STRING, U32, array, llama, text};
use crate::case::{Case, case, raw};

pub(crate) fn cases() -> Vec<Case> {
    let whole = llama().bytes();
    let mut cases: Vec<Case> = (0..24)
        .map(|n| {
            let field = if n < 4 {
                "magic"
            } else if n < 8 {
                "version"
            } else {
                "count"
            };
            raw(
                format!("A truncated at byte {n}"),
                whole[..n].to_vec(),
                [field, "needed", "remain"],
            )
        })
        .collect();
    cases.extend(fixed());
    cases.extend(counts());
    cases.extend(keys());
    cases.extend(strings());
    cases
}

fn fixed() -> Vec<Case> {
    let magic = |m: &[u8; 4]| llama().with(|f| f.magic = *m);
    let version = |v| llama().with(|f| f.version = v);
    let versions = "2 or 3";
    vec![
        case("A bad magic [HEADER BAD_MAGIC]", magic(b"GGML"), ["magic", "GGML", "GGUF"]),
        case("A reversed magic", magic(b"FUGG"), ["magic", "FUGG", "GGUF"]),
        case("A magic of escapes", magic(b"\x1b[2J"), ["magic", "\\u{1b}[2J", "GGUF"]),
        case("A version 0 [HEADER BAD_VERSION_0]", version(0), ["version", "0", versions]),
        case("A version 1 [HEADER BAD_VERSION_1]", version(1), ["version", "1", versions]),
        case("A version 4 [HEADER BAD_VERSION_FUTURE]", version(4), ["version", "4", versions]),
        case("A version u32::MAX", version(u32::MAX), ["version", "4294967295", versions]),
        case(
            "A version of a big-endian file",
            version(0x0300_0000),
            ["version", "swapped", versions],
        ),
    ]
}

fn counts() -> Vec<Case> {
    let tensors = |n| llama().with(|f| f.tensor_count = Some(n));
    let pairs = |n| llama().with(|f| f.kv_count = Some(n));
    let rest = llama().bytes().len() as u64 - 24;
    let (t, kv) = ("tensor count", "key/value count");
    vec![
        case(
            "A n_tensors u64::MAX [HEADER BAD_N_TENSORS]",
            tensors(u64::MAX),
            [t, "18446744073709551615", "at most"],
        ),
        case("A n_tensors i64::MIN", tensors(1 << 63), [t, "9223372036854775808", "at most"]),
        case("A n_tensors one more than fits", tensors(rest / 33 + 1), [t, "", "can hold"]),
        case(
            "A n_tensors 1 of an empty file",
            File::empty().with(|f| f.tensor_count = Some(1)),
            [t, "1", "0"],
        ),
        case(
            "A n_kv u64::MAX [HEADER BAD_N_KV]",
            pairs(u64::MAX),
            [kv, "18446744073709551615", "at most"],
        ),
        case("A n_kv i64::MIN", pairs(1 << 63), [kv, "9223372036854775808", "at most"]),
        case("A n_kv one more than fits", pairs(rest / 14 + 1), [kv, "", "can hold"]),
        case("A n_kv one too few: a pair read as tensor", pairs(14), ["tensor[0]", "", ""]),
    ]
}

/// A llama whose first key is this.
fn key(key: &[u8], key_length: Option<u64>) -> File {
    let pair = Pair { key_length, key: key.to_vec(), kind: U32, value: vec![0; 4] };
    llama().with(|f| f.pairs.insert(0, pair))
}

fn keys() -> Vec<Case> {
    let (length, text) = ("kv[0].key length", "kv[0].key");
    let short = || key(b"a", None).with(|f| f.tensors.clear());
    let after = short().bytes().len() as u64 - 32;
    let letters = "lower-case ASCII";
    vec![
        case(
            "B key length u64::MAX [KV BAD_KEY_SIZE]",
            key(b"a", Some(u64::MAX)),
            [length, "18446744073709551615", "65535"],
        ),
        case(
            "B key length remaining + 1",
            short().with(|f| f.pairs[0].key_length = Some(after + 1)),
            [length, "needed", "remain"],
        ),
        case("B key length 0 [KV EMPTY_KEY]", key(b"", None), [length, "0", "1 to 65535"]),
        case("B key of 65,536 bytes", key(&[b'a'; 65_536], None), [length, "65536", "65535"]),
        case("B key with a capital", key(b"General.name", None), [text, "General.name", letters]),
        case("B key with a space", key(b"a b", None), [text, "a b", letters]),
        case("B key with NUL", key(b"a\0b", None), [text, "a\\u{0}b", letters]),
        case(
            "B key that is not ASCII",
            key("schlüssel".as_bytes(), None),
            [text, "schlüssel", letters],
        ),
        case("B key that is not UTF-8", key(b"a\xff\xfe", None), [text, "not UTF-8", "ASCII"]),
        case(
            "B duplicate key [KV DUPLICATE_KEY]",
            llama().again("general.name", STRING, crate::build::text("x")),
            ["kv[15].key", "general.name", "its own"],
        ),
        case(
            "B duplicate of the key that decides alignment",
            llama().u32("general.alignment", 32).again(
                "general.alignment",
                U32,
                64u32.to_le_bytes(),
            ),
            ["kv[16].key", "general.alignment", "its own"],
        ),
    ]
}

fn strings() -> Vec<Case> {
    let long = |n: u64| llama().set("general.name", STRING, n.to_le_bytes());
    let big = (16 << 20) + 1;
    let name = ["\"general.name\" string length", "", ""];
    let with_nul = llama().change("output_norm.weight", |t| t.name = b"output\0norm".to_vec());
    vec![
        case(
            "B value string u64::MAX",
            long(u64::MAX),
            [name[0], "18446744073709551615", "16777216"],
        ),
        case(
            "B value string past the end",
            long(1 << 20),
            [name[0], "1048576 bytes needed", "remain"],
        ),
        case(
            "B value string over 16 MiB",
            llama().set("general.name", STRING, text(&"x".repeat(big))),
            [name[0], "16777217", "16777216"],
        ),
        case(
            "B element string over 16 MiB",
            llama().set("a.list", ARRAY, array(STRING, 1, &text(&"x".repeat(big)))),
            ["\"a.list\"[0] string length", "16777217", "16777216"],
        ),
        case("B NUL in a tensor's name", with_nul, ["tensor[1].name", "\\u{0}", "without NUL"]),
        case(
            "B architecture that is not UTF-8",
            llama().set(
                "general.architecture",
                STRING,
                [2u64.to_le_bytes().as_slice(), b"\xff\xff"].concat(),
            ),
            ["general.architecture", "not UTF-8", "UTF-8"],
        ),
    ]
}
