//! Attention cut into splits, which a token that comes alone takes behind many positions, against attention in one piece, which
//! the same token takes when it comes in company.

use std::sync::Arc;

use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, KvType, Options, Rows, Sequence, Session, Span, Token,
};
use yardstick_model::Model;
use yardstick_wgpu::Wgpu;

/// Positions before the token: more than are seen in one piece, the last tile of a split not full.
const DEPTH: usize = 1100;

fn logits(session: &mut dyn Session, tokens: &[Token], wanted: &[bool]) -> Vec<f32> {
    let spans = [Span { sequence: Sequence(0), tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::Mask(wanted) }).expect("it computes");
    session.logits().expect("logits").values.to_vec()
}

fn hold(device: &Device, name: &str, model: &Arc<Model>, kv: KvType) {
    let options = Options { context: Some(DEPTH + 2), kv, ..Options::default() };
    let wgpu = Wgpu::default();
    let mut session = wgpu.load(device, model, &options).expect("it loads");
    let vocab = model.architecture().vocab;
    let tokens: Vec<Token> = (0..DEPTH + 2).map(|i| (i * 7919 % vocab) as Token).collect();
    logits(session.as_mut(), &tokens[..DEPTH], &[false; DEPTH]);
    let alone = logits(session.as_mut(), &tokens[DEPTH..=DEPTH], &[true]);
    session.truncate(Sequence(0), DEPTH).expect("it shrinks");
    let in_company = logits(session.as_mut(), &tokens[DEPTH..], &[true, false]);
    let square = |v: f32| f64::from(v) * f64::from(v);
    let error: f64 = alone.iter().zip(&in_company).map(|(a, b)| square(a - b)).sum();
    let nmse = error / in_company.iter().map(|&b| square(b)).sum::<f64>();
    println!("{name}, {kv:?}: NMSE {nmse:.1e}");
    assert!(nmse < 1e-6, "{name}, {kv:?}: NMSE {nmse:e}");
}

#[test]
fn a_deep_token_alone_answers_as_it_does_in_company() {
    let devices = Wgpu::default().devices();
    let ready = |status: &DeviceStatus| match status {
        DeviceStatus::Ready(device) => Some(device.clone()),
        DeviceStatus::Missing { .. } => None,
    };
    let Some(device) = devices.iter().find_map(ready) else {
        return println!("skipped: {devices:?}");
    };
    let models = yardstick_api::conformance::synthetic::models().expect("made-up models");
    let mut held = 0;
    for kv in [KvType::F16, KvType::F32] {
        for name in ["bias-q8_0", "wide-q6_k"] {
            let found = models.iter().find(|(known, _)| known.ends_with(name));
            let (name, model) = found.expect("a made-up model of this name");
            hold(&device, name, model, kv);
            held += 1;
        }
    }
    assert_eq!(held, 4);
}
