//! Family E: tensors.

use crate::build::{File, Tensor, llama};
use crate::case::{Case, case};

const LAST: &str = "blk.1.ffn_down.weight";

fn last(change: impl FnOnce(&mut Tensor)) -> File {
    llama().change(LAST, change)
}

/// Data enough for all tensors but a lying one.
fn plenty(file: &mut File) {
    file.data = Some(300_000);
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = shapes();
    cases.extend(types());
    cases.extend(names());
    cases.extend(places());
    cases
}

fn shape(kind: u32, dims: &[u64]) -> File {
    last(|t| (t.kind, t.shape) = (kind, dims.to_vec()))
}

fn shapes() -> Vec<Case> {
    let dims = |n: u32| last(|t| t.dims = Some(n));
    let wide = "weights below 2^63";
    vec![
        case("E n_dims 0", dims(0), ["dimensions", "0", "1 to 4"]),
        case("E n_dims 5 [TENSORS BAD_N_DIMS]", dims(5), ["dimensions", "5", "1 to 4"]),
        case("E n_dims u32::MAX", dims(u32::MAX), ["dimensions", "4294967295", "1 to 4"]),
        case("E dimension 0", shape(0, &[64, 0]), ["shape[1]", "0", "1 to"]),
        case("E first dimension 0", shape(12, &[0, 64]), ["shape[0]", "0", "1 to"]),
        case(
            "E dimension 2^63 [TENSORS BAD_SHAPE]",
            shape(0, &[1 << 63]),
            ["shape[0]", "9223372036854775808", "1 to"],
        ),
        case(
            "E dimension u64::MAX",
            shape(0, &[1, u64::MAX]),
            ["shape[1]", "18446744073709551615", "1 to"],
        ),
        case(
            "E product overflows [TENSORS NE_TOO_BIG]",
            shape(0, &[1 << 32, 1 << 31]),
            ["shape", "[4294967296, 2147483648]", wide],
        ),
        case(
            "E product wraps to 4",
            shape(0, &[4_194_305, 4_194_305, 211_106_198_978_564]),
            ["shape", "211106198978564", wide],
        ),
        case("E product wraps to 0", shape(2, &[1 << 32, 1 << 32]), ["shape", "4294967296", wide]),
        case(
            "E bytes overflow [TENSORS NBYTES_TOO_BIG]",
            shape(0, &[1 << 61]),
            ["shape", "2305843009213693952", "bytes below 2^63"],
        ),
        case(
            "E bytes overflow by one row",
            shape(0, &[1 << 20, (1 << 42) + 1]),
            ["shape", "4398046511105", "bytes below 2^63"],
        ),
        case(
            "E 2^42 + 1 rows",
            shape(0, &[64, (1 << 42) + 1]).with(plenty),
            ["offset", "bytes", "truncated"],
        ),
        case(
            "E sum of sizes overflows [DATA MEM_SIZE_OVERFLOW]",
            last(|t| (t.kind, t.shape) = (2, vec![0x7fff_ffff_ffff_ffc0])).tensor(
                "b",
                2,
                &[0x7fff_ffff_ffff_ffc0],
            ),
            ["offset", "", "truncated"],
        ),
        case(
            "E row of 33 in Q4_0",
            shape(2, &[33, 64]),
            ["shape", "[33, 64] of Q4_0", "multiple of 32"],
        ),
        case(
            "E row of 128 in Q4_K, whole blocks in total",
            shape(12, &[128, 64]),
            ["shape", "Q4_K", "multiple of 256"],
        ),
    ]
}

fn types() -> Vec<Case> {
    let mut cases: Vec<Case> = [4, 5, 31, 32, 33, 36, 37, 38, 41, 1000, u32::MAX]
        .into_iter()
        .map(|n| {
            let name = format!("E ggml type {n} [TENSORS BAD_TYPE]");
            case(&name, shape(n, &[64, 64]), ["type", "unknown or removed", "Q4_K"])
        })
        .collect();
    let foreign = [(16, "IQ2_XXS"), (23, "IQ4_XS"), (24, "I8"), (28, "F64"), (39, "MXFP4")];
    cases.extend(foreign.into_iter().map(|(n, name)| {
        case(&format!("E ggml type {n} without a codec"), shape(n, &[64, 64]), [name, "", "Q4_K"])
    }));
    cases
}

fn names() -> Vec<Case> {
    let length = |n: u64| last(|t| t.name_length = Some(n));
    let named = |name: &[u8]| last(|t| t.name = name.to_vec());
    let field = "tensor[19].name";
    vec![
        case(
            "E name of 64 bytes [TENSORS BAD_NAME_SIZE]",
            named(&[b'a'; 64]),
            ["tensor[19].name length", "64", "63"],
        ),
        case(
            "E name length u64::MAX",
            length(u64::MAX),
            ["tensor[19].name length", "18446744073709551615", "63"],
        ),
        case("E name length 0", named(b""), ["tensor[19].name length", "0", "1 to 63"]),
        case("E name that is not UTF-8", named(b"\xc3("), [field, "not UTF-8", "UTF-8"]),
        case(
            "E duplicate name [TENSORS DUPLICATE_NAME]",
            named(b"blk.0.attn_q.weight"),
            [field, "tensor[4]", "its own"],
        ),
        case(
            "E truncated within the shape: type and offset read as the second dimension",
            File::empty().tensor("output_norm.weight", 8, &[64]).with(|f| {
                (f.alignment, f.data, f.tensors[0].dims) = (1, Some(0), Some(4));
            }),
            ["shape", "8 bytes needed", "4 bytes that remain"],
        ),
    ]
}

fn places() -> Vec<Case> {
    let offset = |change: fn(u64) -> u64| {
        let end = llama().drop_tensor(LAST).header().1;
        last(move |t| t.offset = Some(change(end)))
    };
    vec![
        case(
            "E offset unaligned [TENSORS BAD_OFFSET]",
            offset(|n| n + 1),
            ["offset", "", "multiple of the alignment 32"],
        ),
        case(
            "E offset u64::MAX",
            offset(|_| u64::MAX),
            ["offset", "18446744073709551615", "multiple of"],
        ),
        case(
            "E offset 2^64 - 32",
            offset(|_| u64::MAX - 31),
            ["offset", "18446744073709551584", "truncated"],
        ),
        case("E offset beyond the end", offset(|n| n + (1 << 30)), ["offset", "", "truncated"]),
        case("E overlap with the tensor before", offset(|n| n - 32), ["offset", "", "overlaps"]),
        case("E all tensors over the same bytes", offset(|_| 0), ["offset", "0", "overlaps"]),
        case(
            "E gap after the tensor before",
            offset(|n| n + 32).with(|f| f.data = Some(1 << 20)),
            ["offset", "", "gap"],
        ),
        case(
            "E one byte missing [DATA NOT_ENOUGH_DATA]",
            llama().with(|f| f.data = Some(f.header().1 as usize - 1)),
            [LAST, "24576 bytes", "truncated"],
        ),
        case(
            "E no data at all",
            llama().with(|f| f.data = Some(0)),
            ["token_embd.weight", "0", "truncated"],
        ),
        case(
            "E declared far larger than the file",
            last(|t| t.shape = vec![96, 1 << 30]).with(plenty),
            [LAST, "bytes", "truncated"],
        ),
    ]
}
