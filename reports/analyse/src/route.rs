//! Routing: which queries a small model answers and which go to a large one, and what each threshold of confidence costs and buys.

use serde::Serialize;
use yardstick_api::Known;

use crate::{CONFIDENCE, Interval};

/// Standard errors to either side that hold 95 % of a normal distribution.
const REACH: f64 = 1.959_964;
/// Fewest queries whose mean difference has an interval.
const LEAST_QUERIES: usize = 30;

/// A query, answered by both.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Its id.
    pub id: String,
    /// Score of the small model's answer, 0 to 1.
    pub small: f64,
    /// Of the large one's.
    pub large: f64,
    /// How sure the small one is; larger is surer. None where nothing told it.
    pub confidence: Option<f64>,
}

/// What one query takes of a model, on average.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// Money.
    pub cost: Known<f64>,
    /// Milliseconds.
    pub latency_ms: Known<f64>,
    /// Drawn from the battery of the device that asks, joules.
    pub joules: Known<f64>,
    /// Records behind it.
    pub records: Vec<String>,
}

/// What routing must keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RouteNeeds {
    /// Of the large model's mean score, the most that may be lost.
    pub most_loss: Option<f64>,
    /// A query.
    pub most_cost: Option<f64>,
    /// On average.
    pub most_latency_ms: Option<f64>,
    /// A query.
    pub most_joules: Option<f64>,
    /// Share of queries.
    pub least_local: Option<f64>,
}

/// One way to route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoutePoint {
    /// Queries of at least this confidence stay; none: every query goes to the large model.
    pub threshold: Option<f64>,
    /// Share of queries the small model answers.
    pub local: f64,
    /// Mean score.
    pub quality: f64,
    /// What it loses of the large model's mean score; negative where it gains.
    pub loss: f64,
    /// 95 % interval of that, of the queries' own differences.
    pub loss_interval: Known<Interval>,
    /// Money a query.
    pub cost: Known<f64>,
    /// Milliseconds a query, on average.
    pub latency_ms: Known<f64>,
    /// Joules a query.
    pub joules: Known<f64>,
    /// It keeps every need; none where one cannot be judged, with the reason in `unjudged`.
    pub keeps: Option<bool>,
    /// Needs that cannot be judged.
    pub unjudged: Vec<String>,
}

/// The curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route {
    /// Queries behind it.
    pub queries: usize,
    /// The small model is asked first, always: its time and energy are spent on queries that go on, too.
    pub cascade: bool,
    /// Every threshold that differs, from all remote to all local.
    pub points: Vec<RoutePoint>,
    /// Mean score where every query went to whom answers it best: no router does better.
    pub oracle: f64,
    /// The point that keeps every need at least cost, else with most served locally.
    pub chosen: Option<usize>,
}

/// The curve over every threshold, and the point that meets the needs. Why there is none: a query has no confidence.
pub fn route(
    queries: &[Query],
    [small, large]: [&Side; 2],
    needs: &RouteNeeds,
    cascade: bool,
) -> Result<Route, String> {
    if queries.is_empty() {
        return Err("no query was answered by both".to_owned());
    }
    let mut sorted: Vec<(f64, &Query)> = Vec::new();
    for query in queries {
        let confidence = query.confidence.filter(|confidence| confidence.is_finite());
        let confidence =
            confidence.ok_or_else(|| format!("query {:?} has no confidence", query.id))?;
        sorted.push((confidence, query));
    }
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let at = |n: usize| point(&sorted, n, [small, large], needs, cascade);
    // Queries of one confidence go the same way.
    let ends = (1..=sorted.len()).filter(|&n| sorted.get(n).is_none_or(|q| q.0 < sorted[n - 1].0));
    let points: Vec<RoutePoint> = std::iter::once(0).chain(ends).map(at).collect();
    let best: f64 = queries.iter().map(|query| query.small.max(query.large)).sum();
    Ok(Route {
        queries: queries.len(),
        cascade,
        oracle: best / queries.len() as f64,
        chosen: chosen(&points),
        points,
    })
}

