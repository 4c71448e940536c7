//! Plans: what expands to what, what is skipped, and what is refused before anything runs.

use yardstick_api::{Device, DeviceClass, DeviceKind, DeviceStatus, Known, KvType, Numerics};

use super::*;
use crate::suite::{Suite, parse_tests};

fn device(id: &str, kind: DeviceKind, class: DeviceClass, preferred: bool) -> DeviceStatus {
    DeviceStatus::Ready(Device {
        id: id.to_owned(),
        name: id.to_owned(),
        kind,
        class,
        numerics: vec![Numerics::A8, Numerics::F32],
        memory_bytes: Known::unavailable("a test"),
        preferred,
    })
}

fn missing(id: &str) -> DeviceStatus {
    DeviceStatus::Missing {
        id: id.to_owned(),
        reason: "no driver".to_owned(),
        fix: Some("install it".to_owned()),
    }
}

fn inventory() -> Inventory {
    use DeviceClass::{Hardware, Software};
    use DeviceKind::{Cpu, Gpu, None};
    let backends = [
        ("reference", vec![device("reference:f32", Cpu, Software, true)]),
        ("null", vec![device("null:ok", None, Software, true)]),
        (
            "cpu",
            vec![
                device("cpu:scalar", Cpu, Hardware, false),
                device("cpu:avx2", Cpu, Hardware, true),
                missing("cpu:avx512-vnni"),
            ],
        ),
        ("wgpu", vec![device("wgpu:0", Gpu, Software, true)]),
        ("cuda", vec![missing("cuda:0"), missing("cuda:0/persistent")]),
        ("ort", vec![]),
    ];
    let found = |(name, devices): (&str, Vec<DeviceStatus>)| Found {
        backend: name.to_owned(),
        devices,
        worker: 0,
        role: Role::Own,
    };
    Inventory { backends: backends.map(found).to_vec(), unasked: Vec::new() }
}

fn catalogue() -> Catalogue {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Catalogue { presets: names(&["small", "large"]), quantisations: names(&["Q4_0", "Q8_0"]) }
}

fn suite(changes: &str) -> Suite {
    let base = "name = 's'\nanalysis = 'a'\ntests = ['pp4', 'tg4']\nmodels = ['small']\nquantisations = ['Q4_0']\n";
    let devices = if changes.starts_with("devices = ") { "" } else { "devices = ['cpu']\n" };
    Suite::parse("s.toml", &format!("{base}{devices}{changes}")).unwrap()
}

fn planned(changes: &str, overrides: &Overrides) -> Result<Plan, Error> {
    expand(&suite(changes), overrides, &inventory(), &catalogue(), 7)
}

fn strings(items: &[&str]) -> Option<Vec<String>> {
    Some(items.iter().map(|&item| item.to_owned()).collect())
}

#[test]
fn selectors_mean_what_format_md_says() {
    for (selectors, run, skipped) in [
        (&["hardware"][..], &["cpu:avx2"][..], &["wgpu:0", "cuda:0"][..]),
        (&["cpu"], &["cpu:avx2"], &[]),
        (&["cpu:*"], &["cpu:scalar", "cpu:avx2"], &["cpu:avx512-vnni"]),
        (&["cpu:avx512-vnni"], &[], &["cpu:avx512-vnni"]),
        (&["reference", "null:ok"], &["reference:f32", "null:ok"], &[]),
        (&["hardware", "wgpu:0"], &["cpu:avx2", "wgpu:0"], &["cuda:0"]),
        (&["wgpu:0", "hardware"], &["wgpu:0", "cpu:avx2"], &["cuda:0"]),
        (&["cpu", "cpu:avx2", "cpu:*"], &["cpu:avx2", "cpu:scalar"], &["cpu:avx512-vnni"]),
        (&["cuda"], &[], &["cuda:0", "cuda:0/persistent"]),
    ] {
        let selectors: Vec<String> = selectors.iter().map(|&s| s.to_owned()).collect();
        let selected = select(&selectors, &inventory()).unwrap();
        let ids = |wanted: bool| -> Vec<String> {
            let ids = selected.iter().filter_map(|selected| match selected {
                Selected::Run { device, .. } if wanted => Some(device.id.clone()),
                Selected::Skip { id, .. } if !wanted => Some(id.clone()),
                _ => None,
            });
            ids.collect()
        };
        assert_eq!(
            (ids(true), ids(false)),
            (strings(run).unwrap(), strings(skipped).unwrap()),
            "{selectors:?}"
        );
    }
}

