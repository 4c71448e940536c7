//! This program and the clock, as records name them.

use jiff::Timestamp;
use yardstick_api::Known;
use yardstick_record::Tool;

/// The program that measures.
pub(crate) fn tool() -> Tool {
    let commit = match env!("YARDSTICK_COMMIT") {
        "" => Known::unavailable("not built from a git checkout"),
        commit => Known::Value(commit.to_owned()),
    };
    Tool {
        name: "yardstick".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit,
        build: Known::Value(env!("YARDSTICK_BUILD").to_owned()),
    }
}

/// UTC, RFC 3339, whole milliseconds.
pub(crate) fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

/// Sortable by time; the process id tells two runs of the same millisecond apart.
pub(crate) fn run_id() -> String {
    let digits: String = now().chars().filter(char::is_ascii_digit).collect();
    format!("{}-{:04x}", digits, std::process::id() & 0xffff)
}

/// A seed nobody chose.
pub(crate) fn seed() -> u64 {
    let nanoseconds = Timestamp::now().as_nanosecond();
    // Small enough that JSON readers of other languages keep it exactly.
    (nanoseconds as u64) & ((1 << 53) - 1)
}
