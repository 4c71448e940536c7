//! Any bytes are lines of messages or errors, and no line is kept beyond its cap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yardstick_measure::protocol::{Line, Message, Request, read_line};

fuzz_target!(|bytes: &[u8]| {
    let mut input = bytes;
    while let Ok(Line::Text(text)) = read_line(&mut input, 1000) {
        assert!(text.len() <= 1000);
        let _ = serde_json::from_str::<Message>(&text);
        let _ = serde_json::from_str::<Request>(&text);
    }
});