#[test]
fn unknown_names_are_errors_that_list_what_there_is() {
    let one = |field: fn(&mut Overrides, Option<Vec<String>>), value: &str| {
        let mut overrides = Overrides::default();
        field(&mut overrides, strings(&[value]));
        planned("", &overrides).unwrap_err().to_string()
    };
    for unknown in ["tpu", "cpu:avx3", "ort", "tpu:*", ""] {
        let error = one(|o, v| o.devices = v, unknown);
        assert!(
            error.contains("cpu:avx512-vnni, wgpu:0") && error.contains("not known"),
            "{error}"
        );
    }
    let error = one(|o, v| o.models = v, "medium");
    assert!(error.contains("presets: small, large"), "{error}");
    assert!(one(|o, v| o.models = v, "someone/something").contains("neither an existing file"));
    assert!(one(|o, v| o.models = v, "hf:someone/something").contains("no file is named"));
    let error = one(|o, v| o.models = v, "small:Q9");
    assert!(error.contains("\"Q9\" is not known; known: Q4_0, Q8_0"), "{error}");
    let overrides = Overrides { quantisations: Some(vec![]), ..Overrides::default() };
    let error = planned("", &overrides).unwrap_err().to_string();
    assert!(error.contains("needs a quantisation"), "{error}");
}

#[test]
fn models_are_paths_first_then_presets_in_every_format() {
    let file = tempfile::NamedTempFile::with_suffix(".gguf").unwrap();
    let path = file.path().display().to_string();
    let names: Vec<String> =
        [path.as_str(), "small", "large:q8_0,Q4_0", "small:Q8_0"].map(str::to_owned).to_vec();
    let models = resolve(&names, &["Q4_0".to_owned(), "Q8_0".to_owned()], &catalogue()).unwrap();
    let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).skip(1).collect();
    assert_eq!(names, ["small:Q4_0", "small:Q8_0", "large:Q8_0", "large:Q4_0"]);
    assert_eq!(models[0].argument(), path);
    assert_eq!(models[0].name, file.path().file_name().unwrap().to_str().unwrap());
}

#[test]
fn the_plan_is_the_whole_cross_product() {
    let overrides = Overrides {
        models: strings(&["small:Q4_0,Q8_0"]),
        devices: strings(&["cpu:*"]),
        tests: Some(parse_tests("pp4,tg4@d0,8").unwrap()),
        threads: Some(vec![Some(1), Some(2)]),
        kv: Some(vec![KvType::F16, KvType::F32]),
        launches: Some(3),
        ..Overrides::default()
    };
    let plan = planned("", &overrides).unwrap();
    // 2 devices, 2 models, 4 options, 3 launches, 3 tests each.
    assert_eq!((plan.launches.len(), plan.cells()), (48, 144));
    // 1 missing device, 2 models, 4 options, 3 tests.
    assert_eq!(plan.skipped.len(), 24);
    let mut seen = std::collections::HashSet::new();
    for launch in &plan.launches {
        for test in &launch.tests {
            let cell = (
                launch.number,
                launch.device.id.clone(),
                launch.model,
                launch.options.clone(),
                *test,
            );
            assert!(seen.insert(cell), "a cell twice in {launch:?}");
        }
    }
    // Launches come in rounds, so that the same cell is measured at different times.
    let numbers: Vec<u32> = plan.launches.iter().map(|launch| launch.number).collect();
    assert!(numbers.is_sorted());
}

#[test]
fn the_order_is_shuffled_by_the_seed_alone() {
    let overrides = Overrides {
        tests: Some(parse_tests("pp1,pp2,pp3,pp4,pp5,pp6").unwrap()),
        threads: Some((1..9).map(Some).collect()),
        ..Overrides::default()
    };
    let order = |seed| {
        let plan = expand(&suite(""), &overrides, &inventory(), &catalogue(), seed).unwrap();
        plan.launches.iter().map(|l| (l.options.threads, l.tests.clone())).collect::<Vec<_>>()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    let mut sorted = order(1);
    sorted.sort();
    assert_ne!(order(1), sorted, "nothing was shuffled");
}

#[test]
fn cells_known_not_to_run_are_skipped_with_their_reason() {
    let overrides = Overrides {
        context: Some(vec![Some(6)]),
        tests: Some(parse_tests("pp4,tg4@d8").unwrap()),
        numerics: Some(vec![None, Some(Numerics::F16)]),
        ..Overrides::default()
    };
    let plan = planned("", &overrides).unwrap();
    assert_eq!(plan.cells(), 1);
    let reasons: Vec<&str> = plan.skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "tg4@d8 takes 12 positions, the context holds 6",
            "cpu:avx2 cannot compute in f16, only in a8, f32",
            "cpu:avx2 cannot compute in f16, only in a8, f32",
        ]
    );
    let plan = planned("[[except]]\ntests = ['tg*']\nreason = 'too slow'\n", &Overrides::default());
    let plan = plan.unwrap();
    assert_eq!(plan.cells(), 1);
    assert_eq!(plan.skipped[0].reason, "left out by the suite: too slow");
}

