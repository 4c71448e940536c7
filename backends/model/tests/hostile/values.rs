//! Families C (values) and D (alignment).

use crate::build::{ARRAY, BOOL, F32, File, I32, STRING, U8, U32, U64, array, llama};
use crate::case::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = types();
    cases.extend(arrays());
    cases.extend(alignments());
    cases
}

fn types() -> Vec<Case> {
    let of = |kind, value: &[u8]| llama().set("a.value", kind, value);
    let field = "\"a.value\" type";
    vec![
        case("C value type 13 [KV BAD_TYPE]", of(13, &[0; 8]), [field, "13", "0 to 12"]),
        case("C value type u32::MAX", of(u32::MAX, &[0; 8]), [field, "4294967295", "0 to 12"]),
        case("C bool 2", of(BOOL, &[2]), ["\"a.value\" value", "bool 2", "0 or 1"]),
        case(
            "C bool 255 in an array",
            of(ARRAY, &array(BOOL, 3, &[0, 1, 255])),
            ["\"a.value\" value", "bool 255", "0 or 1"],
        ),
        case(
            "C string where a number belongs",
            llama().text("llama.block_count", "2"),
            ["llama.block_count", "string", "unsigned"],
        ),
        case(
            "C signed where unsigned belongs",
            llama().set("llama.block_count", I32, 2i32.to_le_bytes()),
            ["llama.block_count", "i32", "unsigned"],
        ),
        case(
            "C integer where a float belongs",
            llama().u32("llama.attention.layer_norm_rms_epsilon", 1),
            ["epsilon", "u32", "f32"],
        ),
        case(
            "C number where text belongs",
            llama().u32("general.architecture", 1),
            ["general.architecture", "u32", "string"],
        ),
    ]
}

fn arrays() -> Vec<Case> {
    let of = |value: Vec<u8>| {
        llama().set("a.list", ARRAY, value).with(|f| {
            // The last thing in the file, so that nothing follows to be read instead.
            f.tensors.clear();
        })
    };
    let (kind, length) = ("\"a.list\" array type", "\"a.list\" array length");
    let strings = |tail: &[u8]| of(array(STRING, 2, tail));
    vec![
        case(
            "C array of arrays",
            of(array(ARRAY, 1, &array(U8, 1, &[0]))),
            [kind, "array of arrays", "no arrays"],
        ),
        case("C array type 13", of(array(13, 1, &[0; 8])), [kind, "13", "0 to 12"]),
        case(
            "C array count u64::MAX",
            of(array(U8, u64::MAX, &[0; 8])),
            [length, "18446744073709551615", "at most 8"],
        ),
        case(
            "C array count * size overflows",
            of(array(U64, (1 << 61) + 1, &[0; 8])),
            [length, "2305843009213693953", "at most 1"],
        ),
        case(
            "C array count * size wraps to 0",
            of(array(F32, 1 << 62, &[])),
            [length, "", "at most 0"],
        ),
        case("C truncated array", of(array(U32, 3, &[0; 11])), [length, "3 u32", "at most 2"]),
        case(
            "C string array with room for no lengths",
            of(array(STRING, 1 << 40, &[0; 16])),
            [length, "string", "at most 2"],
        ),
        case(
            "C string array whose second length does not fit",
            strings(&[&8u64.to_le_bytes()[..], &[b'a'; 8]].concat()),
            ["\"a.list\"[1] string length", "8 bytes needed", "remain"],
        ),
        case(
            "C string array whose element does not fit",
            strings(&[&9u64.to_le_bytes()[..], &[b'a'; 8]].concat()),
            ["\"a.list\"[0] string length", "9 bytes needed", "remain"],
        ),
        case("C metadata over 256 MiB, skipped", large(U8, 1), ["metadata", "", "268435456"]),
        case("C metadata over 256 MiB, walked", walked(), ["metadata", "", "268435456"]),
        case(
            "C 2^36 empty strings in a sparse 1 TiB",
            sparse(STRING, 1 << 36, 1 << 40),
            ["metadata", "", "268435456"],
        ),
        case("C metadata over 256 MiB, of bools", large(BOOL, 1), ["metadata", "", "268435456"]),
    ]
}

/// An array of 257 MiB of zeros, sparse on disk.
fn large(kind: u32, size: u64) -> File {
    sparse(kind, (257 << 20) / size, 300 << 20)
}

/// An array of zeros at the end of a sparse file; of strings, all are empty.
fn sparse(kind: u32, count: u64, disk_bytes: u64) -> File {
    llama().set("a.list", ARRAY, array(kind, count, &[])).with(|f| {
        f.tensors.clear();
        f.disk_bytes = Some(disk_bytes);
    })
}

/// 20 million empty strings, then an array that is too much.
fn walked() -> File {
    let mut zeros = array(STRING, 20 << 20, &[]);
    zeros.resize(zeros.len() + (160 << 20), 0);
    llama().set("a.list", ARRAY, zeros).set("b.list", ARRAY, array(U8, 200 << 20, &[])).with(|f| {
        f.tensors.clear();
        f.disk_bytes = Some(400 << 20);
    })
}

fn alignments() -> Vec<Case> {
    let of = |n: u32| llama().u32("general.alignment", n);
    let key = "general.alignment";
    let limits = "power of two from 8 to 65536";
    vec![
        case("D alignment 0", of(0), [key, "0", limits]),
        case("D alignment 13 [KV, TENSORS, DATA BAD_ALIGN]", of(13), [key, "13", limits]),
        case("D alignment 4", of(4), [key, "4", limits]),
        case(
            "D alignment i32 [KV WRONG_TYPE_ALIGN]",
            llama().set(key, I32, 32i32.to_le_bytes()),
            [key, "i32", "u32"],
        ),
        case("D alignment u64", llama().set(key, U64, 32u64.to_le_bytes()), [key, "u64", "u32"]),
        case("D alignment 128 KiB", of(1 << 17), [key, "131072", limits]),
        case("D alignment u32::MAX + 1 / 2", of(1 << 31), [key, "2147483648", limits]),
        case(
            "D padding past the end of the file",
            of(65_536).with(|f| {
                f.alignment = 8;
                f.data = Some(0);
            }),
            ["start of data", "65536", "length of the file"],
        ),
        case(
            "D alignment other than the one used [TENSORS, DATA INCONSISTENT_ALIGN]",
            of(1024),
            ["offset", "10240", "a multiple of the alignment 1024"]
                .map(|s| if s == "10240" { "" } else { s }),
        ),
    ]
}
