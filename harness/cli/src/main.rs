//! `yardstick`: the binary. Parses flags, picks a verb, turns errors into exit codes.
#![forbid(unsafe_code)]

mod absent;
mod args;
mod briefs;
mod cap;
mod console;
#[cfg(feature = "control")]
mod control;
mod interrupt;
mod metering;
mod models;
mod output;
mod paths;
mod progress;
mod registry;
mod stores;
mod tool;
mod verbs;
mod words;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Model, ModelAction, Verb};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // A closed pipe while printing help is not worth a panic.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { verbs::USAGE } else { verbs::DONE });
        }
    };
    if let Some(Verb::Worker(worker)) = &args.verb {
        return verbs::worker::run(&args.global, worker);
    }
    match dispatch(args) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::from(verbs::DONE),
        Err(error) => {
            console::tell(format!("error: {}", console::words(&error)));
            ExitCode::from(if was_stopped(&error) { verbs::INTERRUPTED } else { verbs::USAGE })
        }
    }
}

fn dispatch(args: Args) -> anyhow::Result<u8> {
    // Only verbs that keep or find something need places, so that the others work without a home directory.
    let paths = || paths::Paths::resolve(&args.global);
    match args.verb.unwrap_or_default() {
        Verb::Run(run) => verbs::run::run(&paths()?, &run),
        Verb::Report(report) => verbs::report::run(&paths()?, &report),
        Verb::Compare(compare) => verbs::compare::run(&paths()?, &compare),
        Verb::Gate(gate) => verbs::gate::run(&paths()?, &gate),
        Verb::Canary(canary) => verbs::canary::run(&canary),
        Verb::Devices(devices) => verbs::devices::run(paths().ok().as_ref(), &devices),
        Verb::Worker(_) => Ok(verbs::USAGE),
        Verb::Model(Model { action: ModelAction::List { json } }) => verbs::model::list::run(json),
        Verb::Model(model) => verbs::model::run(&paths()?, &model),
        Verb::Export(export) => verbs::export::run(&paths()?, &export),
        Verb::Import(import) => verbs::import::run(&paths()?, &import),
        Verb::Claims(claims) => verbs::claims::run(paths().ok().as_ref(), &claims),
        Verb::Predict(predict) => verbs::predict::run(&paths()?, &predict),
        Verb::Recommend(recommend) => verbs::recommend::run(&paths()?, &recommend),
        Verb::Route(route) => verbs::route::run(paths, &route),
        Verb::Check(check) => verbs::check::run(&paths()?, &check),
        Verb::Profile(profile) => verbs::profile::run(&paths()?, &profile),
        Verb::Tune(tune) => verbs::tune::run(&paths()?, &tune),
        Verb::Memory(memory) => verbs::memory::run(&paths()?, &memory),
        Verb::Why(why) => verbs::profile::run_why(&paths()?, &why),
        Verb::Soak(soak) => verbs::soak::run(&paths()?, &soak),
        Verb::Serve(serve) => verbs::serve::run(&paths()?, &serve),
        Verb::Rerun(rerun) => verbs::rerun::run(&paths()?, &rerun),
    }
}

/// `yardstick report | head` closes our output early; that is not an error.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Ctrl-C while a model was written.
fn was_stopped(error: &anyhow::Error) -> bool {
    use yardstick_model::{preset, quantize};
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(quantize::Error::Stopped))
            || matches!(cause.downcast_ref(), Some(preset::Error::Write(quantize::Error::Stopped)))
    })
}