fn point(
    sorted: &[(f64, &Query)],
    n: usize,
    [small, large]: [&Side; 2],
    needs: &RouteNeeds,
    cascade: bool,
) -> RoutePoint {
    let total = sorted.len() as f64;
    let local = n as f64 / total;
    let score =
        |(i, (_, query)): (usize, &(f64, &Query))| if i < n { query.small } else { query.large };
    let quality = sorted.iter().enumerate().map(score).sum::<f64>() / total;
    let lost: Vec<f64> = sorted
        .iter()
        .enumerate()
        .map(|(i, (_, query))| if i < n { query.large - query.small } else { 0.0 })
        .collect();
    let loss = lost.iter().sum::<f64>() / total;
    let mean = |of: fn(&Side) -> &Known<f64>| mix(of(small), of(large), local, cascade);
    let mut point = RoutePoint {
        threshold: n.checked_sub(1).map(|last| sorted[last].0),
        local,
        quality,
        loss,
        loss_interval: interval(&lost, loss),
        cost: mean(|side| &side.cost),
        latency_ms: mean(|side| &side.latency_ms),
        joules: mean(|side| &side.joules),
        keeps: None,
        unjudged: Vec::new(),
    };
    judge(&mut point, needs);
    point
}

/// Of a share of queries that stay; where the small model is asked first, the others pay for both.
fn mix(small: &Known<f64>, large: &Known<f64>, local: f64, cascade: bool) -> Known<f64> {
    let first = if cascade { 1.0 } else { local };
    match (small, large) {
        (Known::Value(small), Known::Value(large)) => {
            // All remote: nobody asks the small model.
            let first = if local == 0.0 { 0.0 } else { first };
            Known::Value(first * small + (1.0 - local) * large)
        }
        (Known::Unavailable { unavailable }, _) => {
            Known::unavailable(format!("small: {unavailable}"))
        }
        (_, Known::Unavailable { unavailable }) => {
            Known::unavailable(format!("large: {unavailable}"))
        }
    }
}

/// Normal, of the queries' differences.
fn interval(lost: &[f64], mean: f64) -> Known<Interval> {
    let n = lost.len();
    if n < LEAST_QUERIES {
        return Known::unavailable(format!(
            "n too small: {n} queries, an interval needs {LEAST_QUERIES}"
        ));
    }
    let variance = lost.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let reach = REACH * (variance / n as f64).sqrt();
    Known::Value(Interval { low: mean - reach, high: mean + reach, confidence: CONFIDENCE })
}

fn judge(point: &mut RoutePoint, needs: &RouteNeeds) {
    let loss = Known::Value(point.loss);
    let mut keeps = needs.least_local.is_none_or(|least| point.local >= least);
    for (name, most, found) in [
        ("most_loss", needs.most_loss, &loss),
        ("most_cost", needs.most_cost, &point.cost),
        ("most_latency_ms", needs.most_latency_ms, &point.latency_ms),
        ("most_joules", needs.most_joules, &point.joules),
    ] {
        match (most, found) {
            (Some(most), Known::Value(found)) => keeps &= *found <= most,
            (Some(_), Known::Unavailable { unavailable }) => {
                point.unjudged.push(format!("{name}: {unavailable}"));
            }
            (None, _) => {}
        }
    }
    point.keeps = (point.unjudged.is_empty() || !keeps).then_some(keeps);
}

