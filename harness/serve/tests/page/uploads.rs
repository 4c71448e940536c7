//! Uploads: all of it or nothing, and said why.

use yardstick_store::{Filter, Store};

use crate::client::{Served, run};

fn lines(records: &[yardstick_record::Record]) -> String {
    records.iter().map(|record| record.to_json() + "\n").collect()
}

fn stored(served: &Served) -> usize {
    Store::open_read_only(&served.store()).unwrap().records(&Filter::default()).count()
}

#[test]
fn records_are_stored_once_and_shown() {
    let served = Served::new(&[]);
    let records = run("uploaded", 3, 1.0);
    let answer = served.post(lines(&records).as_bytes());
    assert_eq!((answer.status, answer.json()["new"].as_u64()), (200, Some(9)), "{}", answer.body);
    let again = served.post(lines(&records).as_bytes());
    assert_eq!(again.json()["already"], 9);
    assert_eq!(stored(&served), 9);
    assert!(served.get("/run?id=uploaded").body.contains("Imported"));
}

#[test]
fn one_bad_line_keeps_all_out_and_is_named() {
    let served = Served::new(&[]);
    let good = lines(&run("r", 3, 1.0));
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (line, why) in [
        ("{\"schema\":1".to_owned(), "line 10: not a record"),
        ("[]".to_owned(), "line 10: not a record"),
        (nested(65), "line 10: JSON nested 65 levels deep, at most 64"),
        (nested(1 << 20), "nested 1048576 levels"),
        (good.lines().next().unwrap().replacen("\"launch\":0", "\"launch\":1", 1), "was changed"),
        (
            good.lines().next().unwrap().replacen("\"schema\":4", "\"schema\":5", 1),
            "schema 5 is newer",
        ),
    ] {
        let answer = served.post(format!("{good}{line}\n").as_bytes());
        assert_eq!(answer.status, 422, "{why}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(why), "{error}, expected {why}");
        assert_eq!(stored(&served), 0, "{why}");
    }
    assert_eq!(served.post(b"").status, 422);
    assert_eq!(served.post(b"\xff\xfe").status, 422);
}

#[test]
fn a_form_of_another_site_cannot_be_an_upload() {
    let served = Served::new(&[]);
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    {
        let answer = served.send(
            format!(
                "POST /import HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\n{{}}",
                served.host(),
                served.token
            )
            .as_bytes(),
        );
        assert_eq!(answer.status, 415, "{kind}");
    }
}
