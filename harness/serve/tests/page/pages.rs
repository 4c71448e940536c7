//! What the pages and the API say.

use serde_json::Value;
use yardstick_record::RunInfo;
use yardstick_store::Store;

use crate::build::cell;
use crate::client::{Served, of_run, run};

#[test]
fn runs_come_in_pages_without_gap_or_repeat() {
    let records: Vec<_> = (0..120)
        .map(|i| {
            of_run(
                cell("cpu:avx2", "tiny:Q4_0", "tg8").speed(9.0, 3),
                &format!("r{i:03}"),
                1 + i % 28,
            )
            .done()
        })
        .collect();
    let served = Served::new(&records);
    let (mut seen, mut target) = (Vec::new(), "/api/runs?most=50".to_owned());
    loop {
        let page = served.get(&target).json();
        let runs = page["runs"].as_array().unwrap();
        seen.extend(runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/api/runs?most=50&before={next}");
    }
    assert_eq!(seen.len(), 120);
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 120);
    let first = served.get("/").body;
    assert_eq!(first.matches("href=\"/run?id=").count(), 50);
    assert!(first.contains("Older runs"));
}

#[test]
fn records_come_whole_and_keep_their_ids() {
    let records = run("r1", 1, 1.0);
    let served = Served::new(&records);
    let page = served.get("/api/records?run=r1&most=4").json();
    let rest = served.get(&format!("/api/records?run=r1&after={}", page["next"])).json();
    let read: Vec<_> =
        [&page, &rest].iter().flat_map(|page| page["records"].as_array().unwrap()).collect();
    assert_eq!(read.len(), 9);
    for (value, record) in read.iter().zip(&records) {
        assert_eq!(yardstick_record::Record::from_json(&value.to_string()).unwrap(), *record);
    }
    let end = served.get(&format!("/api/records?run=r1&after={}", rest["next"])).json();
    assert_eq!((end["records"].as_array().unwrap().len(), &end["next"]), (0, &Value::Null));
    let one = served.get(&format!("/api/record?id={}", &records[0].id[..16]));
    assert_eq!(one.json()["id"], records[0].id.as_str());
    for (target, status) in [
        ("/api/records", 400),
        ("/api/records?run=none", 404),
        ("/api/records?run=r1&most=0", 400),
        ("/api/records?run=r1&most=101", 400),
        ("/api/records?run=r1&after=-1", 400),
        ("/api/records?run=r1&extra=1", 400),
        ("/api/record?id=ffffffffff", 404),
        ("/trend?cell=99999", 404),
        ("/trend?cell=x", 400),
        ("/compare?a=r1&b=r1", 400),
        ("/compare?a=r1&b=none", 404),
        ("/compare?a=r1&b=device:none", 404),
    ] {
        assert_eq!(served.get(target).status, status, "{target}");
    }
}

#[test]
fn a_change_that_stayed_is_drawn_and_dated() {
    let records: Vec<_> = (1..=20)
        .flat_map(|day| {
            let wobble = 1.0 + 0.004 * f64::from(day * 7 % 5);
            run(&format!("r{day:02}"), day, if day > 10 { 0.8 * wobble } else { wobble })
        })
        .collect();
    let served = Served::new(&records);
    let cells = served.get("/api/cells?q=avx2+tg32").json();
    let number = &cells["cells"][0]["cell"];
    assert_eq!(cells["cells"].as_array().unwrap().len(), 1);
    let trend = &served.get(&format!("/api/trend?cell={number}")).json()["trends"][0];
    assert_eq!(trend["points"].as_array().unwrap().len(), 20);
    assert_eq!(trend["changes"][0]["run"], "r11");
    let page = served.get(&format!("/trend?cell={number}")).body;
    assert!(page.contains("<svg role=\"img\"") && page.contains("slower since run r11"), "{page}");
}

#[test]
fn a_run_in_another_process_is_seen_as_it_goes_on() {
    let served = Served::new(&[]);
    let mut store = Store::open(&served.store()).unwrap();
    let info = RunInfo {
        id: "live".into(),
        started: "2026-11-01T00:00:00Z".into(),
        suite: "quick".into(),
        command: vec!["run".into()],
        seed: 1,
    };
    store.begin_run(&info, "{}").unwrap();
    let page = served.get("/run?id=live").body;
    assert!(page.contains("data-live") && page.contains("No record yet"), "{page}");
    let before = served.get("/api/progress?run=live&after=0").json();
    assert_eq!((&before["run"]["state"], &before["next"]), (&"open".into(), &0.into()));
    for record in run("live", 1, 1.0) {
        store.append(&record).unwrap();
    }
    let news = served.get("/api/progress?run=live&after=0").json();
    assert_eq!(news["records"].as_array().unwrap().len(), 9);
    assert_eq!(news["records"][0]["status"], "ok");
    assert!(news["records"][0]["value"].as_str().unwrap().ends_with("tokens/s"));
    store.finish_run("live", "2026-11-01T00:10:00Z").unwrap();
    let end = served.get(&format!("/api/progress?run=live&after={}", news["next"])).json();
    assert_eq!(
        (&end["run"]["state"], end["records"].as_array().unwrap().len()),
        (&"complete".into(), 0)
    );
    assert!(!served.get("/run?id=live").body.contains("data-live"));
    // Its report was not kept from when it was shorter.
    let report = served.get("/report?run=live").body;
    assert!(report.contains("cpu:scalar") && report.contains("Yardstick report"));
}

#[test]
fn a_report_grows_with_its_run() {
    let served = Served::new(&run("r1", 1, 1.0));
    assert!(!served.get("/report?run=r1").body.contains("cpu:added"));
    let mut store = Store::open(&served.store()).unwrap();
    let added =
        of_run(cell("cpu:added", "smollm-135m:Q4_0", "tg32").speed(50.0, 6), "r1", 1).done();
    store.append(&added).unwrap();
    assert!(served.get("/report?run=r1").body.contains("cpu:added"));
}

#[test]
fn sides_are_runs_or_parts_of_one() {
    let served = Served::new(&[run("r1", 1, 1.0), run("r2", 2, 1.3)].concat());
    let page = served.get("/compare?a=r1&b=r2");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Yardstick comparison") && page.body.contains("r2"));
    let devices = served.get("/compare?a=device:cpu:scalar&b=device:cpu:avx2&among=r1");
    assert_eq!(devices.status, 200, "{}", devices.body);
    assert!(served.get("/compare").body.contains("<datalist"));
    let metrics = served.get("/metrics").body;
    assert!(
        metrics.contains("yardstick_cell_ok{") && metrics.contains("yardstick_tokens_per_second{")
    );
}

#[test]
fn an_empty_store_and_one_that_vanished_are_said_to_be_so() {
    let served = Served::new(&[]);
    assert!(served.get("/").body.contains("no runs yet"));
    assert_eq!(served.get("/metrics").status, 404);
    std::fs::remove_file(served.store()).unwrap();
    let answer = served.get("/");
    assert_eq!(answer.status, 500);
    assert!(!answer.body.contains("sqlite") && answer.body.contains("terminal"), "{}", answer.body);
    let mut store = Store::open(&served.store()).unwrap();
    store.append(&run("again", 1, 1.0)[0]).unwrap();
    assert!(served.get("/").body.contains("again"));
}
