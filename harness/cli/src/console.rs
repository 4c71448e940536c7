//! What is said to a person: text that cannot steer a terminal, to outputs that may be closed or full.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use yardstick_render as render;

/// A line on standard error. That nobody can read it is no reason to end: `println!`'s panic would cost the run.
pub(crate) fn tell(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless(&text.to_string()));
}

/// A line on standard output; harmless where a terminal shows it, as it is where a program reads it.
pub(crate) fn say(text: impl Display) -> io::Result<()> {
    let text = text.to_string();
    let mut out = io::stdout().lock();
    match io::stdout().is_terminal() {
        true => writeln!(out, "{}", harmless(&text)),
        false => writeln!(out, "{text}"),
    }
}

/// Text without characters that steer a terminal, its lines kept.
pub(crate) fn harmless(text: &str) -> String {
    text.split('\n').map(render::clean).collect::<Vec<_>>().join("\n")
}

/// An error and its causes. Many say their cause themselves; it is not said twice.
pub(crate) fn words(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        match text.is_empty() {
            true => text = cause,
            false if text.ends_with(&cause) => {}
            false => text = format!("{text}: {cause}"),
        }
    }
    text
}

/// Whether standard output is a terminal that wants colours (<https://no-color.org>).
pub(crate) fn colour() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let dumb = set("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && set("NO_COLOR").is_none() && !dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_and_what_steers_a_terminal_goes() {
        assert_eq!(harmless("a\x1b[31mb\nc\x07"), "a\u{FFFD}[31mb\nc\u{FFFD}");
    }

    #[test]
    fn a_cause_that_was_said_is_not_repeated() {
        let io = || io::Error::other("no room");
        let twice = anyhow::Error::new(io()).context("x.gguf: no room");
        assert_eq!(words(&twice), "x.gguf: no room");
        let once = anyhow::Error::new(io()).context("cannot write x");
        assert_eq!(words(&once), "cannot write x: no room");
    }
}
