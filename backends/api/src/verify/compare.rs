//! Observation against answers: one check a path, one for its worst row, one for what was generated.

use super::check::{Check, nmse, shortfall_limit};
use super::expect::Expected;
use super::observe::{Group, Observation, Path};
use crate::{Known, Numerics};

/// How much worse than the path's limit its worst row may be: rounding noise is spread over rows,
/// a wrong position or a stale row is not.
const ROW_LEEWAY: f64 = 3.0;

/// Judges an observation by the limits of the numerics class the device declares
/// (`facts.numerics`: the KV storage is part of it).
pub fn compare(observed: &Observation, expected: &Expected, numerics: Numerics) -> Vec<Check> {
    let limit = numerics.nmse_limit();
    let mut checks: Vec<Check> = Path::ALL
        .into_iter()
        .filter(|&path| path != Path::Batch || observed.generated.sequences >= 2)
        .flat_map(|path| compare_path(path, observed, expected, limit))
        .collect();
    checks.push(compare_generated(observed, expected, shortfall_limit(limit)));
    checks
}

fn compare_path(path: Path, observed: &Observation, expected: &Expected, limit: f64) -> [Check; 2] {
    let name = path.name();
    let (compared, overall, worst) = measure(path, observed, expected).map_or_else(
        |reason| (0, Known::unavailable(reason.clone()), Known::unavailable(reason)),
        |(rows, overall, worst)| (rows, overall.into(), worst.into()),
    );
    [
        Check { name: name.into(), value: overall, limit, compared },
        Check {
            name: format!("{name} worst row"),
            value: worst,
            limit: limit * ROW_LEEWAY,
            compared,
        },
    ]
}

/// Rows compared, NMSE over all of them, and of the worst.
fn measure(
    path: Path,
    observed: &Observation,
    expected: &Expected,
) -> Result<(usize, f64, f64), String> {
    let vocab = expected.vocab.max(1);
    let actual = group(&observed.groups, path).ok_or("the device did not run this")?;
    let wanted = group(&expected.groups, path).ok_or("the reference did not run this")?;
    if observed.vocab != expected.vocab || actual.len() != wanted.len() || wanted.is_empty() {
        return Err(format!(
            "{} logits of rows of {} against {} of rows of {}",
            actual.len(),
            observed.vocab,
            wanted.len(),
            expected.vocab
        ));
    }
    let rows = || actual.chunks_exact(vocab).zip(wanted.chunks_exact(vocab)).enumerate();
    if let Some((row, _)) = rows().find(|(_, (a, _))| a.iter().any(|v| !v.is_finite())) {
        return Err(format!("row {row} holds a logit that is not finite"));
    }
    let worst = rows().map(|(_, (a, e))| nmse(a, e, vocab)).fold(0.0, f64::max);
    let overall = nmse(actual, wanted, vocab);
    if !(overall.is_finite() && worst.is_finite()) {
        return Err("the reference's logits are constant or not finite".into());
    }
    Ok((wanted.len() / vocab, overall, worst))
}

fn group(groups: &[Group], path: Path) -> Option<&[f32]> {
    groups.iter().find(|group| group.path == path).map(|group| group.values.as_slice())
}

fn compare_generated(observed: &Observation, expected: &Expected, limit: f64) -> Check {
    let compared = expected.shortfalls.len();
    let worst = expected.shortfalls.iter().copied().fold(0.0, f64::max);
    let due = super::script::GENERATED * observed.generated.sequences;
    let value = if !expected.covers(observed) {
        Known::unavailable("the reference judged other tokens than the device generated")
    } else if compared != due || compared == 0 {
        Known::unavailable(format!("generated {compared} tokens of {due}"))
    } else if worst.is_finite() {
        worst.into()
    } else {
        Known::unavailable("generated a token outside the vocabulary")
    };
    Check { name: "generate".into(), value, limit, compared }
}
