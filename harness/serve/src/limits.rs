//! Every limit of the page, in one place: what a client may send, how long it may take, how much one answer holds.

use std::time::Duration;

/// Bytes of a request's line and headers.
pub const MOST_HEAD_BYTES: usize = 16 << 10;
/// Headers of a request.
pub(crate) const MOST_HEADERS: usize = 64;
/// Bytes of a target, its query included.
pub(crate) const MOST_TARGET_BYTES: usize = 2 << 10;
/// Bytes of an upload.
pub const MOST_BODY_BYTES: usize = 8 << 20;
/// Connections at once; more are told to come back.
pub(crate) const MOST_CONNECTIONS: usize = 64;
/// Requests that read the store at once.
pub(crate) const MOST_READERS: usize = 4;

/// Until the head is whole.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(10);
/// Until the body is whole.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(30);
/// Until the answer is sent.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(60);
/// Until a reader of the store is free.
pub(crate) const READER_TIME: Duration = Duration::from_secs(10);
/// What was still being sent when a request was refused is read for so long, so that the refusal arrives.
pub(crate) const LINGER_TIME: Duration = Duration::from_secs(2);
/// Connections that end by themselves when the server stops.
pub(crate) const STOP_TIME: Duration = Duration::from_secs(3);

/// Runs, and cells, of one page.
pub(crate) const PAGE: usize = 50;
/// Records of a run's page.
pub(crate) const RECORDS: usize = 100;
/// Records of one page of the API, and bytes of their JSON.
pub(crate) const LINES: usize = 100;
pub(crate) const LINES_BYTES: usize = 8 << 20;
/// Records of a cell that a trend is made of, the latest.
pub(crate) const SERIES: usize = 400;
/// Records that one report or comparison is made of; `yardstick report` takes any number.
pub(crate) const MOST_RECORDS: usize = 5000;
/// Noise runs looked at for the noise floor, the latest.
pub(crate) const NOISE_RUNS: usize = 8;
/// Records kept in brief, and whole pages kept, in memory.
pub(crate) const KEPT_BRIEFS: usize = 50_000;
pub(crate) const KEPT_PAGES: usize = 16;
pub(crate) const KEPT_BYTES: usize = 64 << 20;
