//! Workloads: what conversations, queues, crowds, starts and hard inputs amount to. Every figure is a function of the records.

mod chat;
mod cold;
mod robust;
mod serve;
mod together;

use yardstick_api::Known;
use yardstick_record::{Metric, Record, Test, Workload};

use crate::estimate::sorted;
use crate::latency::least_samples;

pub use chat::{ChatView, TurnLine};
pub use cold::ColdView;
pub use robust::{CheckLine, RobustView};
pub use serve::{Bracket, ServeView, TrialLine};
pub use together::TogetherView;

/// What the launches of a row amount to.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkloadView {
    /// Conversations.
    Chat(ChatView),
    /// A queue.
    Serve(ServeView),
    /// Several processes.
    Together(TogetherView),
    /// Starts.
    Cold(ColdView),
    /// Hard inputs.
    Robust(RobustView),
}

/// The view of records of one cell that ended well.
pub(crate) fn view(records: &[&Record]) -> Option<WorkloadView> {
    match records.iter().find_map(|record| record.workload.as_deref())? {
        Workload::Chat(_) => chat::view(records).map(WorkloadView::Chat),
        Workload::Serve(_) => serve::view(records).map(WorkloadView::Serve),
        Workload::Together(_) => together::view(records).map(WorkloadView::Together),
        Workload::Cold(_) => cold::view(records).map(WorkloadView::Cold),
        Workload::Robust(_) => robust::view(records).map(WorkloadView::Robust),
    }
}

/// The metric that such a test is about.
pub(crate) fn headline(test: Test) -> Option<Metric> {
    match test {
        Test::Chat => Some(Metric::FirstTokenNs),
        Test::Serve => Some(Metric::Goodput),
        Test::Capacity => Some(Metric::Capacity),
        Test::Together { .. } => Some(Metric::TokensPerSecond),
        Test::Cold => Some(Metric::TimeNs),
        Test::Robust => Some(Metric::ChecksPassed),
        _ => None,
    }
}

/// Whether a metric is told by such a test.
pub(crate) fn applies(metric: Metric, test: Test) -> bool {
    match metric {
        Metric::FirstTokenNs => matches!(test, Test::Chat | Test::Serve),
        Metric::PrefixSaving => test == Test::Chat,
        Metric::TokenLatencyNs => matches!(test, Test::Chat | Test::Serve),
        Metric::Goodput | Metric::RequestErrors => test == Test::Serve,
        Metric::Capacity => test == Test::Capacity,
        Metric::Slowdown | Metric::TokensPerSecond => matches!(test, Test::Together { .. }),
        Metric::ChecksPassed => test == Test::Robust,
        Metric::TimeNs => test == Test::Cold,
        Metric::PeakRssBytes | Metric::RssBytes => !matches!(test, Test::Cold),
        _ => false,
    }
}

/// The values of one launch, of metrics that only workloads have.
pub(crate) fn values(metric: Metric, record: &Record) -> Known<Vec<f64>> {
    let Some(workload) = record.workload.as_deref() else {
        return Known::unavailable("the record has no workload");
    };
    match (metric, workload) {
        (Metric::FirstTokenNs, Workload::Chat(chat)) => chat::first_tokens(chat, record),
        (Metric::PrefixSaving, Workload::Chat(chat)) => {
            chat::saving(chat, record).map(|saving| vec![saving])
        }
        (Metric::FirstTokenNs, Workload::Serve(serve)) => serve::first_tokens(serve, record),
        (Metric::Goodput | Metric::RequestErrors | Metric::Capacity, Workload::Serve(serve)) => {
            serve::value(metric, serve, record).map(|value| vec![value])
        }
        (Metric::TokensPerSecond | Metric::Slowdown, Workload::Together(together)) => {
            together::value(metric, together, record).map(|value| vec![value])
        }
        (Metric::ChecksPassed, Workload::Robust(robust)) => {
            robust::passed(robust).map(|value| vec![value])
        }
        _ => Known::unavailable("this workload does not tell it"),
    }
}

/// The order statistic at or above so many percent of the values, where there are enough of them to state one.
fn percentile(values: &[f64], percent: u8, what: &str) -> Known<f64> {
    let (n, least) = (values.len(), least_samples(percent));
    if n < least {
        return Known::unavailable(format!("n too small: {n} {what}, p{percent} needs {least}"));
    }
    Known::Value(sorted(values)[(n * usize::from(percent)).div_ceil(100).max(1) - 1])
}

/// The median, however few there are.
fn middle(values: &[f64], what: &str) -> Known<f64> {
    crate::median(&sorted(values))
        .map_or_else(|| Known::unavailable(format!("no {what}")), Known::Value)
}
