//! The block of memory: what backends say they hold, what the system saw, and the difference.

use yardstick_analyse::memory::{Held, Reconciled};
use yardstick_api::Known;

use super::cells::{self, Notes};
use super::{Block, Field, Head};
use crate::number::{bytes, digits};
use crate::text::elide;

/// Characters of a name.
const NAME: usize = 34;

/// A row a model on a device.
pub(super) fn block(all: &[Reconciled]) -> Option<Block> {
    if all.is_empty() {
        return None;
    }
    let number = |title: &str, gives_way| cells::number(title.to_owned(), gives_way);
    let heads = vec![
        cells::words("model"),
        cells::words("device"),
        number("told", 0),
        number("seen", 0),
        Head { gives_way: 5, ..cells::words("as") },
        number("difference", 0),
        number("of it of no file", 1),
        number("weights mapped", 3),
        number("copied", 3),
        number("KV", 4),
        number("scratch", 4),
        number("peak RSS", 2),
        number("major faults", 5),
        Head { gives_way: 6, ..cells::words("options") },
    ];
    let mut notes = Notes::default();
    let rows = all.iter().map(|one| row(one, &mut notes)).collect();
    let title = "Memory: what backends tell and what the system saw".to_owned();
    let mut block = Block::new(title, heads).fill(rows, notes);
    block.sentences = farthest(all).into_iter().collect();
    block.remarks = vec![
        "Told: weights, keys and values, scratch, by the backend's own account. Seen: PSS of its worker after the samples, shared pages divided among who maps them; of a graphics board its memory. \
         Difference: above 0 the program itself and what nobody accounts for; below 0 told and not touched. What of it is not of no file are pages of files: the program, and parts of the model that were read to pack them."
            .to_owned(),
    ];
    Some(block)
}

fn row(one: &Reconciled, notes: &mut Notes) -> Vec<Field> {
    let held = |of: fn(&Held) -> u64, notes: &mut Notes| {
        cells::known(&one.held, notes, |held| bytes(of(held) as f64))
    };
    vec![
        cells::text(elide(&one.model, NAME)),
        cells::text(elide(&one.device, NAME)),
        held(Held::total, notes),
        cells::known(&one.seen_bytes, notes, |seen| bytes(*seen)),
        cells::text(one.seen_as.to_owned()),
        cells::known(&one.difference_bytes, notes, |difference| signed(*difference)),
        cells::known(&one.private_difference_bytes, notes, |difference| signed(*difference)),
        held(|held| held.mapped_bytes, notes),
        held(|held| held.copied_bytes, notes),
        held(|held| held.kv_bytes, notes),
        held(|held| held.scratch_bytes, notes),
        cells::known(&one.peak_bytes, notes, |peak| bytes(*peak)),
        cells::known(&one.major_faults, notes, |faults| digits(*faults)),
        cells::text(elide(&one.options, NAME)),
    ]
}

/// `+12.3 MiB`.
pub(crate) fn signed(difference: f64) -> String {
    let sign = if difference < 0.0 { "−" } else { "+" };
    format!("{sign}{}", bytes(difference.abs()))
}

/// Where told and seen are farthest apart.
fn farthest(all: &[Reconciled]) -> Option<String> {
    let share = |one: &Reconciled| match (&one.difference_bytes, &one.held) {
        (Known::Value(difference), Known::Value(held)) if held.total() > 0 => {
            Some(difference / held.total() as f64)
        }
        _ => None,
    };
    let each = all.iter().filter_map(|one| Some((one, share(one)?)));
    let (one, share) = each.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))?;
    let difference = *one.difference_bytes.value()?;
    Some(format!(
        "Farthest apart: {} on {}, {} ({:.0} % of what is told).",
        elide(&one.model, NAME),
        elide(&one.device, NAME),
        signed(difference),
        100.0 * share.abs()
    ))
}
