//! Candle through the whole program: verified, with the threads asked for, since its pools are sized when a worker starts.
#![cfg(feature = "candle")]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use support::{Place, SHORT};

#[test]
fn candle_is_verified_and_runs_with_the_threads_asked_for() {
    let place = Place::new();
    let arguments = ["-m", "tiny:Q4_K_M", "-d", "candle", "-t", "tg4", "--threads", "1"];
    let (code, records, err) = place.records(&[&arguments[..], &SHORT[..]].concat());
    assert_eq!(code, 0, "{err}");
    let [record] = &records[..] else { panic!("{} records", records.len()) };
    assert!(record.outcome.is_ok(), "{:?}", record.outcome);
    let facts = record.facts.value().unwrap();
    assert_eq!((facts.device.as_str(), facts.threads.value()), ("candle:cpu", Some(&1)));
}
