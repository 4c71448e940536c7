//! Kernels under the emulator's eye: every read and write is checked for races, for memory that nothing wrote, and for
//! addresses outside every buffer; blocks, warps and lanes run in orders that a seed chooses, and answers may not depend on it.

mod emulator;

use std::ops::ControlFlow;
use std::sync::Arc;

use emulator::Emulated;
use yardstick_api::conformance::synthetic;
use yardstick_api::{
    Backend, Batch, Device, DeviceStatus, KvType, Options, Rows, Sequence, Session, Span, Token,
};
use yardstick_cuda::Cuda;
use yardstick_cuda::machine::Argument::Address;
use yardstick_cuda::machine::{Launch, Machine, Unit};
use yardstick_model::Model;

/// Blocks of the test kernel.
const BLOCKS: usize = 3;
const THREADS: usize = 256;

/// Runs the test kernel with a fault; what was found.
fn found(fault: u32, seed: u64, checked: bool) -> Result<(), String> {
    let mut gpu = Emulated { checked, seed, ..Emulated::new() }.open(0).expect("opens");
    let defines = vec![("FAULT", fault.to_string())];
    let kernel = gpu.compile(&Unit { entry: "fault", defines }).expect("compiles");
    let cells = BLOCKS * THREADS;
    let data = gpu.allocate(8 * cells as u64, "data").expect("fits");
    let counter = gpu.allocate(4, "a counter").expect("fits");
    let out = gpu.allocate(4 * cells as u64, "results").expect("fits");
    gpu.write(data, &vec![0; 8 * cells]).expect("writes");
    gpu.write(counter, &[0; 4]).expect("writes");
    if fault != 4 {
        gpu.write(out, &vec![0; 4 * cells]).expect("writes");
    }
    let arguments = [data, counter, out].map(Address).to_vec();
    let grid = [BLOCKS as u32, 1, 1];
    let launch = Launch { kernel, name: "fault", grid, threads: THREADS as u32, arguments };
    gpu.run(&[launch]).map_err(|error| error.to_string())
}

#[test]
fn every_kind_of_fault_is_found_in_every_order_and_none_where_there_is_none() {
    if !emulator::possible() {
        return;
    }
    for seed in [0, 0x5eed] {
        assert_eq!(found(0, seed, true), Ok(()));
        for (fault, words) in [
            // Whichever of the two comes first.
            (1, if seed == 0 { "nothing wrote" } else { "" }),
            (2, "without a barrier"),
            (3, "outside every buffer"),
            (4, "nothing wrote"),
            (5, "without a barrier"),
            (6, "different barriers"),
            (7, "waiting for its copies"),
            (8, "exchange while others ended"),
            (9, "without a barrier"),
            (10, "nothing wrote"),
            (11, "without a barrier"),
        ] {
            let error = found(fault, seed, true).expect_err(&format!("fault {fault}, seed {seed}"));
            assert!(error.contains(words), "fault {fault}, seed {seed}: {error}");
        }
    }
}

fn device(cuda: &Cuda) -> Device {
    match cuda.devices().remove(0) {
        DeviceStatus::Ready(device) => device,
        DeviceStatus::Missing { reason, .. } => panic!("{reason}"),
    }
}

