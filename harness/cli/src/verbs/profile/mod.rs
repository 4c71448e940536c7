//! `yardstick profile` and `yardstick why`: where the time of a test goes, operation by operation, against the device's measured
//! roofs, and why two cells differ. A run of its own: its times are not results, and nothing is stored.

mod cell;
mod measure;
mod tallies;

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use yardstick_analyse::profile::{Profiled, why};
use yardstick_render as render;

use self::cell::Cell;
use self::measure::Measured;
pub(crate) use self::measure::device;
use crate::args::{Profile, ProfileFormat, Profiling, Why};
use crate::paths::Paths;
use crate::verbs::{DONE, INTERRUPTED};
use crate::{console, interrupt, output, tool};

/// One cell, or with `--against` two.
pub(crate) fn run(paths: &Paths, args: &Profile) -> Result<u8> {
    let own = Cell::of_flags(&args.model, args)?;
    let cells = match &args.against {
        None => vec![own],
        Some(other) => {
            let other = own.but(other).context("--against")?;
            vec![own, other]
        }
    };
    show(paths, &cells, &args.profiling)
}

/// Two cells and what lies between them.
pub(crate) fn run_why(paths: &Paths, args: &Why) -> Result<u8> {
    let all = Cell::new(&args.device, &args.test, args.threads)?;
    let one = all.but(&args.a)?;
    let other = one.but(&args.b)?;
    show(paths, &[one, other], &args.profiling)
}

/// Measures, then writes everything asked for.
fn show(paths: &Paths, cells: &[Cell], args: &Profiling) -> Result<u8> {
    for file in [&args.output, &args.trace, &args.folded].into_iter().flatten() {
        paths.spare_the_store(Some(file))?;
    }
    let cancel = interrupt::flag()?;
    let measured = measure::measure(paths, cells, args.rounds, &cancel)?;
    if measured.iter().any(|one| one.profiled.rounds.is_empty()) {
        console::tell("interrupted before the first round was whole: there is nothing to show");
        return Ok(INTERRUPTED);
    }
    traces(&measured, args)?;
    let remarks = measure::remarks(&measured);
    let profiled: Vec<Profiled> = measured.into_iter().map(|one| one.profiled).collect();
    let ledger = match profiled.as_slice() {
        [a, b] => why(a, b),
        _ => None,
    };
    let report = render::ProfileReport {
        cells: &profiled,
        ledger: ledger.as_ref(),
        layers: args.layers,
        remarks: &remarks,
    };
    write(&report, args, &title(&profiled))?;
    let stopped = cancel.load(std::sync::atomic::Ordering::SeqCst);
    Ok(if stopped { INTERRUPTED } else { DONE })
}

fn title(cells: &[Profiled]) -> String {
    match cells {
        [a, b] => format!("Why {} and {} differ", a.label, b.label),
        [one] => format!("{} {} on {}", one.model, one.test, one.device),
        _ => "Profile".to_owned(),
    }
}

fn traces(measured: &[Measured], args: &Profiling) -> Result<()> {
    let traced: Vec<(String, Vec<render::TracedPass<'_>>)> = measured.iter().map(traced).collect();
    if let Some(file) = &args.trace {
        output::write(file, &render::trace(&traced))?;
    }
    if let Some(file) = &args.folded {
        output::write(file, &render::folded(&traced))?;
    }
    Ok(())
}

/// The last round's passes of a cell, under its name.
fn traced(one: &Measured) -> (String, Vec<render::TracedPass<'_>>) {
    let passes = one.last.iter().map(|pass| render::TracedPass {
        nanoseconds: pass.nanoseconds,
        operations: &pass.operations,
    });
    (format!("{} on {}", one.profiled.label, one.profiled.device), passes.collect())
}

fn write(report: &render::ProfileReport<'_>, args: &Profiling, title: &str) -> Result<()> {
    let file: Option<&Path> = args.output.as_deref();
    let text = match args.format {
        ProfileFormat::Terminal => {
            console::harmless(&render::profile_terminal(report, output::width()))
        }
        ProfileFormat::Markdown => render::profile_markdown(report),
        ProfileFormat::Json => render::profile_json(report),
        ProfileFormat::Html => {
            let meta = render::Meta {
                title: title.to_owned(),
                generated: tool::now(),
                tool: format!("yardstick {}", env!("CARGO_PKG_VERSION")),
            };
            let path = file.context("a page needs a file: pass --output FILE")?;
            output::write(path, &render::profile_html(report, &meta))?;
            return Ok(console::say(format!("page: {}", path.display()))?);
        }
    };
    match file {
        Some(path) => output::write(path, &text),
        None => Ok(io::stdout().lock().write_all(text.as_bytes())?),
    }
}
