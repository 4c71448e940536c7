//! Files that are accepted, what they say, and what writing, scanning and changing them does.

#[path = "hostile/build.rs"]
#[allow(dead_code, reason = "the hostile cases use the rest")]
mod build;

use std::io::Write;
use std::path::Path;

use build::{ARRAY, F32, File, STRING, U64, array, llama, text, texts};
use yardstick_model::gguf::{Header, Type, Value, scan};
use yardstick_model::{Error, Format, Gguf, Model};

fn gguf(file: &File) -> Gguf {
    Gguf::from_bytes("memory", file.bytes()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn accepts_what_the_specification_allows() {
    let files: [(&str, File); 7] = [
        ("nothing at all [HEADER EMPTY]", File::empty()),
        ("version 2", llama().with(|f| f.version = 2)),
        ("no tensors [KV SUCCESS]", llama().with(|f| f.tensors.clear())),
        ("a llama [TENSORS, DATA SUCCESS]", llama()),
        (
            "alignment 64 [TENSORS, DATA CUSTOM_ALIGN]",
            llama().u32("general.alignment", 64).with(|f| f.alignment = 64),
        ),
        ("a hyphen in a key", llama().u32("command-r.block_count", 1)),
        ("the longest name", llama().tensor(&"n".repeat(63), 0, &[1])),
    ];
    for (name, file) in files {
        let result = Gguf::from_bytes(name, file.bytes());
        let gguf = result.unwrap_or_else(|e| panic!("{e}"));
        assert!(gguf.warnings().is_empty(), "{name}: {:?}", gguf.warnings());
    }
}

#[test]
fn accepts_a_llama_and_variants_as_models() {
    let partial = llama().u32("llama.rope.dimension_count", 8);
    let linear = llama().f32("llama.rope.scaling.factor", 4.0);
    let factor = |name: &str| linear.clone().text("llama.rope.scaling.type", name);
    let layers = array(build::U32, 2, &[4, 0, 0, 0, 4, 0, 0, 0]);
    let files: [(&str, File, usize, f32); 7] = [
        ("plain", llama(), 16, 1.0),
        ("partial rotation", partial, 8, 1.0),
        ("linear scaling, no type", linear.clone(), 16, 4.0),
        ("linear scaling", factor("linear"), 16, 4.0),
        ("no scaling", factor("none"), 16, 1.0),
        ("no vocabulary", llama().without("tokenizer.ggml.tokens"), 16, 1.0),
        ("heads per layer", llama().set("llama.attention.head_count", ARRAY, layers), 16, 1.0),
    ];
    for (name, file, dims, scale) in files {
        let model = Model::from_gguf(gguf(&file)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let rotary = &model.architecture().rotary[0];
        assert_eq!((rotary.dims, rotary.scale), (dims, scale), "{name}");
        assert_eq!(rotary.frequencies(1).len(), dims / 2);
    }
}

#[test]
fn what_a_family_does_not_honour_is_noted_and_what_it_does_is_read() {
    let window = || llama().u32("llama.attention.sliding_window", 9);
    let model = Model::from_gguf(gguf(&window())).unwrap();
    assert!(model.architecture().layers.iter().all(|layer| layer.window == Some(9)));
    assert!(model.architecture().ignored.is_empty());
    let model = Model::from_gguf(gguf(&window().f32("llama.attention.scale", 0.5))).unwrap();
    assert!(model.architecture().ignored[0].contains("llama.attention.scale = 0.5"));
    let biases = llama().tensor("blk.1.attn_output.bias", 0, &[64]).tensor("output.bias", 0, &[40]);
    let model = Model::from_gguf(gguf(&biases)).unwrap();
    let outputs: Vec<bool> =
        model.architecture().layers.iter().map(|layer| layer.output_bias).collect();
    assert_eq!((outputs, model.architecture().head_bias), (vec![false, true], true));
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let whole = llama().bytes();
    // The padding after the last tensor may be missing; its data may not.
    for n in (0..3000).chain(whole.len() - 300..whole.len()) {
        let cut = whole[..n].to_vec();
        assert!(Gguf::from_bytes("cut", cut).is_err(), "accepted {n} of {} bytes", whole.len());
    }
}

#[test]
fn trailing_bytes_are_warned_of_and_kept_out_of_tensors() {
    let mut bytes = llama().bytes();
    bytes.extend_from_slice(b"hidden");
    let gguf = Gguf::from_bytes("trailing", bytes).unwrap();
    assert_eq!(gguf.warnings(), ["6 bytes follow the last tensor; they are ignored"]);
}

#[test]
fn typed_access_reads_every_type_and_refuses_others() {
    let strange = "<script>\u{1b}[2J\u{202e}evil";
    let file = llama()
        .set("a.u64", U64, u64::MAX.to_le_bytes())
        .set("a.text", STRING, text(strange))
        .set("a.floats", ARRAY, array(F32, 2, &[0, 0, 128, 63, 0, 0, 0, 64]))
        .set("a.texts", ARRAY, texts(&["x", "", "yz"]));
    let gguf = gguf(&file);
    assert_eq!(gguf.unsigned("a.u64").unwrap(), Some(u64::MAX));
    assert_eq!(gguf.str("a.text").unwrap(), Some(strange), "the value itself is kept");
    assert_eq!(gguf.display("a.text").unwrap(), "<script>\\u{1b}[2J\\u{202e}evil");
    assert_eq!(gguf.display("a.floats").unwrap(), "2 f32: [1, 2]");
    let floats = gguf.array("a.floats", &[Type::F32]).unwrap().unwrap();
    let sum: f32 = floats.iter().map(|v| if let Value::F32(x) = v { x } else { f32::NAN }).sum();
    assert_eq!(sum, 3.0);
    let strings = gguf.array("a.texts", &[Type::String]).unwrap().unwrap();
    assert_eq!(strings.strings().collect::<Vec<_>>(), [b"x".as_slice(), b"", b"yz"]);
    assert!(gguf.array("a.texts", &[Type::F32]).is_err());
    assert!(
        gguf.f32("a.u64").is_err() && gguf.bool("a.u64").is_err() && gguf.str("a.u64").is_err()
    );
    assert_eq!(gguf.unsigned("absent").unwrap(), None);
    let summary = serde_json::to_string(&gguf.summary()).unwrap();
    assert!(!summary.contains('\u{202e}') && !summary.contains("\\u001b"), "{summary}");
}

#[test]
fn scan_finds_the_block_with_a_bad_scale() {
    let nan = half::f16::NAN.to_le_bytes();
    let inf = half::f16::INFINITY.to_le_bytes();
    // (format, ggml number, bytes of a block, offset of the damage in the block)
    let cases = [
        (Format::F32, 0, 4, 2),
        (Format::F16, 1, 2, 0),
        (Format::Q4_0, 2, 18, 0),
        (Format::Q4_1, 3, 20, 2),
        (Format::Q8_0, 8, 34, 0),
        (Format::Q4_K, 12, 144, 0),
        (Format::Q4_K, 12, 144, 2),
        (Format::Q6_K, 14, 210, 208),
    ];
    for (format, number, block_bytes, at) in cases {
        let cols = format.block_len() * 4;
        assert_eq!((format.layout().ggml, format.block_bytes()), (number, block_bytes));
        for bad in [None, Some(nan), Some(inf)] {
            let mut data = vec![0; block_bytes * 8];
            if let Some(bad) = bad {
                data[5 * block_bytes + at..][..2].copy_from_slice(&bad);
            }
            let mut writer = header_of(format, cols).start(Vec::new()).unwrap();
            writer.write(&data).unwrap();
            let gguf = Gguf::from_bytes("scan", writer.finish().unwrap()).unwrap();
            let found = scan(&gguf, &gguf.tensors()[0]);
            assert_eq!(found.weights, cols as u64 * 2);
            // The upper half of an f32 with an f16's bits is not always one that is not finite.
            if format == Format::F32 {
                continue;
            }
            assert_eq!(found.is_clean(), bad.is_none(), "{format:?} {at} {bad:?}: {found:?}");
            if bad.is_some() {
                assert_eq!(found.blocks, 1);
                let counted = found.nan + found.infinite;
                assert!((1..=format.block_len() as u64).contains(&counted), "{found:?}");
            }
            if let (Format::F16, Some(bad)) = (format, bad) {
                let expected = if bad == nan { (1, 0) } else { (0, 1) };
                assert_eq!((found.nan, found.infinite), expected);
            }
            if bad.is_some() {
                assert_eq!(found.first.unwrap() / format.block_len() as u64, 5);
            }
        }
    }
}

fn header_of(format: Format, cols: usize) -> Header {
    let mut header = Header::new("scan");
    header.tensor("t", format, &[cols, 2]).expect("a valid tensor");
    header
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    let mut header = Header::new("new.gguf");
    let long = "n".repeat(64);
    let wrong: [(&str, Format, &[usize]); 7] = [
        ("", Format::F32, &[1]),
        (&long, Format::F32, &[1]),
        ("a\0", Format::F32, &[1]),
        ("t", Format::Q4_0, &[33]),
        ("t", Format::F32, &[]),
        ("t", Format::F32, &[1, 1, 1, 1, 1]),
        ("t", Format::F32, &[usize::MAX, 2]),
    ];
    for (name, format, shape) in wrong {
        let error = header.tensor(name, format, shape).unwrap_err().to_string();
        assert!(error.starts_with("new.gguf: tensor"), "{error}");
    }
    header.tensor("t", Format::F32, &[3]).unwrap();
    assert!(header.tensor("t", Format::F32, &[3]).is_err(), "a second t");
    let mut data = header.start(Vec::new()).unwrap();
    assert!(data.write(&[0; 13]).is_err(), "more than the tensor holds");
    data.write(&[0; 11]).unwrap();
    let error = data.finish().unwrap_err().to_string();
    assert!(error.contains("data of t: found 11 bytes, expected 12"), "{error}");
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut writer = header_of(Format::F32, 100).start(Full(500)).unwrap();
    match writer.write(&[0; 800]) {
        Err(Error::Io { path, source }) => {
            assert_eq!((path.as_str(), source.kind()), ("scan", std::io::ErrorKind::StorageFull));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_changed_since_it_was_opened_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, llama().bytes()).unwrap();
    let model = Model::open(&path).unwrap();
    model.check_unchanged().unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"more").unwrap();
    let error = model.check_unchanged().unwrap_err().to_string();
    assert!(error.contains("file length"), "{error}");
    file.set_len(100).unwrap();
    assert!(model.check_unchanged().is_err());
    assert!(model.sha256().is_err(), "a hash of a changed file would name the wrong model");
}

#[test]
fn what_is_no_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("absent.gguf")] {
        let error = Model::open(&path).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    }
    let empty = folder.path().join("empty.gguf");
    std::fs::write(&empty, []).unwrap();
    assert!(matches!(Model::open(&empty).map(|_| ()), Err(Error::Invalid { .. })));
    #[cfg(unix)]
    assert!(Model::open(Path::new("/dev/zero")).is_err());
    #[cfg(not(unix))]
    let _ = Path::new("");
}
