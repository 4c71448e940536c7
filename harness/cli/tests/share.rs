//! Sharing from the command line: what is shown, what is written, what is taken in and how it is believed.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::Place;

const KEPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../reports/records/2026-11-20-amd-epyc-zen5-2core-vm.jsonl"
);

/// A place whose store has the kept records.
fn filled() -> Place {
    let place = Place::new();
    assert_eq!(place.run(&["import", KEPT]).0, 0);
    place
}

#[test]
fn a_bundle_is_shown_written_taken_in_and_labelled() {
    let (here, there) = (filled(), Place::new());
    let file = here.path("shared.bundle").display().to_string();
    let (code, out, err) = here.run(&["export", "--bundle", &file, "--preview"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("36 records") && out.contains("  cell.device: cpu:"), "{out}");
    assert!(!std::path::Path::new(&file).exists(), "a preview writes nothing");
    let (code, out, err) = here.run(&["export", "--bundle", &file]);
    assert!(code == 0 && out.contains("environment.cpu.model: "), "{out}{err}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("{\"yardstick_bundle\":1,\"profile\":\"public\"")
            && text.lines().count() == 37
    );

    let (code, out, err) = there.run(&["import", &file]);
    assert!(code == 0 && out.contains("36 records stored"), "{out}{err}");
    assert!(there.run(&["import", &file]).1.contains("0 records stored, 36 there already"));
    let (_, csv, _) = there.run(&["report", "--all", "-f", "csv"]);
    assert!(csv.contains("self-reported") && !csv.contains(",passed,"), "{csv}");
    // Whoever measured them has them already.
    assert!(here.run(&["import", &file]).1.contains("0 records stored, 36 there already"));

    // The same cells, measured by other launches on such a machine: here, the originals under another run.
    let own = std::fs::read_to_string(KEPT).unwrap();
    let mut again = String::new();
    for line in own.lines() {
        let mut record = yardstick_record::Record::from_json(line).unwrap();
        record.run.id.push_str("-again");
        again += &(record.seal().to_json() + "\n");
    }
    let own = there.path("own.jsonl");
    std::fs::write(&own, again).unwrap();
    assert_eq!(there.run(&["import", own.to_str().unwrap()]).0, 0);
    let (_, csv, _) = there.run(&["report", "--all", "-f", "csv"]);
    assert!(csv.contains(",reproduced,"), "{csv}");
    let (_, json, _) = there.run(&["report", "--all", "-f", "json"]);
    assert!(json.contains("\"level\": \"reproduced\""));
    let run = text.split("\"run\":{\"id\":\"").nth(1).unwrap().split('"').next().unwrap();
    let (code, out, err) = there.run(&["compare", run, "2026"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("are self-reported") && out.contains("The source differs"), "{out}");
}

#[test]
fn what_is_wrong_ends_with_2_and_leaves_nothing() {
    let (here, there) = (filled(), Place::new());
    let file = here.path("b").display().to_string();
    assert_eq!(here.run(&["export", "--bundle", &file, "--profile", "full"]).0, 0);
    let good = std::fs::read_to_string(&file).unwrap();
    for (text, why) in [
        (good.replacen("\"launch\":0", "\"launch\":9", 1), "field id"),
        (good[..good.len() / 2].to_owned(), "cut short"),
        (good.replacen("bundle\":1", "bundle\":9", 1), "field yardstick_bundle: found 9"),
    ] {
        std::fs::write(&file, text).unwrap();
        let (code, _, err) = there.run(&["import", &file]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(why) && err.contains("line ") && err.contains(&file), "{err}");
        assert!(err.contains("nothing of this bundle was stored"), "{err}");
        assert_eq!(there.run(&["report", "--list"]).1, "");
    }
    for flags in [vec!["--preview"], vec!["--profile", "full"], vec!["--bundle", &file, "-o", "x"]]
    {
        assert_eq!(here.run(&[&["export"], flags.as_slice()].concat()).0, 2, "{flags:?}");
    }
}
