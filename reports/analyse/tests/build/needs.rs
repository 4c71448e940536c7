//! Needs for tests: what is asked, of a workload that costs can be told of.

use yardstick_analyse::recommend::{Needs, Only, Requirement, Spans, What, Workload};

/// A year of answers of 100 tokens, all day; nobody's price, and few worlds, so that it is quick.
pub fn needs(requirements: Vec<Requirement>) -> Needs {
    Needs {
        name: "n".into(),
        requirements,
        workload: Workload {
            answer_tokens: 100.0,
            hours_per_day: 24.0,
            years: 1.0,
            ..Workload::default()
        },
        machines: Vec::new(),
        currency: "USD".into(),
        api: None,
        only: Only::default(),
        families: Vec::new(),
        spans: Spans { worlds: 200, ..Spans::default() },
        rank_by: None,
    }
}

pub fn least(what: What, bound: f64) -> Requirement {
    Requirement { what, at_least: Some(bound), at_most: None }
}

pub fn most(what: What, bound: f64) -> Requirement {
    Requirement { what, at_least: None, at_most: Some(bound) }
}
