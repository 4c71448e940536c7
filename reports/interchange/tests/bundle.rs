//! Bundles: what goes out says nothing of who and where, and what comes in is believed as far as it can be checked.
#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

#[path = "../../analyse/tests/build/mod.rs"]
mod build;

use build::cell;
use serde_json::Value;
use yardstick_interchange::bundle::{Scrub, Unfit, Writer, manifest_of, read, share};
use yardstick_record::{Outcome, Profile, Record, SCHEMA};

fn records() -> Vec<Record> {
    (0..3)
        .map(|launch| {
            cell("cpu:avx2", "smollm-135m:Q4_0", "tg8").launch(launch).speed(120.0, 6).done()
        })
        .collect()
}

fn shared(records: &[Record], profile: Profile) -> Vec<Record> {
    let scrub = Scrub::new(&["benchbox".into(), "grete".into()]);
    records.iter().map(|record| share(record, profile, &scrub).unwrap()).collect()
}

fn bundle(records: &[Record], profile: Profile) -> String {
    let each = || records.iter().map(|record| Ok::<_, std::io::Error>(record.clone()));
    let manifest = manifest_of(each(), profile, "yardstick test").unwrap();
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, manifest).unwrap();
    records.iter().for_each(|record| writer.write(record).unwrap());
    writer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn import(text: &str) -> Result<Vec<Record>, String> {
    let mut input = text.as_bytes();
    let reader = read(&mut input).map_err(|error| error.to_string())?;
    reader.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

#[test]
fn what_goes_out_comes_in_and_names_its_original() {
    for profile in [Profile::Public, Profile::Full] {
        let originals = records();
        let shared = shared(&originals, profile);
        let read = import(&bundle(&shared, profile)).unwrap();
        assert_eq!(read, shared);
        for (copy, original) in read.iter().zip(&originals) {
            assert_eq!(copy.shared.as_ref().unwrap().original, original.id);
            assert_ne!(copy.id, original.id);
            assert_eq!((&copy.samples, &copy.facts), (&original.samples, &original.facts));
            assert_eq!(copy.cell.key(), original.cell.key());
        }
    }
}

/// Everything that a text of a record may give away.
const CANARIES: [&str; 12] = [
    "benchbox",
    "Grete",
    "/home/grete/x.gguf",
    "models/secret.gguf",
    r"C:\Users\g\x",
    "10.11.12.13",
    "aa:bb:cc:dd:ee:ff",
    "fe80:1:2:3:4:5:6:7",
    "123e4567-e89b-12d3-a456-426614174000",
    "fedcba9876543210fedcba9876543210",
    "serial number XK77Q",
    "me@example.org",
];

/// Puts a canary at the end of every text that may be any text.
fn plant(value: &mut Value, path: &str, canary: &str, planted: &mut usize) {
    const FIXED: [&str; 14] = [
        "id", "test", "status", "better", "kv", "numerics", "kind", "class", "profile", "weights",
        "unit", "profile", "original", "schema",
    ];
    match value {
        Value::String(text) if !FIXED.contains(&path.rsplit('.').next().unwrap_or("")) => {
            text.push(' ');
            text.push_str(canary);
            *planted += 1;
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| plant(value, path, canary, planted))
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                plant(value, &format!("{path}.{name}"), canary, planted);
            }
        }
        _ => {}
    }
}

#[test]
fn no_text_of_a_public_record_says_who_or_where() {
    let scrub = Scrub::new(&["benchbox".into(), "grete".into()]);
    for canary in CANARIES {
        let mut value = serde_json::to_value(&records()[0]).unwrap();
        let mut planted = 0;
        plant(&mut value, "", canary, &mut planted);
        assert!(planted > 25, "{planted}");
        let record: Record = serde_json::from_value(value).unwrap();
        let text = share(&record.seal(), Profile::Public, &scrub).unwrap().to_json();
        let words =
            canary.split([' ', '/', '\\']).filter(|word| word.len() > 4 && !word.starts_with("C:"));
        for word in words.filter(|word| !["serial", "number", "models", "Users"].contains(word)) {
            let found = text.to_lowercase().find(&word.to_lowercase());
            assert!(
                found.is_none(),
                "{canary}: {}",
                &text[found.unwrap().saturating_sub(80)..][..160]
            );
        }
    }
}

