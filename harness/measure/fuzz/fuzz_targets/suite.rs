//! Any text is a suite or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yardstick_measure::suite::Suite;

fuzz_target!(|text: &str| {
    if let Ok(suite) = Suite::parse("fuzz.toml", text)
        && suite.options.len() <= 10_000
    {
        assert_eq!(suite.options.combinations().len(), suite.options.len());
    }
});
