//! A model's memory on a device: told and seen, first use, growth over requests, what fits. Terminal, markdown and JSON.

use serde_json::json;
use yardstick_analyse::memory::{
    Account, FirstUseLine, FitCheck, FitLine, LiveMemory, MemoryGrowth,
};
use yardstick_api::Known;

use crate::blocks::cells::{self, Notes};
use crate::blocks::memory::signed;
use crate::blocks::{Block, Field, Head};
use crate::json_escape;
use crate::markdown::push_block as push_markdown;
use crate::number::{bytes, digits};
use crate::profile::words::{signed as signed_time, time};
use crate::terminal::{NARROWEST, push_block as push_text};
use crate::text::elide;

/// Characters of a name, and of a reason.
const NAME: usize = 60;
const REASON: usize = 160;
/// Growth that is less than this a request is of no use to anyone, bytes: a page.
const PAGE: f64 = 4096.0;

/// Text at most `width` wide.
pub fn memory_terminal(live: &LiveMemory, width: usize) -> String {
    let mut text = String::new();
    for block in blocks(live) {
        push_text(&mut text, &block, width.max(NARROWEST));
    }
    text.trim_start().to_owned()
}

/// GitHub-flavoured tables.
pub fn memory_markdown(live: &LiveMemory) -> String {
    let mut text = String::new();
    for block in blocks(live) {
        push_markdown(&mut text, &block);
    }
    text.trim_start().to_owned()
}

/// Everything, as one object.
pub fn memory_json(live: &LiveMemory) -> String {
    let all = json!({ "memory": live, "difference_bytes": live.account.difference() });
    json_escape(&format!("{all:#}\n"))
}

fn blocks(live: &LiveMemory) -> Vec<Block> {
    let name = format!("{} on {}", elide(&live.model, NAME), elide(&live.device, NAME));
    let mut blocks = vec![account(&name, &live.account)];
    if !live.first_use.is_empty() {
        blocks.push(first_use(&live.first_use));
    }
    blocks.extend(live.growth.as_ref().map(growth));
    if !live.fits.is_empty() {
        blocks.push(fits(live));
    }
    blocks
}

fn account(name: &str, account: &Account) -> Block {
    let heads = vec![cells::words("memory"), cells::number("bytes".to_owned(), 0)];
    let mut notes = Notes::default();
    let told = |name: &str, value: u64| {
        vec![cells::text(name.to_owned()), cells::text(bytes(value as f64))]
    };
    let held = &account.held;
    let mut rows = vec![
        told("weights, mapped", held.mapped_bytes),
        told("weights, copied", held.copied_bytes),
        told("keys and values", held.kv_bytes),
        told("scratch", held.scratch_bytes),
        told("told by the backend", held.total()),
    ];
    let mut seen = |name: &str, known: &Known<f64>, write: fn(f64) -> String| {
        let value = cells::known(known, &mut notes, |value| write(*value));
        rows.push(vec![cells::text(name.to_owned()), value]);
    };
    seen("seen: growth of PSS", &account.seen_bytes, bytes);
    seen("  of it of no file", &account.anonymous_bytes, bytes);
    seen("difference, seen less told", &account.difference(), signed);
    seen("major faults, load and use", &account.major_faults, digits);
    seen("minor faults, load and use", &account.minor_faults, digits);
    let mut block = Block::new(format!("Memory of {name}"), heads).fill(rows, notes);
    block.remarks = vec![
        "Below 0: told and never touched, or shared with another process. Above 0: what nobody accounts for.".to_owned(),
    ];
    block
}

fn first_use(lines: &[FirstUseLine]) -> Block {
    let number = |title: &str, gives_way| cells::number(title.to_owned(), gives_way);
    let heads = vec![
        cells::words("weights"),
        Head { gives_way: 0, ..cells::words("page cache") },
        number("mapped", 3),
        number("copied", 3),
        number("load", 0),
        number("first token", 0),
        number("steady", 0),
        number("first use costs", 0),
        number("major faults: load", 1),
        number("first token", 1),
        number("steady", 4),
    ];
    let mut notes = Notes::default();
    let known = |value: Option<f64>, write: fn(f64) -> String| match value {
        Some(value) => cells::text(write(value)),
        None => cells::text("–".to_owned()),
    };
    let row = |line: &FirstUseLine, notes: &mut Notes| -> Vec<Field> {
        let mut row = vec![
            cells::text(line.way.to_owned()),
            cells::text(if line.cold { "dropped" } else { "warm" }.to_owned()),
            cells::text(bytes(line.weights[0] as f64)),
            cells::text(bytes(line.weights[1] as f64)),
            cells::text(time(line.load_ns as f64)),
            cells::text(time(line.first_ns as f64)),
            known(line.steady(), time),
            known(line.first_use_cost(), signed_time),
        ];
        row.extend(
            line.major_faults
                .iter()
                .map(|faults| cells::known(faults, notes, |faults| digits(*faults))),
        );
        row
    };
    let rows = lines.iter().map(|line| row(line, &mut notes)).collect();
    let mut block = Block::new("First use: mapped against copied".to_owned(), heads);
    block = block.fill(rows, notes);
    block.remarks = vec![
        "The first token after loading against the median of the 24 after it. Dropped: the system was asked to forget the files first; what another process maps stays."
            .to_owned(),
    ];
    block
}

