//! The file quantiser: what is kept, what changes, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use yardstick_model::preset::{self, Check, PresetRef};
use yardstick_model::quantize::{
    Effort, Error, Importance, Mix, Quantised, Quantising, Sums, quantize,
};
use yardstick_model::{Format, Gguf, Model};

fn tiny(mix: &str, cache: &Path) -> PathBuf {
    let preset = PresetRef::parse(&format!("tiny:{mix}")).unwrap();
    preset::make(&preset, cache, 2, Check::Size, &mut |_| ControlFlow::Continue(())).unwrap().path
}

fn run(from: &Path, to: &Path, mix: &str, allow_requantize: bool) -> Result<Quantised, Error> {
    let how = Quantising {
        mix: Mix::from_name(mix).unwrap(),
        threads: 2,
        allow_requantize,
        effort: Effort::Fast,
        importance: None,
    };
    quantize(&Gguf::open(from).unwrap(), to, &how, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn quantising_the_f32_preset_gives_the_bytes_of_the_quantised_preset() {
    let folder = tempfile::tempdir().unwrap();
    let source = tiny("F32", folder.path());
    for (mix, _) in preset::quantisations() {
        let out = folder.path().join(format!("{mix}.gguf"));
        let quantised = run(&source, &out, mix, false).unwrap();
        let direct = tiny(mix, folder.path());
        assert!(fs::read(&out).unwrap() == fs::read(direct).unwrap(), "{mix}");
        assert_eq!(quantised.bytes, fs::metadata(&out).unwrap().len());
        assert_eq!(Model::open(&out).unwrap().sha256().unwrap(), quantised.sha256);
    }
}

#[test]
fn a_quantised_source_is_refused_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let source = tiny("Q8_0", folder.path());
    let out = folder.path().join("out.gguf");
    let error = run(&source, &out, "Q4_0", false).unwrap_err();
    assert!(matches!(error, Error::Requantising { format: Format::Q8_0, .. }), "{error}");
    assert!(!out.exists());
    run(&source, &out, "Q4_0", true).unwrap();
    let model = Model::open(&out).unwrap();
    assert_eq!(model.tensor("blk.0.attn_q.weight").unwrap().format, Format::Q4_0);
    assert_eq!(model.info().quantisation, "Q4_0");
    assert_eq!(model.gguf().display("yardstick.preset").unwrap(), "tiny");
}

#[test]
fn the_source_itself_and_a_stop_leave_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let source = tiny("F16", folder.path());
    let before = fs::read(&source).unwrap();
    let out = folder.path().join("out.gguf");
    let error = run(&source, &source, "Q4_0", false).unwrap_err();
    assert!(matches!(error, Error::SameFile { .. }), "{error}");
    let how = Quantising {
        mix: Mix::Q4_K_M,
        threads: 1,
        allow_requantize: false,
        effort: Effort::Best,
        importance: None,
    };
    let gguf = Gguf::open(&source).unwrap();
    let error = quantize(&gguf, &out, &how, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(error, Error::Stopped), "{error}");
    assert_eq!(fs::read(&source).unwrap(), before);
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 2, "the source and its note");
}

#[test]
fn the_search_writes_the_same_bytes_with_any_threads_less_error_and_tells_it_per_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let source = Gguf::open(&tiny("F32", folder.path())).unwrap();
    for name in ["Q4_0", "Q2_K", "Q3_K_L", "Q4_K_S", "IQ4_NL"] {
        let run = |effort, threads, out: &Path| {
            let mix = Mix::from_name(name).unwrap();
            let how =
                Quantising { mix, threads, allow_requantize: false, effort, importance: None };
            quantize(&source, out, &how, &mut |_| ControlFlow::Continue(())).unwrap()
        };
        let (one, two) = (folder.path().join("one.gguf"), folder.path().join("two.gguf"));
        let best = run(Effort::Best, 1, &one);
        assert_eq!(best.sha256, run(Effort::Best, 5, &two).sha256, "{name}");
        let fast = run(Effort::Fast, 2, &two);
        let written = Gguf::open(&one).unwrap();
        assert_eq!(best.tensors.len(), source.tensors().len());
        for ((best, fast), tensor) in best.tensors.iter().zip(&fast.tensors).zip(written.tensors())
        {
            assert_eq!((&best.name, best.format), (&tensor.name, tensor.format), "{name}");
            assert!(best.rmse <= fast.rmse * 1.0001, "{name} {best:?} {fast:?}");
            if best.format == best.from {
                assert_eq!(best.rmse, 0.0, "{name} {best:?}");
            } else {
                let relative = best.relative.unwrap();
                assert!((0.001..0.5).contains(&relative), "{name} {best:?}");
            }
        }
    }
}

/// Squared errors of a tensor, each column's times how much it counts.
fn weighted_error(source: &Gguf, file: &Path, name: &str, importance: &[f32]) -> f64 {
    let file = Gguf::open(file).unwrap();
    let values = |gguf: &Gguf| {
        let tensor = gguf.tensor(name).unwrap();
        let mut values = vec![0.0; tensor.weights()];
        tensor.format.decode(gguf.bytes(tensor), &mut values);
        values
    };
    let columns = importance.iter().cycle();
    let pairs = values(source).into_iter().zip(values(&file)).zip(columns);
    pairs.map(|((x, y), &w)| f64::from(w) * f64::from(x - y).powi(2)).sum()
}

#[test]
fn importances_lower_the_errors_that_count() {
    let folder = tempfile::tempdir().unwrap();
    let source = Gguf::open(&tiny("F32", folder.path())).unwrap();
    let name = "blk.1.attn_q.weight";
    // Columns that matter from a hundredth to a hundred times the usual, without an order.
    let activations: Vec<f32> =
        (0..256).map(|i| 10.0_f32.powf((i * 89 % 256) as f32 / 128.0 - 1.0)).collect();
    let counts: Vec<f32> = activations.iter().map(|x| x * x).collect();
    let mut sums = Sums::default();
    sums.add(name, 0, 1, 256, &activations);
    let matrix = folder.path().join("i.gguf");
    sums.write(&matrix, "made up", 1, 1).unwrap();
    let importance = Importance::open(&matrix).unwrap();
    for (mix, least) in [
        ("Q4_0", 0.9),
        ("Q4_1", 0.9),
        ("Q5_0", 0.9),
        ("Q5_1", 0.9),
        ("Q8_0", 0.95),
        ("Q2_K", 0.9),
        ("Q3_K_S", 0.9),
        ("Q4_K_S", 0.9),
        ("Q5_K_S", 0.9),
        ("Q6_K", 0.95),
        ("IQ4_NL", 0.9),
    ] {
        let run = |importance, out: &Path| {
            let how = Quantising {
                mix: Mix::from_name(mix).unwrap(),
                threads: 2,
                allow_requantize: false,
                effort: Effort::Best,
                importance,
            };
            quantize(&source, out, &how, &mut |_| ControlFlow::Continue(())).unwrap()
        };
        let (plain, weighted) = (folder.path().join("p.gguf"), folder.path().join("w.gguf"));
        run(None, &plain);
        let told = run(Some(&importance), &weighted);
        let steered: Vec<&str> =
            told.tensors.iter().filter(|t| t.weighted).map(|t| t.name.as_str()).collect();
        assert_eq!(steered, [name], "{mix}");
        let [without, with] =
            [&plain, &weighted].map(|file| weighted_error(&source, file, name, &counts));
        println!("{mix}: weighted squared error {:.3} of that without", with / without);
        assert!(with <= least * without, "{mix}: {with:e}, without {without:e}");
    }
}
