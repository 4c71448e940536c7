//! What the backends refuse, asked of all launches before the first measurement.

use std::collections::HashMap;

use yardstick_api::Options;
use yardstick_record::{Outcome, Phase};

use super::Run;
use super::run::Ready;
use crate::child::{CallError, Child};
use crate::plan::Launch;
use crate::protocol::{Call, FaultKind, Load};

/// For each launch of the plan the outcome of its cells if its backend refuses it. A worker that is lost while planning
/// proves nothing: its launches are tried.
pub(super) fn refusals(run: &Run<'_>, models: &[Ready]) -> Vec<Option<Outcome>> {
    let mut child: Option<Child> = None;
    let mut known: HashMap<(&str, usize, Options), Option<Outcome>> = HashMap::new();
    let mut refusals = Vec::with_capacity(run.plan.launches.len());
    for launch in &run.plan.launches {
        let key = (launch.device.id.as_str(), launch.model, launch.effective());
        let refusal = known.entry(key).or_insert_with(|| match &models[launch.model] {
            Err(outcome) => Some(outcome.clone()),
            Ok(model) => ask(run, &mut child, launch, &model.path.display().to_string()),
        });
        refusals.push(refusal.clone());
    }
    if let Some(child) = child {
        child.stop();
    }
    refusals
}

fn ask(run: &Run<'_>, child: &mut Option<Child>, launch: &Launch, model: &str) -> Option<Outcome> {
    let mut alive = match child.take() {
        Some(alive) => alive,
        None => Child::start(run.worker, &run.plan.deadlines, run.cancel).ok()?.0,
    };
    let (device, model) = (launch.device.id.clone(), model.to_owned());
    let call = Call::Plan(Load { device, model, options: launch.effective() });
    match alive.call(call, Phase::Plan, run.cancel, &mut |_| {}) {
        Err(CallError::Lost(_)) => None,
        Err(CallError::Fault { kind: FaultKind::Unsupported, message, fix }) => {
            *child = Some(alive);
            Some(Outcome::Skipped { reason: message, fix })
        }
        _ => {
            *child = Some(alive);
            None
        }
    }
}
