//! `ort:openvino-cpu`, a provider that compiles graphs of the static form, against the conformance suite.

mod support;

use support::{device, settings};
use yardstick_api::conformance::synthetic;
use yardstick_api::{Backend, KvType, Numerics, Options};
use yardstick_ort::{Ort, Provoke, Settings};

#[test]
fn conforms_on_the_golden_models_it_covers_and_on_made_up_models() {
    support::golden_models("ort:openvino-cpu");
    support::made_up_models("ort:openvino-cpu");
}

#[test]
fn weights_rounded_anew_are_computed_with_as_they_are() {
    let (id, models) = ("ort:openvino-cpu", ["gqa-q4_0"]);
    support::answers_as_the_reference_with_the_same_weights(id, Numerics::F32, &models);
}

#[test]
fn a_node_that_the_processor_runs_in_its_place_makes_the_placement_partial_with_shares_of_time() {
    let provoke = Provoke { echo: true, ..Provoke::default() };
    let backend = Ort::new(Settings { provoke, ..settings() });
    let device = match device(&backend, "ort:openvino-cpu") {
        Ok(device) => device,
        Err(line) => return println!("{line}"),
    };
    let models = synthetic::models().expect("made-up models open");
    let (_, model) = models.into_iter().find(|(name, _)| *name == "plain").expect("made up");
    let (context, threads) = (Some(24), Some(1));
    let options = Options { kv: KvType::F32, context, threads, ..Options::default() };
    let session = backend.load(&device, &model, &options).expect("loads: no product is elsewhere");
    let placed = session.facts().notes["placement"].value().expect("it is known").clone();
    println!("{placed}");
    let rest = placed.strip_prefix("partial ").expect("not whole");
    let (nodes, rest) = rest.split_once(" % of nodes, ").expect("a share of nodes");
    let (time, rest) = rest.split_once(" % of time on ort:openvino-cpu").expect("a share of time");
    assert!(nodes.parse::<u32>().is_ok_and(|share| (50..100).contains(&share)), "{nodes}");
    assert!(time.parse::<f64>().is_ok_and(|share| share > 50.0 && share <= 100.0), "{time}");
    assert!(rest.contains("2 SampleOp on CPUExecutionProvider"), "{rest}");
}