fn forward(session: &mut dyn Session, spans: &[(u32, &[Token])]) -> Vec<u8> {
    let spans: Vec<Span<'_>> = spans
        .iter()
        .map(|&(sequence, tokens)| Span { sequence: Sequence(sequence), tokens })
        .collect();
    session.forward(&Batch { spans: &spans, rows: Rows::Last }).expect("no fault");
    let logits = session.logits().expect("has logits").values;
    logits.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// What a model answers: by tensor cores in two sequences, a few rows at once, one row, and a chain of tokens.
fn answers(machine: Emulated, model: &Arc<Model>, kv: KvType) -> Vec<Vec<u8>> {
    let cuda = Cuda::on(machine);
    let options = Options { context: Some(96), sequences: 2, chunk: 16, kv, ..Options::default() };
    let mut session = cuda.load(&device(&cuda), model, &options).expect("loads");
    let tokens: Vec<Token> = (0..20).map(|i| 1 + i * 3 % 7).collect();
    let mut answers = vec![
        forward(&mut *session, &[(0, &tokens[..11]), (1, &tokens[..9])]),
        forward(&mut *session, &[(0, &tokens[..2]), (1, &tokens[..1])]),
        forward(&mut *session, &[(0, &tokens[..1])]),
    ];
    let mut emit = |_: usize, ids: &[Token]| {
        answers.push(ids.iter().flat_map(|id| id.to_le_bytes()).collect());
        ControlFlow::Continue(())
    };
    session.generate(&[(Sequence(0), 1), (Sequence(1), 2)], 2, &mut emit).expect("no fault");
    answers
}

/// Models that between them have most kernels: dense and quantised weights, odd widths, experts, windows, caps and norms behind.
const MODELS: &[&str] = &["plain", "gqa-q4_0", "odd-f16", "experts-q4_k", "gemma2-q8_0"];

#[test]
fn no_model_has_a_race_and_no_answer_depends_on_an_order() {
    if !emulator::possible() {
        return;
    }
    let kinds = [KvType::F16, KvType::Q8_0, KvType::F32];
    let models = synthetic::models().expect("made-up models open");
    let chosen = models.iter().filter(|(name, _)| MODELS.contains(name));
    for (i, (name, model)) in chosen.enumerate() {
        let kv = kinds[i % kinds.len()];
        let kv = match yardstick_api::unfit_heads(model.architecture(), kv) {
            Some(_) => KvType::F16,
            None => kv,
        };
        let plain = answers(Emulated::new(), model, kv);
        let checked = answers(Emulated::checked(i as u64 + 1), model, kv);
        assert_eq!(plain, checked, "{name}, kv {}", kv.name());
    }
}

/// Sequences that go by tensor cores even when each has one row.
#[test]
fn many_sequences_are_chained_as_they_are_when_stepped() {
    if !emulator::possible() {
        return;
    }
    const SEQUENCES: usize = 10;
    let model = synthetic::models().expect("made-up models open").swap_remove(0).1;
    let cuda = Cuda::on(Emulated::checked(3));
    let options =
        Options { context: Some(32), sequences: SEQUENCES, chunk: 16, ..Options::default() };
    let load = || cuda.load(&device(&cuda), &model, &options).expect("loads");
    let prompts: Vec<[Token; 2]> = (0..SEQUENCES as u32).map(|i| [1 + i, 2 + i * 3 % 5]).collect();
    let numbered = || prompts.iter().zip(0..);
    let first: Vec<(Sequence, Token)> =
        numbered().map(|(prompt, i)| (Sequence(i), prompt[1])).collect();
    let begin = |session: &mut dyn Session| {
        for (prompt, i) in numbered() {
            forward(session, &[(i, &prompt[..1])]);
        }
    };
    let (mut chained, mut stepped) = (load(), load());
    begin(&mut *chained);
    let mut ids = Vec::new();
    let mut emit = |_: usize, chosen: &[Token]| {
        ids.extend_from_slice(chosen);
        ControlFlow::Continue(())
    };
    chained.generate(&first, 3, &mut emit).expect("no fault");

    begin(&mut *stepped);
    let mut tokens: Vec<Token> = first.iter().map(|&(_, token)| token).collect();
    let mut expected = Vec::new();
    for _ in 0..3 {
        let spans: Vec<(u32, &[Token])> =
            tokens.iter().zip(0..).map(|(token, i)| (i, std::slice::from_ref(token))).collect();
        forward(&mut *stepped, &spans);
        let logits = stepped.logits().expect("has logits");
        tokens = logits.values.chunks_exact(logits.vocab).map(best).collect();
        expected.extend_from_slice(&tokens);
    }
    assert_eq!(ids, expected);
}

/// The index of the largest, the lowest among equals.
fn best(logits: &[f32]) -> Token {
    let better = |best: usize, i: usize| if logits[i] > logits[best] { i } else { best };
    (0..logits.len()).fold(0, better) as Token
}
