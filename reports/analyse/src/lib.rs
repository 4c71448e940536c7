//! Statistics and comparisons: pure functions of records. Reads nothing, measures nothing, prints nothing.
#![forbid(unsafe_code)]

mod bandwidth;
mod comparison;
mod estimate;
mod group;
mod interval;
mod latency;
mod metrics;
mod outcome;
mod rank;
mod row;

pub use comparison::Comparison;
pub use estimate::{CONFIDENCE, Estimate, Method, UnitOfStatistics, estimate};
pub use interval::{
    Interval, binomial_cdf, median, median_interval, quantile_interval, t_interval,
};
pub use latency::{Latency, Percentile, least_samples};
pub use outcome::describe;
pub use rank::Ranking;
pub use row::Row;
