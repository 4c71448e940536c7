//! Pages hold what they say, in order, and end.

use yardstick_record::Test;

use super::{Folder, draft, run};

#[test]
fn pages_of_runs_records_and_cells_join_without_gap_or_repeat() {
    let folder = Folder::new();
    let mut store = folder.open();
    for number in 0..7 {
        for tokens in 1..=3 {
            let mut record = draft(number);
            record.run = run(&format!("r{number}"));
            record.cell.test = Test::Generate { tokens, depth: 0 };
            store.append(&record.seal()).unwrap();
        }
    }
    let mut runs = Vec::new();
    let mut before: Option<String> = None;
    loop {
        let page = store.runs_page(before.as_deref(), 3).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.iter().all(|run| run.records == 3 && run.ok == 3));
        before = Some(last.run.id.clone());
        runs.extend(page.into_iter().map(|summary| summary.run.id));
    }
    assert_eq!(runs, ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]);

    let first = store.entries("r2", 0, 2).unwrap();
    let rest = store.entries("r2", first[1].number, 9).unwrap();
    let tests: Vec<&str> = first.iter().chain(&rest).map(|entry| entry.test.as_str()).collect();
    assert_eq!(tests, ["tg1", "tg2", "tg3"]);
    assert_eq!(store.last_of_run("r2").unwrap(), rest[0].number);
    assert_eq!(store.last_of_run("none").unwrap(), 0);
    assert_eq!(store.lines("r2", 0, 9, usize::MAX).unwrap().len(), 3);
    assert_eq!(store.lines("r2", 0, 9, 1).unwrap().len(), 1, "one record, however long");
    assert!(store.record_at(rest[0].number).unwrap().is_some());
    assert!(store.record_at(99).unwrap().is_none());

    let page = store.cells("", None, 2).unwrap();
    let end = store.cells("", page.next, 2).unwrap();
    assert_eq!((page.cells.len(), end.cells.len(), end.next), (2, 1, None));
    assert!(page.cells.iter().all(|cell| cell.records == 7));
    let found = store.cells("SMOLLM tg2", None, 9).unwrap();
    assert_eq!(found.cells.iter().map(|c| c.first.test.as_str()).collect::<Vec<_>>(), ["tg2"]);
    let series = store.series(&found.cells[0].first.cell, 4).unwrap();
    assert_eq!((series.len(), series[0].number), (4, found.cells[0].latest));
}

/// Records that are never parsed, so that many are made quickly: 400 runs of 50 cells, five launches each.
fn hundred_thousand(store: &mut crate::Store) {
    store
        .write(|transaction| {
            let mut number = 0;
            for run in 0..400 {
                transaction.execute(
                    "INSERT INTO runs VALUES (?1, ?2, 'quick', '[\"run\"]', NULL, NULL)",
                    (format!("run{run:03}"), format!("2026-01-01T{run:06}")),
                )?;
                for (cell, launch) in (0..50).flat_map(|cell| (0..5).map(move |l| (cell, l))) {
                    number += 1;
                    let json = format!("{{\"n\":{number},\"x\":\"{}\"}}", "y".repeat(500));
                    transaction.execute(
                        "INSERT INTO records VALUES (?1, ?2, ?3)",
                        (number, format!("{number:064x}"), json),
                    )?;
                    let status = if cell == 49 { "failed" } else { "ok" };
                    let key = format!("cpu:avx2|{cell:064}|{{\"threads\":null}}|tg128");
                    transaction.execute(
                        "INSERT INTO facets VALUES (?1, ?2, ?3, ?4, 'cpu:avx2', 'm', NULL, 'tg128', ?5)",
                        (number, format!("run{run:03}"), key, launch, status),
                    )?;
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn pages_of_a_hundred_thousand_records_take_less_than_a_tenth_of_a_second() {
    let folder = Folder::new();
    let mut store = folder.open();
    hundred_thousand(&mut store);
    drop(store);
    let store = crate::Store::open_read_only(&folder.path()).unwrap();
    let cell = store.entry(99_000).unwrap().unwrap().cell;
    type Ask<'a> = (&'static str, &'a dyn Fn() -> usize);
    let asks: [Ask<'_>; 9] = [
        ("runs", &|| store.runs_page(None, 50).unwrap().len()),
        ("older runs", &|| store.runs_page(Some("run100"), 50).unwrap().len()),
        ("a run's records", &|| store.latest_entries("run399", None, 100).unwrap().len()),
        ("what a run gained", &|| store.entries("run399", 99_900, 50).unwrap().len()),
        ("lines", &|| store.lines("run000", 0, 100, 8 << 20).unwrap().len()),
        ("a late run's lines", &|| store.lines("run399", 0, 100, 8 << 20).unwrap().len()),
        ("cells", &|| store.cells("", None, 50).unwrap().cells.len()),
        ("cells by words", &|| store.cells("no such words", None, 50).unwrap().cells.len() + 50),
        ("a cell's records", &|| store.series(&cell, 400).unwrap().len()),
    ];
    for (what, ask) in asks {
        // The best of a few: other tests and other programs have the processor too.
        let timed = || {
            let started = std::time::Instant::now();
            (ask(), started.elapsed())
        };
        let (found, took) = (0..5).map(|_| timed()).min_by_key(|(_, took)| *took).unwrap();
        println!("{what}: {found} in {took:?}");
        assert!(found >= 50, "{what}: {found}");
        assert!(took.as_millis() < 100, "{what}: {took:?}");
    }
    // A filter by run begins where that run does, wherever in the store it lies.
    let filter = crate::Filter { run: Some("run399".into()), ..crate::Filter::default() };
    let started = std::time::Instant::now();
    assert_eq!(
        store.records(&filter).filter(Result::is_err).count(),
        250,
        "no record of theirs parses"
    );
    println!("a run's stream: {:?}", started.elapsed());
    assert!(started.elapsed().as_millis() < 1000);
}
