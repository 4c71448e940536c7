//! Sessions on tiles: the proofs that every device passes, by the instructions themselves, emulated where the processor lacks them.

use std::path::Path;
use std::sync::Arc;

use yardstick_api::conformance::{Golden, golden, run_golden, run_synthetic};
use yardstick_api::mutants::Mutation;
use yardstick_api::verify::{self, compare, expect, observe, reference_options};
use yardstick_api::{
    Backend, Device, DeviceStatus, Error, Footprint, Known, Limit, Numerics, Options, Reached,
    Session, Unsupported,
};
use yardstick_model::{Model, ModelInfo};
use yardstick_reference::Reference;

use super::{Amx, units};
use crate::backend::{Cpu, open_on, plan_on};
use crate::kernels::Isa;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden");

/// The processor with a matrix unit, real or not.
struct OnTiles {
    isa: Isa,
    device: Device,
}

impl OnTiles {
    /// Where there is AVX-512, without which no processor has tiles.
    fn new(unit: Amx) -> Option<OnTiles> {
        let isa = Isa::usable().into_iter().find(|isa| matches!(isa, Isa::Avx512Vnni(_)))?;
        let id = format!("cpu:{}", isa.on(None).name());
        let device = Cpu.devices().into_iter().find_map(|status| match status {
            DeviceStatus::Ready(device) if device.id == id => Some(device),
            _ => None,
        })?;
        let device = Device { id: "cpu:amx".into(), preferred: true, ..device };
        Some(OnTiles { isa: isa.on(Some(unit)), device })
    }

    /// The instructions, if there is a way to run them.
    fn by_instructions() -> Option<OnTiles> {
        OnTiles::new(*units().last()?)
    }
}

impl Backend for OnTiles {
    fn name(&self) -> &str {
        "cpu"
    }

    fn devices(&self) -> Vec<DeviceStatus> {
        vec![DeviceStatus::Ready(self.device.clone())]
    }

    fn plan(
        &self,
        device: &Device,
        model: &ModelInfo,
        options: &Options,
    ) -> Result<Footprint, Unsupported> {
        if device.id != self.device.id {
            return Cpu.plan(device, model, options);
        }
        plan_on(self.isa, model, options)
    }

    fn load(
        &self,
        device: &Device,
        model: &Arc<Model>,
        options: &Options,
    ) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(open_on((self.isa, Mutation::default()), device, model, options, None)?))
    }

    fn ceiling(&self, _: &Device, _: Limit, _: Option<usize>) -> Known<Reached> {
        Known::unavailable("not asked for")
    }
}

fn conforms(unit: Option<OnTiles>) {
    let Some(on_tiles) = unit else { return println!("skipped: no AVX-512 here") };
    run_golden(&on_tiles, Path::new(GOLDEN));
    run_synthetic(&on_tiles, &Reference);
}

#[test]
#[cfg_attr(feature = "mutants", ignore = "mutants do not conform, and are not meant to")]
fn conforms_on_golden_and_made_up_models() {
    conforms(OnTiles::new(Amx::TWIN));
}

#[test]
#[ignore = "a minute and more where instructions are caught one by one: ci/nightly.sh processors"]
fn conforms_by_instructions() {
    conforms(OnTiles::by_instructions());
}

#[test]
fn verification_passes_every_class() {
    let Some(on_tiles) = OnTiles::by_instructions() else {
        return println!("skipped: no AVX-512 here");
    };
    let Golden::Cases(cases) = golden(Path::new(GOLDEN)) else {
        return println!("skipped: no golden answers at {GOLDEN}");
    };
    let DeviceStatus::Ready(reference) = Reference.devices().remove(0) else { panic!() };
    let mut wrong = Vec::new();
    for &numerics in &on_tiles.device.numerics {
        let mut worst: f64 = 0.0;
        for case in &cases {
            let vocab = case.model.architecture().vocab;
            let options = Options {
                context: Some(verify::CONTEXT),
                sequences: 2,
                numerics: Some(numerics),
                ..Options::default()
            };
            let mut session = on_tiles.load(&on_tiles.device, &case.model, &options).unwrap();
            let facts = session.facts();
            let tiles = facts.kernels.values().any(|kernel| kernel.contains("on amx-"));
            assert!(tiles || runs_in_f32(numerics, &facts.kernels), "{:?}", facts.kernels);
            let observed = observe(&mut *session, vocab).unwrap();
            let mut oracle = Reference.load(&reference, &case.model, &reference_options()).unwrap();
            let expected = expect(&mut *oracle, vocab, &observed.generated).unwrap();
            for check in compare(&observed, &expected, facts.numerics) {
                worst = worst.max(check.value.value().map_or(f64::NAN, |v| v / check.limit));
                if !check.passed() {
                    wrong.push(format!("{numerics:?} {}: {check:?}", case.name));
                }
            }
        }
        println!("{numerics:?}: at most {worst:.2} of the limit");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Nothing is for tiles: floats are multiplied as they are unless bf16 was asked for.
fn runs_in_f32(numerics: Numerics, kernels: &std::collections::BTreeMap<String, String>) -> bool {
    let float = |format: &String| matches!(format.as_str(), "F16" | "BF16" | "F32");
    numerics == Numerics::F32 || numerics != Numerics::Bf16 && kernels.keys().all(float)
}
