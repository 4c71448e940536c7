//! The terminal table: as many columns as fit, never wider than told.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, TableStyle, Width,
};
use yardstick_analyse::Comparison;

use crate::blocks::{self, Block, blocks};
use crate::ratios::{Line, groups, remarks};
use crate::soak;
use crate::sources::sources;
use crate::table::{Kind, Shape, Shown, Table, Tone, legend};
use crate::text::superscript;

/// Signs of no width that stand for colours until the table is laid out; `text::clean` lets none of them in.
const TONES: [(char, &str); 4] = [
    ('\u{2061}', "\x1b[32m"),
    ('\u{2062}', "\x1b[31m"),
    ('\u{2063}', "\x1b[2m"),
    ('\u{2064}', "\x1b[0m"),
];
/// Room between columns: half of it the left one's padding, half comfy-table's separator, a space.
const GAP: usize = 2;
/// Width of a column whose cells can wrap; it grows where there is room.
const WRAP: usize = 16;
/// Narrowest table laid out; below it the terminal wraps.
pub(crate) const NARROWEST: usize = 40;

/// A table at most `width` columns wide, then its footnotes. `colour`: the output is a terminal that takes colours.
pub fn terminal(comparison: &Comparison, width: usize, colour: bool) -> String {
    if comparison.rows.is_empty() {
        return "no records\n".to_owned();
    }
    let width = width.max(NARROWEST);
    let whole = Table::of(comparison);
    let columns = fit(&whole, width).into_iter().map(|i| whole.columns[i]).collect();
    let table = Table::with(comparison, columns);
    let mut text = String::new();
    if !table.rows.is_empty() {
        text.push_str(&paint(&lay_out(&table, width), colour));
        text.push('\n');
    }
    for (index, note) in table.notes.iter().enumerate() {
        push_wrapped(&mut text, &format!("{} {note}", superscript(index + 1)), width);
    }
    for fold in &table.folds {
        push_wrapped(&mut text, &fold.line(), width);
    }
    if let Some(legend) = legend(comparison) {
        push_wrapped(&mut text, &legend, width);
    }
    for source in sources(comparison) {
        push_wrapped(&mut text, &source, width);
    }
    if !table.columns.iter().any(|column| column.id == "marks")
        && let Some(note) = left_out(comparison)
    {
        push_wrapped(&mut text, &note, width);
    }
    push_soaks(&mut text, comparison, width);
    push_ratios(&mut text, comparison, width, colour);
    for block in blocks(comparison) {
        push_block(&mut text, &block, width);
    }
    text
}

/// A table of its own, then what follows from it.
pub(crate) fn push_block(out: &mut String, block: &Block, width: usize) {
    out.push('\n');
    push_wrapped(out, &block.title, width);
    let (lines, notes) = blocks::lay_out(block, width);
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    for note in notes {
        let text = &block.notes[note - 1];
        push_wrapped(out, &format!("{} {text}", superscript(note)), width);
    }
    for line in block.sentences.iter().chain(&block.conclusions).chain(&block.remarks) {
        push_wrapped(out, line, width);
    }
}

/// Soaks, a block of lines each.
fn push_soaks(out: &mut String, comparison: &Comparison, width: usize) {
    let lines = soak::lines(&comparison.soaks);
    for line in &lines {
        out.push('\n');
        push_wrapped(out, &format!("soak of {} on {}", line.model, line.device), width);
        for (heading, value) in soak::HEADINGS.iter().zip(&line.values) {
            push_wrapped(out, &format!("  {heading}: {value}"), width);
        }
        push_wrapped(out, &line.remark, width);
    }
    if !lines.is_empty() {
        push_wrapped(out, soak::LEGEND, width);
    }
}

/// The ratios under their baselines, then what they must be held against.
fn push_ratios(out: &mut String, comparison: &Comparison, width: usize, colour: bool) {
    let groups = groups(comparison);
    let lines = || groups.iter().flat_map(|group| &group.lines);
    let longest =
        |text: fn(&Line) -> &str| lines().map(|l| text(l).chars().count()).max().unwrap_or(0);
    let (name, words) = (longest(|line| &line.name), longest(|line| &line.words));
    for group in &groups {
        out.push('\n');
        push_wrapped(out, &format!("{}, against {}", group.what, group.against), width);
        for line in &group.lines {
            let head = format!("  {:<name$}  ", line.name);
            let tail = format!("{:<words$}  {}", line.words, line.n);
            if head.chars().count() + tail.chars().count() <= width {
                let shape = Shape { text: tail, note: None, tone: line.tone, detail: None };
                out.push_str(&paint(&format!("{head}{}", marked(&shape)), colour));
                out.push('\n');
            } else {
                push_wrapped(out, &format!("  {}: {}, {}", line.name, line.words, line.n), width);
            }
        }
    }
    if !groups.is_empty() {
        out.push('\n');
    }
    for line in remarks(comparison) {
        push_wrapped(out, &line, width);
    }
}

