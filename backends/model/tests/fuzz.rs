//! Random files: reading never panics, every refusal names its field, and what is accepted survives rewriting.

#[path = "hostile/build.rs"]
#[allow(dead_code, reason = "the hostile cases use the rest")]
mod build;

use build::{ARRAY, BOOL, F32, File, I32, STRING, U8, U32, U64, array, llama, text, texts};
use proptest::prelude::*;
use yardstick_model::gguf::Header;
use yardstick_model::{Error, Gguf, Model};

/// Everything that is done with a file by someone who opens it; panics are what the properties look for.
fn use_whole(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let gguf = match Gguf::from_bytes("fuzz", bytes.clone()) {
        Ok(gguf) => gguf,
        Err(error) => return named(&error),
    };
    let summary = gguf.summary();
    prop_assert!(summary.metadata.iter().all(|m| !m.value.chars().any(char::is_control)));
    for tensor in gguf.tensors() {
        prop_assert_eq!(gguf.bytes(tensor).len(), tensor.bytes);
        prop_assert_eq!(gguf.tensor(&tensor.name), Some(tensor));
    }
    rewrites(&gguf)?;
    match Model::from_gguf(gguf) {
        Ok(model) => uses_model(&model),
        Err(error) => named(&error),
    }
}

fn named(error: &Error) -> Result<(), TestCaseError> {
    let text = error.to_string();
    prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
    let parts = match error {
        Error::Io { .. } => return Err(TestCaseError::fail("an I/O error from memory")),
        Error::Invalid { field, found, expected, .. } => [field, found, expected],
        Error::Unsupported { what, supported, path } => [what, supported, path],
    };
    prop_assert!(parts.iter().all(|p| !p.is_empty()), "{}", text);
    Ok(())
}

/// Accepted, so writing it again and reading that gives the same table and the same values.
fn rewrites(gguf: &Gguf) -> Result<(), TestCaseError> {
    let mut header = Header::new("again");
    header.copy_metadata(gguf);
    for t in gguf.tensors() {
        header.tensor(&t.name, t.format, &t.shape).map_err(fail)?;
    }
    let mut data = header.start(Vec::new()).map_err(fail)?;
    for t in gguf.tensors() {
        data.write(gguf.bytes(t)).map_err(fail)?;
    }
    let again = Gguf::from_bytes("again", data.finish().map_err(fail)?).map_err(fail)?;
    let rows = |g: &Gguf| -> Vec<_> {
        let row = |t: &yardstick_model::gguf::TensorInfo| {
            (t.name.clone(), t.format, t.shape.clone(), g.bytes(t).to_vec())
        };
        g.tensors().iter().map(row).collect()
    };
    prop_assert_eq!(rows(gguf), rows(&again));
    let pairs = |g: &Gguf| -> Vec<_> {
        let kept = g.keys().filter(|k| *k != "general.alignment");
        kept.map(|k| (k.to_owned(), g.display(k))).collect()
    };
    prop_assert_eq!(pairs(gguf), pairs(&again));
    Ok(())
}