#[test]
fn only_made_up_answers_may_go_unverified() {
    let unverified = |devices: &[&str]| {
        let devices = strings(devices);
        planned("", &Overrides { devices, verify: Some(false), ..Overrides::default() })
    };
    assert!(unverified(&["null"]).is_ok());
    for devices in [&["cpu"][..], &["null", "reference"]] {
        let error = unverified(devices).unwrap_err().to_string();
        assert!(error.contains("no number without proof"), "{error}");
    }
}

#[test]
fn plans_beyond_reason_are_refused() {
    let many = Some((1..=1000).map(Some).collect());
    let overrides = Overrides { threads: many.clone(), context: many, ..Overrides::default() };
    let error = planned("", &overrides).unwrap_err().to_string();
    assert!(error.contains("1000000 launches, at most 100000"), "{error}");
    for overrides in [
        Overrides { launches: Some(0), ..Overrides::default() },
        Overrides { max_seconds: Some(f64::NAN), ..Overrides::default() },
        Overrides { min_repetitions: Some(0), ..Overrides::default() },
        Overrides { min_repetitions: Some(5), max_repetitions: Some(4), ..Overrides::default() },
    ] {
        assert!(matches!(planned("", &overrides), Err(Error::Value { .. })), "{overrides:?}");
    }
}

#[test]
fn the_context_is_sized_to_the_tests_and_the_verification() {
    let plan = planned(
        "",
        &Overrides { tests: Some(parse_tests("tg4@d8").unwrap()), ..Overrides::default() },
    );
    assert_eq!(plan.unwrap().launches[0].effective().context, Some(yardstick_api::verify::CONTEXT));
    let plan = planned(
        "",
        &Overrides { tests: Some(parse_tests("pp4,ttft@d512").unwrap()), ..Overrides::default() },
    );
    let plan = plan.unwrap();
    assert_eq!(plan.launches[0].effective().context, Some(1025));
    assert_eq!(plan.launches[0].options.context, None, "the record keeps what was asked");
}