/// Evidence against samples is never silent, even where its column has no room.
fn left_out(comparison: &Comparison) -> Option<String> {
    let rows =
        comparison.rows.iter().filter(|row| !row.marks.is_empty() || row.unsteady > 0).count();
    let all = comparison.rows.len();
    (rows > 0).then(|| {
        format!(
            "{rows} of {all} rows have marks (starved, throttled, never steady): a wider terminal or the page shows them."
        )
    })
}

fn lay_out(table: &Table, width: usize) -> String {
    let rule = LineStyle::none().fill('─').junction('─');
    let mut out = comfy_table::Table::new();
    out.load_style(TableStyle::new().header_separator(rule))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX));
    let right = |i: usize| table.columns[i].kind != Kind::Text;
    let align = |cell: Cell, right: bool| {
        cell.set_alignment(if right { CellAlignment::Right } else { CellAlignment::Left })
    };
    out.set_header(
        table.columns.iter().enumerate().map(|(i, c)| align(Cell::new(c.title), right(i))),
    );
    for row in &table.rows {
        // Prose in a column of numbers reads from the left.
        let cell = |(i, shape): (usize, &Shape)| {
            align(Cell::new(marked(shape)), right(i) && !wraps(shape))
        };
        out.add_row(row.iter().enumerate().map(cell));
    }
    for (i, wide) in widths(table, width).into_iter().enumerate() {
        let wide = u16::try_from(wide + GAP / 2).unwrap_or(u16::MAX);
        if let Some(column) = out.column_mut(i) {
            column.set_padding((0, 1));
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(wide)));
        }
    }
    let lines: Vec<String> = out.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Widths of the columns without their gaps: natural where there is room, else the widest give.
fn widths(table: &Table, width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = (0..table.columns.len()).map(|i| wide(table, i)).collect();
    let room = width - GAP * widths.len();
    if let Some(i) = table.columns.iter().position(|column| column.kind == Kind::Headline) {
        let natural = table.rows.iter().map(|row| size(&row[i])).max().unwrap_or(0);
        let spare = room.saturating_sub(widths.iter().sum());
        widths[i] = natural.clamp(widths[i], widths[i] + spare);
    }
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > 4 => *widest -= 1,
            _ => break,
        }
    }
    widths
}

fn wide(table: &Table, column: usize) -> usize {
    let cells = table.rows.iter().map(|row| &row[column]);
    let sizes = cells.map(|shape| if wraps(shape) { size(shape).min(WRAP) } else { size(shape) });
    sizes.chain([table.columns[column].title.chars().count()]).max().unwrap_or(0)
}

/// Prose: it may stand on several lines.
fn wraps(shape: &Shape) -> bool {
    shape.text.contains(": ")
}

/// Indices of the columns that fit; those that give way first are dropped first.
fn fit(table: &Table, width: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..table.columns.len()).collect();
    while kept.iter().map(|&i| wide(table, i) + GAP).sum::<usize>() > width {
        let places = kept.iter().enumerate().filter(|(_, i)| gives_way(table, **i) > 0);
        let Some((place, _)) = places.max_by_key(|(_, i)| gives_way(table, **i)) else { break };
        kept.remove(place);
    }
    kept
}

fn gives_way(table: &Table, column: usize) -> u8 {
    match (table.columns[column].id, table.columns[column].shown) {
        ("threads", _) if table.threads_vary => 1,
        (
            _,
            Shown::Always(n)
            | Shown::IfVarying(n)
            | Shown::Beside(_, n)
            | Shown::IfApplies(n)
            | Shown::IfKnown(n),
        ) => n,
        (_, Shown::Never) => u8::MAX,
    }
}

fn size(shape: &Shape) -> usize {
    shape.text.chars().count() + shape.note.map_or(0, |note| superscript(note).chars().count())
}

fn marked(shape: &Shape) -> String {
    let note = shape.note.map(superscript).unwrap_or_default();
    let text = format!("{}{note}", shape.text);
    let [good, bad, faint, end] = TONES.map(|(sign, _)| sign);
    let start = match shape.tone {
        Tone::Plain => return text,
        Tone::Good => good,
        Tone::Bad => bad,
        Tone::Faint => faint,
    };
    // Only the first word: a colour must end on the line it started on, and cells wrap between words.
    match text.split_once(' ') {
        Some((first, rest)) => format!("{start}{first}{end} {rest}"),
        None => format!("{start}{text}{end}"),
    }
}

fn paint(text: &str, colour: bool) -> String {
    let mut painted = text.to_owned();
    for (sign, code) in TONES {
        painted = painted.replace(sign, if colour { code } else { "" });
    }
    painted
}

/// Words on lines of at most `width`, indented from the second; a word longer than a line is cut.
pub(crate) fn push_wrapped(out: &mut String, text: &str, width: usize) {
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let room = width - 2;
            let take = rest.len().min(room);
            if used > 0 && used + 1 + take > width {
                out.push_str("\n  ");
                used = 2;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.extend(rest.drain(..take));
            used += take;
        }
    }
    out.push('\n');
}
