//! What a session says of its attention is what its shapes decide.

use yardstick_api::conformance::synthetic;
use yardstick_api::{Backend, DeviceStatus, Facts, KvType, Options};
use yardstick_cpu::Cpu;

#[test]
fn only_groups_of_four_to_eight_heads_decode_in_bf16_and_only_from_f16() {
    let devices = Cpu.devices();
    let Some(DeviceStatus::Ready(device)) =
        devices.iter().find(|status| status.id() == "cpu:avx512-vnni")
    else {
        return println!("skipped: no cpu:avx512-vnni here");
    };
    let mut said = [0, 0];
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
            let group = |heads: usize, kv_heads: usize| (4..=8).contains(&(heads / kv_heads));
            let layers = &model.architecture().layers;
            let wanted = layers.iter().any(|l| group(l.heads, l.kv_heads) && l.key_dim >= 16);
            assert_eq!(decode, wanted, "{name}");
            said[usize::from(decode)] += 1;
        }
    }
    assert!(said == [0, 0] || said[1] > 0, "no model has such a group");
}
