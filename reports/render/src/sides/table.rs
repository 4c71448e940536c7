//! The tables: what changed, and what could not be compared.

use std::collections::BTreeSet;

use yardstick_analyse::sides::{Line, Lone, Name, Sides};
use yardstick_analyse::{Difference, Method};

use super::words;
use crate::blocks::cells::{self, Notes};
use crate::blocks::{Block, Field, Head};
use crate::text::elide;

/// Lines without a difference, and cells on one side, that people are shown unless they ask for all.
const FEW: usize = 40;
/// Characters of a side's name, of a cell's, of a reason.
const SIDE: usize = 28;
const CELL: usize = 72;
const REASON: usize = 160;

pub(super) fn blocks(sides: &Sides, all: bool) -> Vec<Block> {
    [Some(changes(sides, all)), lone(sides, all)].into_iter().flatten().collect()
}

/// What every cell has in common, said once: `smollm-135m:Q4_0 on cpu:avx2`.
struct Common {
    model: Option<String>,
    device: Option<String>,
}

impl Common {
    fn of(sides: &Sides) -> Common {
        let names = || sides.lines.iter().map(|line| &line.cell);
        let one = |values: BTreeSet<&String>| match values.len() {
            1 => values.into_iter().next().cloned(),
            _ => None,
        };
        Common {
            model: one(names().filter_map(|name| name.model.as_ref()).collect()),
            device: one(names().filter_map(|name| name.device.as_ref()).collect()),
        }
    }

    fn words(&self) -> String {
        match (&self.model, &self.device) {
            (Some(model), Some(device)) => {
                format!("{} on {}: ", elide(model, 48), elide(device, 48))
            }
            (Some(one), None) | (None, Some(one)) => format!("{}: ", elide(one, 48)),
            (None, None) => String::new(),
        }
    }

    fn rest(&self, name: &Name) -> String {
        let name = Name {
            model: name.model.clone().filter(|model| Some(model) != self.model.as_ref()),
            device: name.device.clone().filter(|device| Some(device) != self.device.as_ref()),
            ..name.clone()
        };
        elide(&name.words(), CELL)
    }
}

fn side(name: &str) -> String {
    elide(name, SIDE)
}

fn changes(sides: &Sides, all: bool) -> Block {
    let common = Common::of(sides);
    let names: Vec<String> = sides.sides.iter().map(|about| side(&about.name)).collect();
    let (baseline, others) = names.split_first().map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    let title = format!("{}{} against {baseline}", common.words(), others.join(", "));
    let mut heads = vec![cells::words("cell"), cells::words("of")];
    heads.push(cells::number(baseline.to_owned(), 3));
    for name in others {
        heads.push(cells::number(name.clone(), 4));
        heads.push(cells::words(&format!("{name} is")));
        heads.push(Head { gives_way: 5, ..cells::words("launches") });
    }
    let (shown, left) = chosen(sides, all);
    let mut notes = Notes::default();
    let rows: Vec<Vec<Field>> = shown.iter().map(|line| row(&common, line, &mut notes)).collect();
    let mut block = Block::new(title, heads).fill(rows, notes);
    block.sentences = summary(sides, left);
    block.remarks.push(methods(sides));
    block.remarks.extend(sides.remarks.iter().map(|remark| elide(remark, 400)));
    block
}

/// Lines shown to people, and how many are not: headlines, and what else changed.
fn chosen(sides: &Sides, all: bool) -> (Vec<&Line>, usize) {
    let of_interest = |line: &&Line| all || line.headline || line.is_shown();
    let mut ties = 0;
    let few = |line: &&Line| {
        ties += usize::from(!line.is_shown());
        all || line.is_shown() || ties <= FEW
    };
    let shown: Vec<&Line> = sides.lines.iter().filter(of_interest).filter(few).collect();
    let left = sides.lines.len() - shown.len();
    (shown, left)
}

