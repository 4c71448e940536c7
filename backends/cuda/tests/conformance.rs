//! The backend on the emulated GPU: the same host code, the same sources. The whole suite on a few models, and the answers,
//! by prefill and step by step, on every made-up and golden model.

mod emulator;

use emulator::Emulated;
use yardstick_api::conformance::{self, Case, Golden, golden, synthetic};
use yardstick_api::verify::nmse;
use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, KvType, Options, Rows, Sequence, Session, Span,
    Unsupported,
};
use yardstick_cuda::Cuda;
use yardstick_reference::Reference;

/// Made-up models on which everything is checked: dense weights, and quantised ones with grouped heads.
const WHOLE: &[&str] = &["plain", "gqa-q4_0"];

fn device(cuda: &Cuda) -> Device {
    match cuda.devices().remove(0) {
        DeviceStatus::Ready(device) => device,
        DeviceStatus::Missing { reason, .. } => panic!("{reason}"),
    }
}

/// Cases that run; the others must be refused with a reason that names what is missing.
fn covered(cuda: &Cuda, cases: Vec<Case>) -> Vec<Case> {
    let (device, options) = (device(cuda), Options::default());
    let plan = |case: &Case| cuda.plan(&device, case.model.info(), &options);
    let (covered, lacking): (Vec<Case>, Vec<Case>) =
        cases.into_iter().partition(|case| plan(case).is_ok());
    for case in lacking {
        let Unsupported { reason, fix } = plan(&case).expect_err("refused just now");
        assert!(reason.contains("Q2_K") && fix.is_some(), "{}: {reason}", case.name);
        println!("{}: {reason}", case.name);
    }
    covered
}

/// Runs a span and gives back its logits.
fn run(session: &mut dyn Session, sequence: u32, tokens: &[u32]) -> Vec<f32> {
    let spans = [Span { sequence: Sequence(sequence), tokens }];
    session.forward(&Batch { spans: &spans, rows: Rows::All }).expect("runs");
    session.logits().expect("has logits").values.to_vec()
}

/// Compares one model's answers: prefill by tensor cores and without, then step by step. What was found, by way.
fn answers(cuda: &Cuda, case: &Case, kv: KvType) -> Vec<String> {
    let options = Options {
        context: Some(case.context.unwrap_or(case.tokens.len() + 3)),
        sequences: 2,
        chunk: 12,
        kv,
        ..Options::default()
    };
    if yardstick_api::unfit_heads(case.model.architecture(), kv).is_some() {
        return Vec::new();
    }
    let mut session = cuda.load(&device(cuda), &case.model, &options).expect("loads");
    let (limit, vocab) = (session.facts().numerics.nmse_limit(), case.model.architecture().vocab);
    let whole = run(&mut *session, 0, &case.tokens);
    let steps: Vec<f32> =
        case.tokens.iter().flat_map(|token| run(&mut *session, 1, &[*token])).collect();
    let ways = [("prefill", whole), ("step by step", steps)];
    let judge = |(way, logits): (&str, Vec<f32>)| {
        let found = nmse(&logits, &case.expected, vocab);
        println!("{}, kv {}, {way}: NMSE {found:.2e}, limit {limit:.0e}", case.name, kv.name());
        (found.is_nan() || found > limit).then(|| format!("{}, {way}: {found:e}", case.name))
    };
    ways.into_iter().filter_map(judge).collect()
}

fn all_answers(cases: Vec<Case>) {
    let cuda = Cuda::on(Emulated::new());
    let cases = covered(&cuda, cases);
    assert!(!cases.is_empty());
    let kinds = [KvType::F16, KvType::F32, KvType::F16, KvType::Q8_0];
    let wrong: Vec<String> = cases
        .iter()
        .enumerate()
        .flat_map(|(i, case)| answers(&cuda, case, kinds[i % kinds.len()]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_whole_suite_holds_on_a_few_models() {
    if !emulator::possible() {
        return;
    }
    let mut cases = synthetic::cases(&Reference).expect("made-up models run");
    cases.retain(|case| WHOLE.contains(&case.name.as_str()));
    assert_eq!(cases.len(), WHOLE.len());
    let report = conformance::run(&Cuda::on(Emulated::new()), &cases);
    println!("{report}");
    assert!(report.passed(), "{report}");
}

#[test]
fn every_made_up_model_gets_its_answers() {
    if emulator::possible() {
        all_answers(synthetic::cases(&Reference).expect("made-up models run"));
    }
}

#[test]
fn every_golden_model_gets_its_answers() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");
    match golden(root.as_ref()) {
        Golden::Absent => println!("skipped: no golden answers at {root}"),
        Golden::Broken(reason) => panic!("golden answers: {reason}"),
        Golden::Cases(cases) if emulator::possible() => all_answers(cases),
        Golden::Cases(_) => {}
    }
}

/// Where there are GPUs: nothing is emulated. `ci/gpu.sh conformance` runs it on machines that have one.
#[test]
fn the_gpus_of_this_machine_conform() {
    let cuda = Cuda::new(None);
    let ready = cuda.devices().iter().any(|status| matches!(status, DeviceStatus::Ready(_)));
    if !ready {
        println!("skipped: {:?}", cuda.devices());
        return;
    }
    let cases = covered(&cuda, synthetic::cases(&Reference).expect("made-up models run"));
    let report = conformance::run(&cuda, &cases);
    println!("{report}");
    assert!(report.passed(), "{report}");
}
