//! `yardstick model prune`: a smaller model from a larger one, and what was removed.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Result, anyhow, bail};
use yardstick_model::prune::{self, Kept, Layers, Plan, Pruning};
use yardstick_model::{Model, quantize};

use super::zeros;
use crate::args::Prune;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::verbs::DONE;
use crate::{console, interrupt, models};

/// Removes parts, or sets weights to zero.
pub(crate) fn run(paths: &Paths, args: &Prune) -> Result<u8> {
    let input = models::path(paths, &args.input)?;
    let threads = args.threads.unwrap_or_else(models::cores);
    if let Some(share) = args.zeros {
        let code = write_zeros(&input, &args.output, share, threads)?;
        return match args.measure {
            true => zeros::measure(paths, &args.input, &args.output, share),
            false => Ok(code),
        };
    }
    let model = Model::open(&input)?;
    let pruning = Pruning { layers: layers(args)?, heads: args.heads, ffn: args.ffn };
    let plan = Plan::new(&model, &pruning, threads)?;
    for note in &plan.notes {
        console::say(format!("rounded: {note}"))?;
    }
    let what = removed(&model, &plan);
    let done = told(&format!("{} pruned", input.display()), &mut |tell| {
        prune::prune(&model, &plan, &what, &args.output, tell)
    })?;
    // What was written is read as any model is, before it is called done.
    let result = Model::open(&args.output)?;
    for (i, kept) in plan.layers.iter().enumerate() {
        console::say(layer(&model, i, kept))?;
    }
    console::say(what)?;
    let (before, after) = (model.info(), result.info());
    let share = after.file_bytes as f64 / before.file_bytes as f64 * 100.0;
    console::say(format!(
        "{} {} {} bytes, {share:.1} % of the source; {} of {} parameters; weights that stay keep their bytes",
        done.sha256,
        args.output.display(),
        done.bytes,
        after.parameters,
        before.parameters
    ))?;
    Ok(DONE)
}

fn write_zeros(input: &Path, output: &Path, share: f64, threads: usize) -> Result<u8> {
    let model = Model::open(input)?;
    let done = told(&format!("{} with zeros", input.display()), &mut |tell| {
        prune::zero(&model, output, share, threads, tell)
    })?;
    Model::open(output)?;
    let percent = |n: u64| n as f64 / done.weights.max(1) as f64 * 100.0;
    console::say(format!(
        "set to zero: the smallest {share} of every row of the layers' matrices; {:.2} % of their weights are zero now, {:.2} % were",
        percent(done.zeros),
        percent(done.zeros_before)
    ))?;
    console::say(match done.moved {
        0.0 => "the other weights are as they were".to_owned(),
        moved => format!(
            "the other weights moved by {:.6} % (root mean square): blocks were encoded anew",
            100.0 * moved
        ),
    })?;
    console::say(format!(
        "{} {} {} bytes, as many as the source has: zeros take the room of other weights",
        done.sha256,
        output.display(),
        done.bytes
    ))?;
    Ok(DONE)
}

/// Does something long with progress on the terminal; Ctrl-C stops it.
pub(crate) fn told<T>(
    title: &str,
    act: &mut dyn FnMut(&mut quantize::Tell<'_>) -> Result<T, prune::Error>,
) -> Result<T> {
    let cancel = interrupt::flag()?;
    let mut progress = Progress::new();
    progress.begin(title.to_owned());
    let done = act(&mut |done| {
        progress.bytes(done.bytes, done.total_bytes);
        match cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    progress.clear();
    Ok(done)
}

fn layers(args: &Prune) -> Result<Layers> {
    match (args.layers, &args.keep_layers) {
        (Some(count), _) => Ok(Layers::Count(count)),
        (None, Some(list)) => Ok(Layers::These(numbers(list)?)),
        (None, None) => Ok(Layers::All),
    }
}

/// More layers than any model has.
const MOST: usize = 4096;

/// `0-7,12`
fn numbers(list: &str) -> Result<Vec<usize>> {
    let wrong = || {
        anyhow!("--keep-layers {list:?}: expected numbers and ranges below {MOST}, as in 0-7,12")
    };
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let parse = |text: &str| text.trim().parse::<usize>().ok().filter(|&n| n < MOST);
        let (Some(first), Some(last)) = (parse(first), parse(last)) else { bail!(wrong()) };
        if first > last {
            bail!(wrong());
        }
        numbers.extend(first..=last);
    }
    Ok(numbers)
}

/// Numbers as `0-7,12`.
fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &n in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == n => *last = n,
            _ => ranges.push((n, n)),
        }
    }
    let text = |&(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

/// One line for the whole model.
pub(crate) fn removed(model: &Model, plan: &Plan) -> String {
    let all = &model.architecture().layers;
    let kept: Vec<usize> = plan.layers.iter().map(|kept| kept.from).collect();
    let gone: Vec<usize> = (0..all.len()).filter(|i| !kept.contains(i)).collect();
    let mut parts = Vec::new();
    if !gone.is_empty() {
        parts.push(format!("layers {} of {}", ranges(&gone), all.len()));
    }
    let sum = |of: &dyn Fn(&Kept) -> (usize, usize)| {
        plan.layers.iter().map(of).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    };
    let (heads, of) = sum(&|kept| {
        let layer = &all[kept.from];
        (layer.kv_heads - kept.groups.len(), layer.kv_heads)
    });
    if heads > 0 {
        parts.push(format!("{heads} of {of} key and value heads with their query heads"));
    }
    let (channels, of) = sum(&|kept| {
        let width = all[kept.from].ffn.width;
        (width - kept.channels[0].len(), width)
    });
    if channels > 0 {
        let each = if all[0].ffn.experts.is_some() { " of each expert" } else { "" };
        parts.push(format!("{channels} of {of} feed-forward channels{each}"));
    }
    match parts.is_empty() {
        true => "removed nothing: every share rounds to all".to_owned(),
        false => format!("removed {}", parts.join("; ")),
    }
}

fn layer(model: &Model, i: usize, kept: &Kept) -> String {
    let shape = &model.architecture().layers[kept.from];
    let gone: Vec<usize> = (0..shape.kv_heads).filter(|i| !kept.groups.contains(i)).collect();
    let heads = match gone.is_empty() {
        true => format!("all {} key and value heads", shape.kv_heads),
        false => format!("without key and value heads {} of {}", ranges(&gone), shape.kv_heads),
    };
    let (width, of) = (kept.channels[0].len(), shape.ffn.width);
    format!("layer {i}: was {}; {heads}; {width} of {of} channels", kept.from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_layers_are_read_and_written_alike() {
        assert_eq!(numbers("0-2,5,7-8").unwrap(), [0, 1, 2, 5, 7, 8]);
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        for bad in ["", "x", "3-1", "1-", "-1", "0-99999999", "1,,2"] {
            let message = numbers(bad).unwrap_err().to_string();
            assert!(message.contains("0-7,12"), "{bad}: {message}");
        }
    }
}
