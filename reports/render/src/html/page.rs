//! What the template prints: every string harmless, every number already written.

use serde::Serialize;
use yardstick_analyse::{Comparison, Row};
use yardstick_record::Record;

use super::blocks::{Section, sections};
use super::environment::{Device, Machine, Run, devices, machines, runs};
use super::imports::{Import, imports};
use super::predictions::{Predictions, predictions};
use super::ratios::{Ratios, ratios};
use super::summary::{Model, Tail, Tile, Unranked, fastest, lead, tails, tiles, unranked};
use crate::charts::{Chart, charts, interference};
use crate::columns::status;
use crate::folds::Fold;
use crate::number;
use crate::ratios::remarks;
use crate::soak;
use crate::sources::sources;
use crate::table::{Column, Kind, Shape, Shown, Table, Tone, legend};
use crate::text::elide;

/// What the page says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Heading: the suite's name, or what was asked.
    pub title: String,
    /// When the page was made, RFC 3339.
    pub generated: String,
    /// The program that made it, with its version.
    pub tool: String,
}

#[derive(Serialize)]
pub(super) struct Page {
    style: &'static str,
    script: &'static str,
    script_hash: &'static str,
    title: String,
    generated: String,
    tool: String,
    lead: String,
    tiles: Vec<Tile>,
    tests: Vec<String>,
    fastest: Vec<Model>,
    unranked: Vec<Unranked>,
    ratios: Vec<Ratios>,
    ratio_ends: [String; 2],
    remarks: Vec<String>,
    blocks: Vec<Section>,
    columns: Vec<Heading>,
    models: Vec<Rows>,
    notes: Vec<String>,
    folds: Vec<Folded>,
    legend: String,
    sources: Vec<String>,
    soaks: Vec<soak::Line>,
    soak_headings: [&'static str; 5],
    soak_legend: &'static str,
    charts: Vec<Chart>,
    tails: Vec<Tail>,
    predictions: Option<Predictions>,
    troubles: Vec<Trouble>,
    imports: Vec<Import>,
    machines: Vec<Machine>,
    devices: Vec<Device>,
    runs: Vec<Run>,
    reruns: Vec<String>,
}

#[derive(Serialize)]
struct Heading {
    title: &'static str,
    number: bool,
}

/// The rows of one model.
#[derive(Serialize)]
struct Rows {
    model: String,
    /// Its size, parameters, format and hash, as far as known.
    about: String,
    rows: Vec<Vec<Cell>>,
}

#[derive(Serialize)]
struct Cell {
    text: String,
    note: Option<usize>,
    detail: Option<String>,
    class: &'static str,
}

/// Skipped cells told together.
#[derive(Serialize)]
struct Folded {
    line: String,
    cells: Vec<String>,
}

/// A cell of the plan without numbers.
#[derive(Serialize)]
struct Trouble {
    status: &'static str,
    device: String,
    model: String,
    test: String,
    reason: String,
    rerun: String,
}

/// Characters of a reason or a command; JSON has the rest.
const LONG: usize = 600;
/// Commands listed.
const COMMANDS: usize = 200;

pub(super) fn page(
    comparison: &Comparison,
    records: &[Record],
    meta: &Meta,
    style: &'static str,
) -> Page {
    let table = table(comparison);
    let (tests, fastest) = fastest(comparison);
    let (ratios, ratio_ends) = ratios(comparison);
    Page {
        style,
        script: super::SCRIPT,
        script_hash: super::SCRIPT_HASH,
        title: elide(&meta.title, 120),
        generated: elide(&meta.generated, 60),
        tool: elide(&meta.tool, 120),
        lead: lead(comparison, records),
        tiles: tiles(comparison),
        tests,
        fastest,
        unranked: unranked(comparison),
        ratios,
        ratio_ends,
        remarks: remarks(comparison),
        blocks: sections(comparison),
        columns: table
            .columns
            .iter()
            .map(|c| Heading { title: c.title, number: c.kind != Kind::Text })
            .collect(),
        models: models(&table),
        notes: table.notes.clone(),
        folds: table.folds.iter().map(folded).collect(),
        legend: legend(comparison).unwrap_or_default(),
        sources: sources(comparison),
        soaks: soak::lines(&comparison.soaks),
        soak_headings: soak::HEADINGS,
        soak_legend: soak::LEGEND,
        charts: charts(comparison).into_iter().chain(interference(records)).collect(),
        tails: tails(comparison),
        predictions: predictions(records),
        imports: imports(records),
        troubles: table.shown.iter().filter_map(|row| trouble(row)).collect(),
        machines: machines(records),
        devices: devices(records),
        runs: runs(records),
        reruns: reruns(comparison),
    }
}

/// The table without what is the same for every row of a model, and with what matters most to the left, for narrow screens.
fn table(comparison: &Comparison) -> Table<'_> {
    let place = |column: &&Column| match (column.id, column.shown) {
        ("device", _) => 0,
        (_, Shown::IfVarying(_) | Shown::Beside(..)) => 1,
        ("test" | "result", _) => 2,
        _ => 3,
    };
    let mut columns = Table::of(comparison).columns;
    columns.retain(|column| !["model", "size_bytes", "params"].contains(&column.id));
    columns.sort_by_key(place);
    Table::with(comparison, columns)
}