#[test]
fn a_name_in_a_scope_that_nothing_can_have_is_an_error() {
    for (scope, expected) in [
        ("devices = ['cpu:avx22']", "[[except]] 1: devices \"cpu:avx22\" matches nothing"),
        ("devices = ['cpuu']", "there is cpu, cpu:avx2"),
        ("tests = ['pp44']", "tests \"pp44\" matches nothing; there is pp4, tg4"),
        ("models = ['smal']", "there is small:Q4_0"),
        ("quantisations = ['Q4_1']", "there is Q4_0"),
    ] {
        let text = format!("[[except]]\n{scope}\nreason = 'r'");
        let error = planned(&text, &Overrides::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Known here but not selected, or left out by a flag: not a typing error.
    let fine = "[[except]]\ndevices = ['wgpu', 'reference:f32', 'cuda:0']\ntests = ['tg*', 'pp4']\nreason = 'r'";
    let tests = Some(parse_tests("tg4").unwrap());
    assert!(planned(fine, &Overrides { tests, ..Overrides::default() }).is_ok());
}

#[test]
fn a_paired_plan_puts_all_members_of_a_model_and_options_side_by_side() {
    let changes = "devices = ['cpu:*', 'reference']\nmodels = ['small', 'large']\nlaunches = 2\npaired = true";
    let changes = changes.replace("models = ['small', 'large']\n", "");
    let overrides = Overrides { models: strings(&["small", "large"]), ..Overrides::default() };
    let plan = planned(&changes, &overrides).unwrap();
    assert_eq!(plan.launches.len(), 12, "3 devices, 2 models, 2 launches");
    for bunch in plan.launches.chunk_by(|a, b| a.pair == b.pair) {
        let mut members: Vec<String> = bunch.iter().map(Launch::member).collect();
        members.sort();
        assert_eq!(members, ["cpu:avx2", "cpu:scalar", "reference:f32"]);
        let same =
            |a: &Launch, b: &Launch| (a.number, a.model, &a.tests) == (b.number, b.model, &b.tests);
        assert!(bunch.iter().all(|launch| same(launch, &bunch[0])), "{bunch:?}");
    }
    let orders: std::collections::HashSet<Vec<String>> = plan
        .launches
        .chunk_by(|a, b| a.pair == b.pair)
        .map(|bunch| bunch.iter().map(Launch::member).collect())
        .collect();
    assert!(orders.len() > 1, "members start in another order each time");
    let alone = planned("paired = true", &Overrides::default()).unwrap_err().to_string();
    assert!(alone.contains("only cpu:avx2 is named"), "{alone}");
}

#[test]
fn noise_measures_each_device_twice() {
    let overrides = Overrides { twins: true, paired: Some(true), ..Overrides::default() };
    let plan = planned("", &overrides).unwrap();
    let mut members: Vec<String> = plan.launches.iter().map(Launch::member).collect();
    members.sort();
    assert_eq!(members, ["cpu:avx2 a", "cpu:avx2 b"]);
    assert!(plan.launches.iter().all(|launch| launch.pair == Some(0)));
}

#[test]
fn quality_is_scored_in_the_first_launch_and_never_in_pairs() {
    let tests = Some(parse_tests("pp8,ppl16").unwrap());
    let overrides = Overrides { tests, launches: Some(2), ..Overrides::default() };
    let names = |launch: &Launch| launch.tests.iter().map(Test::to_string).collect::<Vec<_>>();
    let plan = planned("", &overrides).unwrap();
    let of = |number| plan.launches.iter().filter(move |launch| launch.number == number);
    assert_eq!(of(0).map(|launch| launch.tests.len()).sum::<usize>(), 2);
    assert_eq!(of(1).map(names).collect::<Vec<_>>(), [["pp8"]]);
    assert_eq!(plan.launches[0].effective().context, Some(32));

    let overrides = Overrides { paired: Some(true), ..overrides };
    let plan = planned("devices = ['cpu', 'reference']", &overrides).unwrap();
    for launch in &plan.launches {
        let quality = launch.tests.iter().any(|test| test.is_quality());
        assert_eq!((launch.pair.is_none(), launch.tests.len()), (quality, 1), "{launch:?}");
    }
}

#[test]
fn a_process_beside_other_models_is_another_cell_than_beside_its_own() {
    let subject = |models: &[&str]| {
        let tests = Some(parse_tests("together,chat").unwrap());
        let overrides = Overrides { tests, models: strings(models), ..Overrides::default() };
        let plan = planned("", &overrides).unwrap();
        plan.subject(0, "together".parse().unwrap()).map(|subject| subject.data)
    };
    assert_eq!(subject(&["small"]), None);
    assert_eq!(subject(&["small", "large"]), Some("with large:Q4_0".to_owned()));
}

#[test]
fn the_reference_is_the_same_preset_in_another_format_or_what_is_named() {
    let held = |reference: Option<&str>| {
        let mut overrides =
            Overrides { tests: Some(parse_tests("kld").unwrap()), ..Overrides::default() };
        overrides.quality.reference = reference.map(str::to_owned);
        let plan = planned("", &overrides)?;
        let index = plan.reference(0).unwrap();
        assert!(plan.launches.iter().all(|launch| launch.model == 0), "it is not measured itself");
        let subject = plan.subject(0, "kld".parse().unwrap()).unwrap();
        assert_eq!(subject.reference.as_ref(), Some(&plan.models[index].name));
        Ok::<_, Error>(plan.models[index].name.clone())
    };
    assert_eq!(held(Some("q8_0")).unwrap(), "small:Q8_0");
    assert_eq!(held(Some("large:Q4_0")).unwrap(), "large:Q4_0");
    assert_eq!(held(Some("Q4_0")).unwrap(), "small:Q4_0");
    let error = held(None).unwrap_err().to_string();
    assert!(error.contains("\"F16\" is not known"), "{error}");
    let error = held(Some("large:Q4_0,Q8_0")).unwrap_err().to_string();
    assert!(error.contains("names several models"), "{error}");
    let ids: Vec<String> =
        planned("", &Overrides::default()).unwrap().exact.into_iter().map(|d| d.id).collect();
    assert_eq!(ids, ["cpu:avx2"], "software and devices that are not preferred do not answer");
}
