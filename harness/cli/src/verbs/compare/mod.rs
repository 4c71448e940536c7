//! `yardstick compare`: runs, files of records, commits, devices, models or builds held against the first, cell by cell. Runs nothing.

mod select;

use std::io::{self, Write};

use anyhow::{Context, Result, bail, ensure};
use yardstick_analyse::Noise;
use yardstick_analyse::sides::{Side, Sides};
use yardstick_render as render;

use crate::args::{Compare, Format};
use crate::paths::Paths;
use crate::verbs::DONE;
use crate::{console, output, tool};

/// Joins the sides and shows what changed.
pub(crate) fn run(paths: &Paths, args: &Compare) -> Result<u8> {
    paths.spare_the_store(args.output.as_deref())?;
    let store = match paths.store.exists() {
        true => Some(output::open(&paths.store)?),
        false => None,
    };
    let mut sides = select::sides(store.as_ref(), &paths.store, args)?;
    if let Some(baseline) = &args.baseline {
        put_first(&mut sides, baseline)?;
    }
    let noise = store.as_ref().map(output::noise).transpose()?.unwrap_or_default();
    let sides = Sides::join(&sides, &Noise::of(&noise), args.insist)?;
    show(&sides, args)?;
    Ok(DONE)
}

fn put_first(sides: &mut [Side], baseline: &str) -> Result<()> {
    let Some(at) = sides.iter().position(|side| side.name == baseline) else {
        let names: Vec<&str> = sides.iter().map(|side| side.name.as_str()).collect();
        bail!("baseline {baseline:?} is none of the sides: {}", names.join(", "))
    };
    sides[..=at].rotate_right(1);
    Ok(())
}

fn show(sides: &Sides, args: &Compare) -> Result<()> {
    let names: Vec<&str> = sides.sides.iter().map(|about| about.name.as_str()).collect();
    let text = match args.format {
        Format::Terminal => render::sides_terminal(sides, output::width(), args.all),
        Format::Markdown => render::sides_markdown(sides, args.all),
        Format::Csv => render::sides_csv(sides),
        Format::Json => render::sides_json(sides),
        Format::Html => {
            ensure!(args.output.is_some(), "an HTML report needs a file: pass --output FILE");
            let meta = render::Meta {
                title: names.join(" · "),
                generated: tool::now(),
                tool: format!("yardstick {}", env!("CARGO_PKG_VERSION")),
            };
            render::sides_html(sides, &meta)
        }
        Format::CsvTradeoffs => {
            bail!("compare has no trade-offs; `yardstick report -f csv-tradeoffs` has")
        }
    };
    match &args.output {
        Some(path) => {
            output::write(path, &text).context("--output")?;
            Ok(console::say(format!("comparison: {}", path.display()))?)
        }
        None => Ok(io::stdout().lock().write_all(text.as_bytes())?),
    }
}
