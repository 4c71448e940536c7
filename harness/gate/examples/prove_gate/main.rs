//! The gate's promise, put to trial: the same build, builds slower by a known amount, and what must not fail, beside other work;
//! every trial is a line of a log that is appended to, and a table and a plot are made of logs. Run by ci/prove-gate.
//!
//! prove_gate trials --program FILE --unused FILE --log FILE --case CASE --condition CONDITION --count N [--kernel NAME] [--cache DIR]
//! prove_gate judge MOST LOG...     exit: 0 at most MOST verdicts are wrong, 1 more are, 3 most say nothing
//! prove_gate table LOG...
//! prove_gate plot SVG LOG...

mod case;
mod hogs;
mod judge;
mod log;
mod plot;
mod table;
mod trial;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["judge", most, ref logs @ ..] = words[..] {
        return judge::run(most, logs).unwrap_or_else(|error| failed(&error));
    }
    let done = match words[..] {
        ["trials", ref flags @ ..] => trial::run(flags),
        ["table", ref logs @ ..] => log::read(logs).map(|trials| print!("{}", table::of(&trials))),
        ["plot", to, ref logs @ ..] => log::read(logs).and_then(|trials| plot::draw(to, &trials)),
        ["hog", kind] => hogs::be(kind),
        _ => Err("expected trials, judge, table or plot; see the head of this file".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}