fn growth(growth: &Known<MemoryGrowth>) -> Block {
    let heads = vec![
        cells::words("growth"),
        cells::number("a request".to_owned(), 0),
        cells::number("95 % interval".to_owned(), 0),
        cells::number("requests".to_owned(), 2),
    ];
    let mut notes = Notes::default();
    let value = cells::known(growth, &mut notes, |growth| signed(growth.slope));
    let rest = growth.value().map(|growth| {
        let interval = growth.interval;
        let range = format!("{} to {}", signed(interval.low), signed(interval.high));
        (range, growth.requests.to_string())
    });
    let (range, requests) = rest.unwrap_or_default();
    let row = vec![
        cells::text("memory of no file".to_owned()),
        value,
        cells::text(range),
        cells::text(requests),
    ];
    let title = "Growth from request to request".to_owned();
    let mut block = Block::new(title, heads).fill(vec![row], notes);
    block.sentences = growth.value().map(verdict).into_iter().collect();
    block
}

/// What the slope says.
fn verdict(growth: &MemoryGrowth) -> String {
    match (growth.grows, growth.interval.low > PAGE, growth.interval.high < PAGE) {
        (true, true, _) => format!(
            "LEAKS: every request keeps {}; a thousand keep {}.",
            bytes(growth.slope),
            bytes(1000.0 * growth.slope)
        ),
        (true, false, _) => format!(
            "Grows by {} a request, less than a page: look again with more requests.",
            bytes(growth.slope)
        ),
        (false, _, true) => "No growth: a page a request would have been seen.".to_owned(),
        (false, _, false) => format!(
            "No growth shown; {} a request would not have been seen: make more requests.",
            bytes(growth.interval.high.max(0.0))
        ),
    }
}

fn fits(live: &LiveMemory) -> Block {
    let number = |title: &str, gives_way| cells::number(title.to_owned(), gives_way);
    let heads = vec![
        number("batch", 0),
        number("up to depth", 0),
        number("takes", 0),
        number("of it KV", 2),
        cells::words("standing"),
        Head { gives_way: 1, ..cells::words("why no deeper") },
    ];
    let row = |line: &FitLine| -> Vec<Field> {
        let standing = match &line.checked {
            Known::Value(check) => checked(line, check),
            Known::Unavailable { unavailable } => {
                format!("computed: {}", elide(unavailable, REASON))
            }
        };
        [
            line.batch.to_string(),
            line.depth.to_string(),
            bytes(line.bytes as f64),
            bytes(line.kv_bytes as f64),
            standing,
            elide(&line.stop, REASON),
        ]
        .map(cells::text)
        .into()
    };
    let rows = live.fits.iter().map(row).collect();
    let title = "What fits: the deepest context of each batch".to_owned();
    let mut block = Block::new(title, heads).fill(rows, Notes::default());
    block.remarks = vec![match &live.budget_bytes {
        Known::Value(budget) => format!(
            "By the backend's plan, within {} that may be taken: 90 % of what is free. Nothing beyond it is tried.",
            bytes(*budget as f64)
        ),
        Known::Unavailable { unavailable } => {
            format!("By the backend's plan alone; nothing is tried: {}", elide(unavailable, REASON))
        }
    }];
    if live.fits.iter().any(|fit| fit.depth > live.trained_context) {
        let made_for = live.trained_context;
        block.remarks.push(format!("The model was made for {made_for} positions; deeper ones fit, their answers are another matter."));
    }
    block
}

/// `checked: 2048 of 2048 filled, +123 MiB seen`.
fn checked(line: &FitLine, check: &FitCheck) -> String {
    let seen = match &check.seen_bytes {
        Known::Value(seen) => format!(", {} seen", signed(*seen)),
        Known::Unavailable { .. } => String::new(),
    };
    let over = if check.timed_out { " when its time was over" } else { "" };
    format!("checked: loaded, {} of {} filled{over}{seen}", check.positions, line.depth)
}
