//! What a session says of its attention is what its shapes decide.

use yardstick_api::conformance::synthetic;
use yardstick_api::{Backend, DeviceStatus, Facts, KvType, Options};
use yardstick_cpu::Cpu;

/// By processor, see `attention::paired`.
const FIRST: [usize; 2] = [4, 5];

#[test]
fn only_groups_of_four_or_five_to_eight_heads_decode_in_bf16_and_only_from_f16() {
    let devices = Cpu.devices();
    let Some(DeviceStatus::Ready(device)) =
        devices.iter().find(|status| status.id() == "cpu:avx512-vnni")
    else {
        return println!("skipped: no cpu:avx512-vnni here");
    };
    let mut said = Vec::new();
    for (name, model) in synthetic::models().expect("made-up models open") {
        for kv in [KvType::F16, KvType::F32] {
            let options = Options { context: Some(32), kv, ..Options::default() };
            let session = Cpu.load(device, &model, &options).expect("a made-up model loads");
            let notes = session.facts().notes;
            let [any, decode] = [Facts::ATTENTION, Facts::DECODE_ATTENTION]
                .map(|note| notes.get(note).and_then(|note| note.value()).is_some());
            if kv == KvType::F32 || !any {
                // Or the processor has no bf16, or the model is in floats.
                assert!(!decode, "{name} with a cache in {kv:?}");
                continue;
            }
            let layers = &model.architecture().layers;
            let groups = layers.iter().filter(|l| l.key_dim >= 16).map(|l| l.heads / l.kv_heads);
            said.push((name, groups.collect::<Vec<_>>(), decode));
        }
    }
    let follows = |first: usize| {
        let wanted = |groups: &[usize]| groups.iter().any(|group| (first..=8).contains(group));
        said.iter().all(|(_, groups, decode)| *decode == wanted(groups))
    };
    assert!(FIRST.into_iter().any(follows), "{said:?}");
    assert!(
        said.is_empty() || said.iter().any(|(_, groups, _)| groups.iter().any(|group| *group > 4)),
        "no model has such a group"
    );
}
