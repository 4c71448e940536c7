//! The end of what a worker writes to stderr, kept for messages: capped, and harmless in a terminal.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bytes kept.
const KEPT: usize = 64 << 10;
/// Characters of it in a message.
const SHOWN: usize = 600;

/// A thread reads everything, the last bytes are kept.
pub(super) struct Tail {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    /// Disconnected when the other end is closed.
    closed: Receiver<()>,
}

impl Tail {
    pub(super) fn follow(mut stderr: impl Read + Send + 'static) -> Tail {
        let bytes = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&bytes);
        let (open, closed) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let _open = open;
            let mut buffer = [0; 8192];
            loop {
                match stderr.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(n) => push(&kept, &buffer[..n]),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        Tail { bytes, closed }
    }

    /// What is kept. After the worker's end, waits a moment for the thread to have read all of it.
    pub(super) fn text(&self) -> String {
        let _ = self.closed.recv_timeout(Duration::from_millis(200));
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = bytes.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines, escaped, on one line.
    pub(super) fn last_lines(&self) -> String {
        let text = self.text();
        let text = text.trim();
        let skip = text.chars().count().saturating_sub(SHOWN);
        let shown: String = text.chars().skip(skip).collect();
        let dots = if skip > 0 { "…" } else { "" };
        format!("{dots}{}", escape(&shown))
    }
}

fn push(kept: &Mutex<VecDeque<u8>>, new: &[u8]) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.extend(new);
    let surplus = kept.len().saturating_sub(KEPT);
    kept.drain(..surplus);
}

/// Text on one line without control characters: line ends become `; `, the rest is written out.
pub(crate) fn escape(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line.chars().flat_map(printable).collect())
        .collect();
    lines.join("; ")
}

fn printable(c: char) -> Vec<char> {
    // Beside control characters those that reorder text on a screen.
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match c {
        '\t' => vec![' '],
        c if c.is_control() || reorders => c.escape_unicode().collect(),
        c => vec![c],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_see_no_control_characters() {
        assert_eq!(escape("a\n\n b\u{1b}]8;;x\u{7}\r\n"), "a; b\\u{1b}]8;;x\\u{7}");
        assert_eq!(escape("abc\u{202e}def"), "abc\\u{202e}def");
    }

    #[test]
    fn only_the_end_is_kept_and_shown() {
        let mut text = "x".repeat(100_000);
        text.push_str("the end");
        let tail = Tail::follow(std::io::Cursor::new(text));
        assert_eq!(tail.text().len(), KEPT);
        let shown = tail.last_lines();
        assert!(shown.starts_with('…') && shown.ends_with("the end"), "{shown}");
        assert_eq!(shown.chars().count(), SHOWN + 1);
    }
}