/// The cheapest that keeps every need; where costs are not known, the one that serves most locally.
fn chosen(points: &[RoutePoint]) -> Option<usize> {
    let keeping = points.iter().enumerate().filter(|(_, point)| point.keeps == Some(true));
    let rank = |point: &RoutePoint| (point.cost.value().copied().unwrap_or(0.0), -point.local);
    let best = keeping.min_by(|(_, a), (_, b)| {
        let (a, b) = (rank(a), rank(b));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    best.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The small model is right where it is sure of it, down to a confidence of a half.
    fn queries(n: usize) -> Vec<Query> {
        let one = |i: usize| {
            let confidence = (i as f64 + 0.5) / n as f64;
            Query {
                id: i.to_string(),
                small: f64::from(u8::from(confidence > 0.5)),
                large: 1.0,
                confidence: Some(confidence),
            }
        };
        (0..n).map(one).collect()
    }

    fn side(cost: f64, latency: f64, joules: Option<f64>) -> Side {
        Side {
            cost: Known::Value(cost),
            latency_ms: Known::Value(latency),
            joules: joules.map_or_else(|| Known::unavailable("not metered"), Known::Value),
            records: Vec::new(),
        }
    }

    fn routed(needs: RouteNeeds, cascade: bool) -> Route {
        let (small, large) = (side(0.0, 100.0, None), side(0.01, 900.0, Some(1.0)));
        route(&queries(100), [&small, &large], &needs, cascade).unwrap()
    }

    #[test]
    fn the_curve_runs_from_all_remote_to_all_local() {
        let found = routed(RouteNeeds::default(), false);
        assert_eq!(found.points.len(), 101);
        let (remote, half, local) = (&found.points[0], &found.points[50], &found.points[100]);
        assert_eq!((remote.threshold, remote.local, remote.quality), (None, 0.0, 1.0));
        assert_eq!((half.local, half.quality, half.loss), (0.5, 1.0, 0.0));
        assert_eq!((local.local, local.quality, local.loss), (1.0, 0.5, 0.5));
        assert_eq!(half.cost, Known::Value(0.005));
        assert_eq!(half.latency_ms, Known::Value(500.0));
        assert_eq!(found.oracle, 1.0);
        // 0.5 ± 1.96 × 0.5025 / 10.
        let interval = local.loss_interval.value().unwrap();
        assert!((interval.high - 0.598_5).abs() < 1e-3, "{interval:?}");
    }

    #[test]
    fn asking_the_small_model_first_costs_its_time_on_every_query() {
        let found = routed(RouteNeeds::default(), true);
        assert_eq!(found.points[50].latency_ms, Known::Value(550.0));
        assert_eq!(found.points[0].latency_ms, Known::Value(900.0));
    }

    #[test]
    fn the_threshold_that_meets_the_needs_is_the_cheapest_that_keeps_them() {
        let needs = RouteNeeds { most_loss: Some(0.1), ..RouteNeeds::default() };
        let found = routed(needs, false);
        let chosen = &found.points[found.chosen.unwrap()];
        assert_eq!((chosen.local, chosen.loss), (0.6, 0.1));
        let impossible = RouteNeeds { most_loss: Some(0.0), least_local: Some(0.9), ..needs };
        assert_eq!(routed(impossible, false).chosen, None);
    }

    #[test]
    fn a_need_without_its_figure_is_not_judged_and_nothing_is_chosen() {
        let needs = RouteNeeds { most_joules: Some(5.0), ..RouteNeeds::default() };
        let found = routed(needs, false);
        assert_eq!((found.points[50].keeps, found.chosen), (None, None));
        assert!(found.points[50].unjudged[0].contains("small: not metered"));
    }

    #[test]
    fn queries_of_one_confidence_go_the_same_way_and_none_is_an_error() {
        let (small, large) = (side(0.0, 1.0, None), side(1.0, 2.0, None));
        let mut all = queries(10);
        all.iter_mut().for_each(|query| query.confidence = Some(0.5));
        let of = |all: &[Query]| route(all, [&small, &large], &RouteNeeds::default(), false);
        assert_eq!(of(&all).unwrap().points.len(), 2);
        assert!(of(&all).unwrap().points[1].loss_interval.reason().unwrap().contains("10 queries"));
        all[3].confidence = None;
        assert!(of(&all).unwrap_err().contains("\"3\" has no confidence"));
        assert!(of(&[]).is_err());
    }
}
