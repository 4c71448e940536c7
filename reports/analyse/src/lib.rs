//! Statistics and comparisons: pure functions of records. Reads nothing, measures nothing, prints nothing.
#![forbid(unsafe_code)]

mod agreement;
mod brief;
pub mod canary;
mod check;
mod comparison;
mod depth;
mod drift;
mod energy;
mod estimate;
mod exits;
pub mod gate;
mod group;
mod history;
mod interference;
mod interval;
mod kept;
mod latency;
mod level;
mod limit;
pub mod memory;
mod metrics;
mod noise;
mod outcome;
mod plausible;
pub mod predict;
pub mod profile;
mod rank;
mod ratio;
pub mod recommend;
mod resample;
mod route;
mod row;
mod scores;
pub mod sides;
mod soak;
mod tasks;
mod tradeoff;
mod trend;
pub mod tune;
mod versus;
mod view;
mod windows;
mod workload;

pub use agreement::{Agreement, agreements};
pub use brief::{Brief, Value};
pub use check::{Bound, Judgement, Limit, Verdict, check};
pub use comparison::Comparison;
pub use depth::{DepthCurve, DepthPoint, Growth};
pub use drift::{Drift, DriftKind, LEAST_ORDERED_LAUNCHES, drift};
pub use energy::Meter;
pub use estimate::{CONFIDENCE, Estimate, Method, UnitOfStatistics, estimate};
pub use exits::{Exit, Exits, Reading as ExitReading, exits};
pub use history::{ChangePoint, WINDOW, history};
pub use interference::{Interference, interference};
pub use interval::{
    Interval, binomial_cdf, median, median_interval, quantile_interval, t_interval,
};
pub use latency::{Latency, Percentile, least_samples};
pub use level::Level;
pub use metrics::{applies, of_launch};
pub use noise::{Floor, NOISE_SUITE, Noise, is_noise, noise_floor};
pub use outcome::describe;
pub use plausible::{Flaw, flaw};
pub use rank::Ranking;
pub use ratio::Ratio;
pub use route::{Query, Route, RouteNeeds, RoutePoint, Side, route};
pub use row::Row;
pub use soak::{SoakCurve, soaks};
pub use tasks::{TaskScore, task_scores};
pub use tradeoff::{
    Aspect, Candidate, Change, Column, Front, NoFront, Quantity, Standing, Tradeoff, Varies,
};
pub use trend::{Trend, TrendPoint, trends};
pub use versus::{Choice, Difference, LaunchValue, Versus};
pub use view::View;
pub use windows::{WindowedChange, windowed_change};
pub use workload::{
    Bracket, ChatView, CheckLine, ColdView, RobustView, ServeView, TogetherView, TrialLine,
    TurnLine, WorkloadView,
};
