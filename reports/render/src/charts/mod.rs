//! Charts of a comparison, as SVG that stands inside the page.

use serde::Serialize;
use yardstick_analyse::Comparison;

/// A chart, or the sentence that stands in its place.
#[derive(Serialize)]
pub(crate) struct Chart {
    /// Heading above it, on the first of its kind.
    pub(crate) heading: Option<&'static str>,
    /// What it shows, for who cannot see it.
    pub(crate) title: String,
    /// What it shows and how to read it; or why there is no chart.
    pub(crate) caption: String,
    /// The drawing.
    pub(crate) svg: Option<String>,
}

/// Every chart of the page.
pub(crate) fn charts(_comparison: &Comparison) -> Vec<Chart> {
    Vec::new()
}
