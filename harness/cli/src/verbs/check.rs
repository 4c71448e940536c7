//! `yardstick check`: records held against budgets. The exit code is the worst of the verdicts. Runs nothing.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use yardstick_analyse::{self as analyse, Bound, Comparison, Judgement, Limit, Verdict};
use yardstick_interchange as interchange;
use yardstick_measure::suite::{Budget, Budgets, Threshold};
use yardstick_record::Record;
use yardstick_render as render;

use crate::args::{Check, CheckFormat};
use crate::output;
use crate::paths::Paths;
use crate::verbs::{DONE, FAILED, UNJUDGED};

/// 0 where every budget is kept, 1 where one is broken, 3 where none is and some could not be judged.
pub(crate) fn run(paths: &Paths, args: &Check) -> Result<u8> {
    let budgets = read(&args.budget)?;
    let comparison = Comparison::of(&records(paths, args)?);
    let baseline = args.baseline.as_deref().map(output::from_file).transpose()?;
    let baseline = baseline.as_deref().map(Comparison::of);
    let limits: Vec<Limit> = budgets.budgets.iter().map(|one| limit(one, &comparison)).collect();
    let judgements = analyse::check(&comparison, &limits, baseline.as_ref());
    let instance = args.instance.as_deref();
    let text = match args.format {
        CheckFormat::Terminal => render::check(&comparison, &judgements, instance, output::width()),
        CheckFormat::Json => render::check_json(&budgets.name, &comparison, &judgements, instance),
        CheckFormat::Prometheus => {
            interchange::prometheus_budgets(&comparison, &judgements, instance)
        }
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(code(&judgements))
}

fn read(path: &Path) -> Result<Budgets> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
    Ok(Budgets::parse(&name, &text)?)
}

fn records(paths: &Paths, args: &Check) -> Result<Vec<Record>> {
    if !args.records.is_empty() {
        return output::from_files(&args.records);
    }
    let store = output::open(&paths.store)?;
    let runs = match args.runs.as_slice() {
        [] => vec![store.latest_run()?.context("the store has no runs yet")?.id],
        named => named.iter().map(|id| Ok(store.run(id)?.id)).collect::<Result<_>>()?,
    };
    output::records(&store, &runs)
}

/// The budget, and the rows in its scope.
fn limit(budget: &Budget, comparison: &Comparison) -> Limit {
    let cells = comparison.rows.iter().map(|row| &row.cell).enumerate();
    let inside =
        cells.filter(|(_, cell)| budget.scope.matches(&cell.device, &cell.model.name, cell.test));
    Limit {
        metric: budget.metric,
        bound: match budget.threshold {
            Threshold::Value(value) => Bound::Value(value),
            Threshold::Percent(percent) => Bound::Percent(percent),
        },
        rows: inside.map(|(at, _)| at).collect(),
    }
}

fn code(judgements: &[Judgement]) -> u8 {
    let any = |is_one: fn(&Verdict) -> bool| judgements.iter().any(|one| is_one(&one.verdict));
    if any(|verdict| matches!(verdict, Verdict::Broken { .. })) {
        FAILED
    } else if any(|verdict| matches!(verdict, Verdict::Unjudged { .. })) {
        UNJUDGED
    } else {
        DONE
    }
}