fn fail(error: Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

fn uses_model(model: &Model) -> Result<(), TestCaseError> {
    for spec in model.architecture().tensors() {
        let tensor = model.tensor(&spec.name).expect("checked on opening");
        prop_assert_eq!(tensor.row(tensor.rows - 1).len() * tensor.rows, tensor.bytes.len());
    }
    prop_assert!(model.info().streamed_bytes <= model.info().tensor_bytes);
    Ok(())
}

/// A value of any type with its number.
fn value() -> impl Strategy<Value = (u32, Vec<u8>)> {
    prop_oneof![
        any::<u8>().prop_map(|v| (U8, vec![v])),
        any::<u32>().prop_map(|v| (U32, v.to_le_bytes().to_vec())),
        any::<u32>().prop_map(|v| (I32, v.to_le_bytes().to_vec())),
        any::<f32>().prop_map(|v| (F32, v.to_le_bytes().to_vec())),
        any::<bool>().prop_map(|v| (BOOL, vec![u8::from(v)])),
        any::<u64>().prop_map(|v| (U64, v.to_le_bytes().to_vec())),
        ".{0,20}".prop_map(|v| (STRING, text(&v))),
        proptest::collection::vec(".{0,5}", 0..9).prop_map(|v| (ARRAY, texts(&v))),
        proptest::collection::vec(any::<u32>(), 0..9).prop_map(|v| {
            let bytes: Vec<u8> = v.iter().flat_map(|n| n.to_le_bytes()).collect();
            (ARRAY, array(U32, v.len() as u64, &bytes))
        }),
    ]
}

/// A valid file: a llama, with some of its own keys given other values and some keys more.
fn file() -> impl Strategy<Value = File> {
    let own = proptest::collection::vec((any::<proptest::sample::Index>(), value()), 0..2);
    let more = proptest::collection::vec(("[a-z][a-z0-9_.]{0,12}", value()), 0..6);
    let tensors = proptest::collection::vec(("[a-z.]{1,20}", 1u64..40, 1u64..4), 0..3);
    (own, more, tensors, any::<bool>()).prop_map(|(own, more, tensors, qwen)| {
        let mut file = llama();
        for (i, (kind, value)) in own {
            let pair = i.index(file.pairs.len());
            (file.pairs[pair].kind, file.pairs[pair].value) = (kind, value);
        }
        for (key, (kind, value)) in more {
            file = file.set(&key, kind, value);
        }
        for (name, cols, rows) in tensors {
            file = file.drop_tensor(&name).tensor(&name, 0, &[cols, rows]);
        }
        if qwen { file.text("general.architecture", "qwen2") } else { file }
    })
}

/// Numbers on which size arithmetic breaks.
fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0u32..64, 0u64..3).prop_map(|(bits, d)| (1u64 << bits).wrapping_add(d).wrapping_sub(1)),
        Just(u64::MAX),
        Just(u64::MAX - 31),
        Just(0x7fff_ffff_ffff_ffc0),
    ]
}

proptest! {
    // More with PROPTEST_CASES=100000.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_headers_with_any_values_are_handled(file in file()) {
        use_whole(file.bytes())?;
    }

    #[test]
    fn one_corrupted_field_is_handled(
        file in file(),
        n in edge(),
        which in 0u32..12,
        at in any::<proptest::sample::Index>(),
    ) {
        let mut file = file;
        let (pair, tensor) = (at.index(file.pairs.len()), at.index(file.tensors.len()));
        match which {
            0 => file.tensor_count = Some(n),
            1 => file.kv_count = Some(n),
            2 => file.pairs[pair].key_length = Some(n),
            3 => file.pairs[pair].kind = n as u32,
            4 => file.tensors[tensor].name_length = Some(n),
            5 => file.tensors[tensor].dims = Some(n as u32),
            6 => file.tensors[tensor].shape[0] = n,
            7 => file.tensors[tensor].shape.push(n),
            8 => file.tensors[tensor].kind = n as u32,
            9 => file.tensors[tensor].offset = Some(n),
            10 => file = file.u32("general.alignment", n as u32),
            _ => file.version = n as u32,
        }
        // A lying tensor takes no data; the others keep theirs.
        file.data = Some(300_000);
        use_whole(file.bytes())?;
    }

    #[test]
    fn corrupted_bytes_of_the_header_are_handled(
        file in file(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let header = file.header().0.len();
        let mut bytes = file.bytes();
        for (at, byte) in damage {
            bytes[at.index(header)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        use_whole(bytes)?;
    }

    #[test]
    fn corrupted_bytes_of_a_real_header_are_handled(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden/arch");
        let Ok(mut bytes) = std::fs::read(format!("{folder}/llama-moe.gguf")) else {
            println!("skipped: {folder} is absent");
            return Ok(());
        };
        // Metadata and tensor entries.
        let header = 7000;
        for (at, byte) in damage {
            bytes[at.index(header)] ^= byte;
        }
        use_whole(bytes)?;
    }

    #[test]
    fn random_bytes_after_a_magic_are_handled(
        magic in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut file = if magic { b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0".to_vec() } else { Vec::new() };
        file.extend(bytes);
        use_whole(file)?;
    }
}
