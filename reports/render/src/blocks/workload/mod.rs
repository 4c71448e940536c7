//! The blocks of workloads: conversations, queues, several sequences or processes at once, starts, hard inputs.

mod batch;
mod chat;
mod cold;
mod robust;
mod serve;
mod together;

use yardstick_analyse::{Comparison, Row, WorkloadView};
use yardstick_api::Known;
use yardstick_record::Metric;

use super::cells::{self, Notes};
use super::{Block, Field, Head};
use crate::number;
use crate::text::elide;

/// Characters of a name.
const NAME: usize = 34;

/// Those that a comparison has something for.
pub(super) fn blocks(comparison: &Comparison) -> Vec<Block> {
    let mut blocks = Vec::new();
    for row in &comparison.rows {
        match &row.workload {
            Some(WorkloadView::Chat(view)) => blocks.push(chat::block(comparison, row, view)),
            Some(WorkloadView::Serve(view)) => blocks.push(serve::block(comparison, row, view)),
            Some(WorkloadView::Robust(view)) => blocks.push(robust::block(comparison, row, view)),
            Some(WorkloadView::Together(_) | WorkloadView::Cold(_)) | None => {}
        }
    }
    blocks.extend(batch::block(comparison));
    blocks.extend(together::block(comparison));
    blocks.extend(cold::block(comparison));
    blocks
}

/// `Conversations: smollm-135m:Q4_0 on cpu:avx2`.
fn title(what: &str, comparison: &Comparison, row: &Row) -> String {
    format!("{what}: {} on {}", elide(&row.model, NAME), device(comparison, row))
}

/// The device, and what tells the row apart from others of it but for its data, which stand beside.
fn device(comparison: &Comparison, row: &Row) -> String {
    let varying = comparison.varying.iter().filter(|name| **name != "data");
    let words: Vec<String> =
        varying.filter_map(|name| Some(format!("{name} {}", row.settings.get(name)?))).collect();
    let member = elide(&row.member(), NAME);
    match words.is_empty() {
        true => member,
        false => format!("{member} ({})", elide(&words.join(", "), NAME)),
    }
}

fn number_head(title: &str, gives_way: u8) -> Head {
    cells::number(title.to_owned(), gives_way)
}

/// A time, or a footnote.
fn time(value: &Known<f64>, notes: &mut Notes) -> Field {
    cells::known(value, notes, |ns| number::value(Metric::TimeNs, *ns))
}

/// A share that was told in percent.
fn percent(value: f64) -> String {
    format!("{value:.1} %")
}
