//! Agreements: how often a small model predicts what a large one does, on the same text.

use yardstick_api::Known;
use yardstick_record::{Metric, Test};

use crate::tradeoff::is_held_against_itself;
use crate::{Comparison, Estimate, Row};

/// A model held against another one.
#[derive(Clone, Copy, Debug)]
pub struct Agreement<'a> {
    /// Its row.
    pub row: &'a Row,
    /// The model that was asked.
    pub small: &'a str,
    /// The model whose predictions it was held against.
    pub large: &'a str,
    /// The text.
    pub data: &'a str,
    /// Positions at which both find the same word likeliest.
    pub top1: &'a Known<Estimate>,
    /// Likeliest five words that they share.
    pub top5: &'a Known<Estimate>,
    /// Divergence from the large one's predictions.
    pub kld: &'a Known<Estimate>,
}

/// Where a score was not told.
static UNTOLD: std::sync::LazyLock<Known<Estimate>> =
    std::sync::LazyLock::new(|| Known::unavailable("not told"));

/// Every row whose answers were held against those of another model, not of another format of its own.
pub fn agreements(comparison: &Comparison) -> Vec<Agreement<'_>> {
    let kld = |row: &&Row| matches!(row.cell.test, Test::Kld { .. });
    let apart = comparison.rows.iter().filter(kld).filter(|row| !is_held_against_itself(row));
    apart.filter_map(agreement).collect()
}

fn agreement(row: &Row) -> Option<Agreement<'_>> {
    let quality = row.quality.as_ref()?;
    let score = |metric| row.metrics.get(&metric).unwrap_or(&UNTOLD);
    Some(Agreement {
        row,
        small: &row.model,
        large: &quality.reference.as_ref()?.model,
        data: &quality.data.name,
        top1: score(Metric::Top1Agreement),
        top5: score(Metric::Top5Agreement),
        kld: score(Metric::KldMean),
    })
}
