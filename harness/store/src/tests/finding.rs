//! Finding records and runs.

use yardstick_record::{Outcome, Record, Test};

use super::{Folder, draft, interrupted, record, run};
use crate::{Error, Filter, Store};

fn launches(store: &Store, filter: Filter) -> Vec<u32> {
    store.records(&filter).map(|record| record.unwrap().launch).collect()
}

fn with(launch: u32, change: impl FnOnce(&mut Record)) -> Record {
    let mut record = draft(launch);
    change(&mut record);
    record.seal()
}

#[test]
fn a_filter_selects_by_run_device_model_and_test() {
    let folder = Folder::new();
    let mut store = folder.open();
    let hash = "ab".repeat(32);
    for record in [
        record(0),
        with(1, |r| r.cell.device = "cpu:scalar".into()),
        with(2, |r| r.cell.device = "cpux:0".into()),
        with(3, |r| r.cell.test = Test::Load),
        with(4, |r| r.cell.model.sha256 = hash.clone().into()),
        with(5, |r| r.run = run("r2")),
        with(6, |r| r.cell.model.name = "abababab".into()),
    ] {
        store.append(&record).unwrap();
    }
    let some = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (Filter::default(), vec![0, 1, 2, 3, 4, 5, 6]),
        (Filter { run: some("r2"), ..Filter::default() }, vec![5]),
        (Filter { latest: true, ..Filter::default() }, vec![5]),
        (Filter { device: some("cpu:scalar"), ..Filter::default() }, vec![1]),
        (Filter { device: some("cpux"), ..Filter::default() }, vec![2]),
        (Filter { device: some("cpu"), ..Filter::default() }, vec![0, 1, 3, 4, 5, 6]),
        (Filter { test: Some(Test::Load), ..Filter::default() }, vec![3]),
        (Filter { model: some("abababab"), ..Filter::default() }, vec![4, 6]),
        (Filter { model: some("ab"), ..Filter::default() }, vec![]),
        (
            Filter { model: some("smollm-135m:Q4_0"), test: Some(Test::Load), ..Filter::default() },
            vec![3],
        ),
        (Filter { run: some("' OR 1 --"), ..Filter::default() }, vec![]),
    ] {
        assert_eq!(launches(&store, filter.clone()), expected, "{filter:?}");
    }
}

#[test]
fn more_than_a_page_is_streamed_in_order() {
    let folder = Folder::new();
    let mut store = folder.open();
    let records: Vec<_> = (0..150).map(record).collect();
    store.append_all(&records).unwrap();
    assert_eq!(launches(&store, Filter::default()), (0..150).collect::<Vec<_>>());
}

#[test]
fn a_record_is_found_by_the_beginning_of_its_id() {
    let folder = Folder::new();
    let mut store = folder.open();
    let records: Vec<_> = (0..40).map(record).collect();
    store.append_all(&records).unwrap();
    assert_eq!(store.record(&records[7].id[..16]).unwrap(), records[7]);
    assert!(matches!(store.record(""), Err(Error::AmbiguousRecord { count: 40, .. })));
    assert!(matches!(store.record("%"), Err(Error::UnknownRecord { .. })));
}

#[test]
fn a_spoilt_row_is_named_and_the_others_are_read() {
    let folder = Folder::new();
    let mut store = folder.open();
    store.append_all(&[record(0), record(1), record(2)]).unwrap();
    let spoil = "DROP TRIGGER records_are_never_edited;
        UPDATE records SET json = replace(json, '\"launch\":1', '\"launch\":8') WHERE number = 2;";
    store.connection.execute_batch(spoil).unwrap();
    let read: Vec<_> = store.records(&Filter::default()).collect();
    assert_eq!(read.len(), 3);
    assert!(read[0].is_ok() && read[2].is_ok());
    let message = read[1].as_ref().unwrap_err().to_string();
    assert!(message.contains("row 2 of") && message.contains(&record(1).id), "{message}");
    assert!(message.contains("changed after it was written"), "{message}");
    store.rebuild().unwrap();
    assert_eq!(store.measured("r1").unwrap().len(), 2);
}

#[test]
fn a_resumed_run_leaves_out_what_was_measured_but_not_what_was_interrupted() {
    let folder = Folder::new();
    let mut store = folder.open();
    store.begin_run(&run("r1"), "{\"the\":\"plan\"}").unwrap();
    assert!(matches!(store.begin_run(&run("r1"), ""), Err(Error::RunExists { .. })));
    assert!(matches!(store.measured("r9"), Err(Error::UnknownRun { .. })));
    let skipped = with(2, |r| {
        r.outcome = Outcome::Skipped { reason: "no such device".into(), fix: None };
    });
    store.append_all(&[record(0), interrupted(1), skipped]).unwrap();
    let measured: Vec<u32> = store.measured("r1").unwrap().into_iter().map(|cell| cell.1).collect();
    assert_eq!(measured, [0, 2]);
    assert!(!store.run_is_complete("r1").unwrap());
    assert_eq!(launches(&store, Filter::default()), [0, 1, 2], "an interrupted cell shows");

    store.append(&record(1)).unwrap();
    assert_eq!(launches(&store, Filter::default()), [0, 2, 1], "until it was measured");
    let all = Filter { superseded: true, ..Filter::default() };
    assert_eq!(launches(&store, all), [0, 1, 2, 1]);

    store.finish_run("r1", "2026-01-02").unwrap();
    store.finish_run("r1", "2026-01-03").unwrap();
    assert!(matches!(store.finish_run("r9", "x"), Err(Error::UnknownRun { .. })));
    let runs = store.runs().unwrap();
    let summary = &runs[0];
    assert_eq!(summary.run, store.latest_run().unwrap().unwrap());
    assert_eq!(summary.run.finished.as_deref(), Some("2026-01-02"));
    assert_eq!(summary.run.command, ["run", "a b"]);
    assert_eq!(summary.run.plan.as_deref(), Some("{\"the\":\"plan\"}"));
    let counts = (summary.records, summary.ok, summary.failed, summary.skipped, summary.invalid);
    assert_eq!(counts, (4, 2, 1, 1, 0));
}
