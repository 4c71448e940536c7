//! What each numerics class costs: prints, for GGUF files, how far the logits of a prompt's prefill stray from those of f32
//! arithmetic on the same weights and an f32 cache: normalised mean squared error, mean Kullback-Leibler divergence, and how
//! often the best token is the same.
//!
//! `cargo run --release -p yardstick-cpu --example numerics -- DEVICE TOKENS FILE...`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use yardstick_api::verify::nmse;
use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, KvType, Numerics, Options, Rows, Sequence, Span, Token,
};
use yardstick_cpu::Cpu;
use yardstick_model::Model;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [id, tokens, files @ ..] = &args[..] else {
        return Err("DEVICE TOKENS FILE...".into());
    };
    let found = Cpu.devices().into_iter().find(|status| status.id() == id);
    let Some(DeviceStatus::Ready(device)) = found else {
        return Err(format!("no {id} here").into());
    };
    println!("| model | numerics | KV | NMSE | KL divergence, nats | same best token |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for file in files {
        let model = Arc::new(Model::open(Path::new(file))?);
        compare(&device, &model, tokens.parse()?)?;
    }
    Ok(())
}

/// One line a class.
fn compare(device: &Device, model: &Arc<Model>, count: usize) -> Result<(), Box<dyn Error>> {
    let exact = logits(device, model, count, Numerics::F32, KvType::F32)?;
    let vocab = model.architecture().vocab;
    for &numerics in &device.numerics {
        let found = logits(device, model, count, numerics, KvType::F16)?;
        let rows = || exact.chunks_exact(vocab).zip(found.chunks_exact(vocab));
        let divergence = rows().map(|(p, q)| divergence(p, q)).sum::<f64>() / count as f64;
        let same = rows().filter(|(p, q)| best(p) == best(q)).count();
        println!(
            "| {} | {numerics:?} | F16 | {:.2e} | {divergence:.2e} | {same} of {count} |",
            model.info().name,
            nmse(&found, &exact, vocab)
        );
    }
    Ok(())
}

/// Logits of every row of a made-up prompt.
fn logits(
    device: &Device,
    model: &Arc<Model>,
    count: usize,
    numerics: Numerics,
    kv: KvType,
) -> Result<Vec<f32>, Box<dyn Error>> {
    let vocab = model.architecture().vocab as u64;
    let tokens: Vec<Token> = (0..count).map(|i| (i as u64 * 7919 % vocab) as Token).collect();
    let options =
        Options { context: Some(count), numerics: Some(numerics), kv, ..Options::default() };
    let mut session = Cpu.load(device, model, &options)?;
    let spans = [Span { sequence: Sequence(0), tokens: &tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::All })?;
    Ok(session.logits()?.values.to_vec())
}

/// Of the distribution `q` from `p`, both given by logits.
fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let [log_p, log_q] = [p, q].map(|logits| {
        let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let sum: f64 = logits.iter().map(|&x| (f64::from(x) - most).exp()).sum();
        move |x: f32| f64::from(x) - most - sum.ln()
    });
    p.iter().zip(q).map(|(&p, &q)| log_p(p).exp() * (log_p(p) - log_q(q))).sum()
}

fn best(logits: &[f32]) -> Option<usize> {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
}