/// Neighbouring rows of one model under its name.
fn models(table: &Table<'_>) -> Vec<Rows> {
    let mut models: Vec<Rows> = Vec::new();
    let mut last = None;
    for (row, shapes) in table.shown.iter().zip(&table.rows) {
        if last.replace(&row.model) != Some(&row.model) {
            models.push(Rows { model: elide(&row.model, 100), about: about(row), rows: vec![] });
        }
        if let Some(model) = models.last_mut() {
            model.rows.push(cells(table, shapes));
        }
    }
    models
}

fn about(row: &Row) -> String {
    let model = &row.cell.model;
    let words = [
        model.file_bytes.value().map(|bytes| number::bytes(*bytes as f64)),
        model.parameters.value().map(|n| format!("{} parameters", number::params(*n))),
        model.architecture.value().map(|name| elide(name, 40)),
        model.random_weights.as_ref().map(|why| elide(why, 80)),
        model.sha256.value().map(|hash| format!("SHA-256 {}", elide(hash, 17))),
    ];
    let known: Vec<String> = words.into_iter().flatten().collect();
    if known.is_empty() { model.sha256.reason().unwrap_or("").into() } else { known.join(" · ") }
}

fn cells(table: &Table<'_>, row: &[Shape]) -> Vec<Cell> {
    let class = |shape: &Shape, kind: Kind| match (shape.tone, kind) {
        (Tone::Good, _) => "good",
        (Tone::Bad, Kind::Headline) => "bad trouble",
        (Tone::Bad, _) => "bad",
        (Tone::Faint, Kind::Headline) => "faint trouble",
        (Tone::Faint, Kind::Text) => "faint",
        (Tone::Faint, _) => "faint number",
        (Tone::Plain, Kind::Text) => "",
        (Tone::Plain, Kind::Headline) => "number headline",
        (Tone::Plain, _) => "number",
    };
    row.iter()
        .zip(&table.columns)
        .map(|(shape, column)| Cell {
            text: shape.text.clone(),
            note: shape.note,
            detail: shape.detail.clone(),
            class: class(shape, column.kind),
        })
        .collect()
}

fn folded(fold: &Fold<'_>) -> Folded {
    Folded { line: fold.line(), cells: fold.cells() }
}

fn trouble(row: &Row) -> Option<Trouble> {
    (!row.outcome.is_ok()).then(|| Trouble {
        status: status(&row.outcome),
        device: elide(&row.cell.device, 60),
        model: elide(&row.model, 60),
        test: row.cell.test.to_string(),
        reason: elide(&yardstick_analyse::describe(&row.outcome), LONG),
        rerun: elide(&row.rerun, LONG),
    })
}

fn reruns(comparison: &Comparison) -> Vec<String> {
    let mut commands: Vec<String> =
        comparison.rows.iter().map(|row| elide(&row.rerun, LONG)).collect();
    commands.sort();
    commands.dedup();
    commands.truncate(COMMANDS);
    commands
}
