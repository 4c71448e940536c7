//! Whole models on disk against the reference: prefill in chunks of 1, 7, 64 and 512, and 2048 positions deep.
//! `YARDSTICK_MODELS=a.gguf:b.gguf cargo test --release -p yardstick-wgpu --test models -- --ignored --nocapture`

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use yardstick_api::verify::prompt;
use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, KvType, Numerics, Options, Rows, Sequence, Session, Span,
    Token,
};
use yardstick_model::Model;
use yardstick_reference::Reference;
use yardstick_wgpu::Wgpu;

/// Positions filled before the last tokens come one by one.
const DEPTH: usize = 2048;
/// Tokens that come one by one.
const STEPS: usize = 4;
/// The prompt of the chunks, and its rows that are compared: around the seams of every chunk size.
const PROMPT: usize = 530;
const SEAMS: [usize; 10] = [0, 1, 6, 7, 63, 64, 500, 511, 512, 529];
const CHUNKS: [usize; 4] = [1, 7, 64, 512];

fn preferred(backend: &dyn Backend) -> Option<Device> {
    let ready = |status: DeviceStatus| match status {
        DeviceStatus::Ready(device) => Some(device),
        DeviceStatus::Missing { .. } => None,
    };
    backend.devices().into_iter().filter_map(ready).find(|device| device.preferred)
}

fn load(
    backend: &dyn Backend,
    model: &Arc<Model>,
    chunk: usize,
    numerics: Option<Numerics>,
) -> Box<dyn Session> {
    let context = Some(DEPTH + STEPS);
    let options = Options { context, chunk, numerics, kv: KvType::F32, ..Options::default() };
    let device = preferred(backend).expect("asked before");
    backend.load(&device, model, &options).expect("it loads")
}

/// Logits of some rows of a prompt.
fn rows(session: &mut dyn Session, tokens: &[Token], wanted: &[usize]) -> Vec<f32> {
    session.truncate(Sequence(0), 0).expect("it empties");
    let mask: Vec<bool> = (0..tokens.len()).map(|row| wanted.contains(&row)).collect();
    let spans = [Span { sequence: Sequence(0), tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::Mask(&mask) }).expect("it computes");
    session.logits().expect("logits").values.to_vec()
}

/// Logits of tokens that come one by one behind a deep prompt.
fn deep(session: &mut dyn Session, tokens: &[Token]) -> Vec<f32> {
    let mut all = rows(session, &tokens[..DEPTH], &[DEPTH - 1]);
    for token in &tokens[DEPTH..] {
        let spans = [Span { sequence: Sequence(0), tokens: std::slice::from_ref(token) }];
        session.forward(&Batch { spans: &spans, rows: Rows::Last }).expect("it computes");
        all.extend(session.logits().expect("logits").values);
    }
    all
}

fn nmse(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |v: f64| v * v;
    let error: f64 =
        found.iter().zip(expected).map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
    error / expected.iter().map(|b| square(f64::from(*b))).sum::<f64>()
}

fn hold(name: &str, found: &[f32], expected: &[f32], numerics: Numerics, start: Instant) {
    let (nmse, limit) = (nmse(found, expected), numerics.nmse_limit());
    println!("{name}: NMSE {nmse:.2e} (limit {limit:.0e}), {:.1} s", start.elapsed().as_secs_f64());
    assert!(nmse <= limit, "{name}: NMSE {nmse:e}, limit {limit:e}");
}

fn conforms(file: &Path) {
    let model = Arc::new(Model::open(file).expect("a model"));
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let tokens = prompt(model.architecture().vocab, DEPTH + STEPS);
    let mut reference = load(&Reference, &model, 512, None);
    let expected = rows(reference.as_mut(), &tokens[..PROMPT], &SEAMS);
    let expected_deep = deep(reference.as_mut(), &tokens);
    drop(reference);
    for chunk in CHUNKS {
        let mut session = load(&Wgpu::default(), &model, chunk, None);
        let start = Instant::now();
        let found = rows(session.as_mut(), &tokens[..PROMPT], &SEAMS);
        hold(&format!("{name}, chunk {chunk}"), &found, &expected, Numerics::F32, start);
    }
    for numerics in [Numerics::F32, Numerics::A8] {
        let mut session = load(&Wgpu::default(), &model, 512, Some(numerics));
        let start = Instant::now();
        let found = deep(session.as_mut(), &tokens);
        let what = format!("{name}, depth {DEPTH} and {STEPS} steps, {numerics:?}");
        hold(&what, &found, &expected_deep, numerics, start);
    }
}

#[test]
#[ignore = "minutes a model: ci/nightly/wgpu.sh runs it"]
fn whole_models_conform_in_chunks_and_deep() {
    if preferred(&Wgpu::default()).is_none() {
        return println!("skipped: {:?}", Wgpu::default().devices());
    }
    let files = std::env::var_os("YARDSTICK_MODELS").expect("YARDSTICK_MODELS names GGUF files");
    let files: Vec<_> = std::env::split_paths(&files).collect();
    assert!(!files.is_empty(), "YARDSTICK_MODELS names no file");
    files.iter().for_each(|file| conforms(file));
}