#[test]
fn the_time_of_day_and_odd_fields_of_the_machine_stay_at_home() {
    let mut record = records()[0].clone();
    record.environment.set("machine.serial", "XK77Q");
    record.environment.set("os.kernel", "6.18.44-fc-v595");
    let copy = share(&record.seal(), Profile::Public, &Scrub::new(&[])).unwrap();
    assert_eq!(copy.started, "2026-11-20T00:00:00Z");
    assert_eq!(copy.run.started, "2026-11-20T00:00:00Z");
    assert!(copy.run.id.starts_with("shared-") && !copy.to_json().contains("12:00"));
    assert_eq!(copy.environment.text("os.kernel").as_deref(), Some("6.18"));
    assert_eq!(copy.environment.text("machine.serial"), None);
}

#[test]
fn what_is_not_ours_to_share_is_not_shared() {
    let scrub = Scrub::new(&[]);
    let once = share(&records()[0], Profile::Full, &scrub).unwrap();
    assert_eq!(share(&once, Profile::Public, &scrub), Err(Unfit::SecondHand));
    let mut clash = records()[0].clone();
    clash.outcome = Outcome::Ok;
    let found = share(&clash, Profile::Public, &Scrub::new(&["status".into()]));
    assert!(matches!(found, Err(Unfit::Unreadable(_))), "{found:?}");
}

#[test]
fn every_way_of_being_wrong_names_line_and_field() {
    let shared = shared(&records(), Profile::Public);
    let good = bundle(&shared, Profile::Public);
    let lines: Vec<&str> = good.lines().collect();
    let without_last = format!("{}\n", lines[..3].join("\n"));
    let lying = {
        let mut record = shared[1].clone();
        record.verification.checks.clear();
        bundle(&[shared[0].clone(), record.seal()], Profile::Public)
    };
    let own = bundle(&records(), Profile::Public);
    let deep = format!("{}\n{}\n", lines[0], "[".repeat(100));
    let newer = format!("\"schema\":{}", SCHEMA + 1);
    for (text, why) in [
        (String::new(), "line 1: there is no manifest"),
        (
            good.replacen("bundle\":1", "bundle\":2", 1),
            "field yardstick_bundle: found 2, expected 1 to 1",
        ),
        (good.replacen("bundle\":1", "bundle\":1,\"x\":1", 1), "unknown field `x`"),
        (good.replacen("\"records\":3", "\"records\":0", 1), "field records: found 0"),
        (good.replacen("\"records\":3", "\"records\":4", 1), "cut short: 3 of 4"),
        (good.replacen("\"records\":3", "\"records\":2", 1), "line 4: more follows"),
        (
            good.replacen("\"records\":3", "\"records\":99999999", 1),
            "field records: found 99999999",
        ),
        (
            good.replacen("public", "full", 1),
            "line 2: field shared.profile: found public, expected full",
        ),
        (good.replacen("\"launch\":1", "\"launch\":7", 1), "line 3: field id"),
        (good.replacen("\"schema\":4", &newer, 1), "line 2: field schema"),
        (without_last.clone(), "cut short: 2 of 3"),
        (good[..good.len() - 9].to_owned(), "cut short within the line"),
        (format!("{}\n{}\n{}\n{}\n", lines[0], lines[2], lines[1], lines[3]), "field sha256"),
        (format!("{good}{}\n", lines[3]), "line 5"),
        (format!("{}x", good), "line 5"),
        (deep, "nested 100 levels"),
        (lying, "line 3: field verification.checks: found none"),
        (own, "line 2: field shared: found nothing"),
        (format!("{}\n{}", lines[0], "9".repeat(1 << 20)), "longer than the"),
        ("{\"yardstick_bundle\":1".repeat(9999), "line 1: longer than the 4096 bytes"),
    ] {
        let found = import(&text).expect_err(why);
        assert!(found.contains(why), "expected {why:?}, found {found:?}");
    }
}