fn row(common: &Common, line: &Line, notes: &mut Notes) -> Vec<Field> {
    let mut fields = vec![
        cells::text(common.rest(&line.cell)),
        cells::text(words::metric(line.metric).to_owned()),
    ];
    for (at, value) in line.values.iter().enumerate() {
        fields.push(cells::estimate(line.metric, value, notes));
        if at == 0 {
            continue;
        }
        let (change, n) = match &line.shifts[at] {
            Some(shift) => (words::shift(line, shift), words::launches(line, at, shift)),
            None => ("–".to_owned(), String::new()),
        };
        fields.push(cells::text(change));
        fields.push(cells::text(n));
    }
    fields
}

/// How many changed, which way; what is not shown.
fn summary(sides: &Sides, left: usize) -> Vec<String> {
    let mut sentences = Vec::new();
    for (at, about) in sides.sides.iter().enumerate().skip(1) {
        let shifts = || sides.lines.iter().filter_map(|line| line.shifts[at].as_ref());
        let count = |better| shifts().filter(|shift| shift.better == Some(better)).count();
        let is_tie =
            |difference| matches!(difference, Difference::NotShown | Difference::BelowNoise);
        let ties = shifts().filter(|shift| is_tie(shift.difference)).count();
        let (better, worse, of) = (count(true), count(false), shifts().count());
        let unknown = match of - better - worse - ties {
            0 => String::new(),
            n => format!(", {n} with too few launches to tell"),
        };
        let name = side(&about.name);
        sentences.push(format!(
            "{name}: of {of} values {better} better, {worse} worse, {ties} ties (no difference shown){unknown}."
        ));
    }
    if left > 0 {
        sentences.push(format!(
            "{left} more without a difference shown: --all, CSV and JSON have them."
        ));
    }
    sentences
}

fn methods(sides: &Sides) -> String {
    let ratios = || {
        sides.lines.iter().flat_map(|line| line.shifts.iter().flatten().filter_map(|s| s.ratio()))
    };
    let kind = |paired| if paired { "paired" } else { "unpaired" };
    let made: BTreeSet<String> = ratios()
        .filter(|ratio| ratio.method != Method::None)
        .map(|ratio| format!("{} ({})", ratio.method.name(), kind(ratio.paired)))
        .collect();
    let made: Vec<String> = made.into_iter().collect();
    let how = match made.is_empty() {
        true => "no interval: it needs 3 launches".to_owned(),
        false => format!("95 % intervals over launches by {}", made.join(", ")),
    };
    let unpaired = ratios().any(|ratio| !ratio.paired);
    let drift = if unpaired { " Unpaired: measured apart, drift not excluded." } else { "" };
    let floors: Vec<f64> = sides
        .lines
        .iter()
        .flat_map(|line| line.shifts.iter().flatten())
        .filter_map(|shift| shift.noise_floor.value().copied())
        .collect();
    let noise = match floors.iter().copied().reduce(f64::max) {
        Some(most) => format!(
            " Noise floor of this machine: at most ±{} %; less is not shown as a difference.",
            crate::ratios::percent(most)
        ),
        None => " Noise floor not measured: yardstick run --noise.".to_owned(),
    };
    format!("Sorted by what changed most; {how}.{drift}{noise}")
}

fn lone(sides: &Sides, all: bool) -> Option<Block> {
    if sides.lone.is_empty() {
        return None;
    }
    let heads = vec![cells::words("cell"), cells::words("not on"), cells::words("why")];
    let mut block = Block::new("Not compared, or not on every side".to_owned(), heads);
    let reasons = |lone: &Lone| -> Vec<Vec<Field>> {
        let cell = elide(&lone.cell.words(), CELL);
        let line = |(name, why): (&String, &String)| {
            [cell.clone(), side(name), elide(why, REASON)].into_iter().map(cells::text).collect()
        };
        lone.missing.iter().map(line).collect()
    };
    let most = if all { usize::MAX } else { FEW };
    block.rows = sides.lone.iter().take(most).flat_map(reasons).collect();
    if let Some(more) = sides.lone.len().checked_sub(most).filter(|more| *more > 0) {
        block.remarks.push(format!("{more} more cells: --all and JSON have them."));
    }
    Some(block)
}
