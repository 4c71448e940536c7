//! What the backends refuse, asked of all launches before the first measurement.

use std::collections::HashMap;

use yardstick_api::{Footprint, Options};
use yardstick_record::{Outcome, Phase};

use super::Run;
use super::run::Ready;
use crate::child::{CallError, Child};
use crate::plan::Launch;
use crate::protocol::{Answer, Call, FaultKind, Load};

/// What a worker said of a launch before the first measurement.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// The outcome of its cells if its backend refuses it.
    pub(super) refusal: Option<Outcome>,
    /// The memory it would take, where that is known.
    pub(super) footprint: Option<Footprint>,
}

/// Worker, device, model, options.
type Key<'a> = (usize, &'a str, usize, Options);

/// For each launch of the plan what its worker says of it. A worker that is lost while planning proves nothing: its launches
/// are tried.
pub(super) fn refusals(run: &Run<'_>, models: &[Ready]) -> Vec<Asked> {
    let mut children: HashMap<usize, Child> = HashMap::new();
    let mut known: HashMap<Key<'_>, Asked> = HashMap::new();
    let mut all = Vec::with_capacity(run.plan.launches.len());
    for launch in &run.plan.launches {
        let key = (launch.worker, launch.device.id.as_str(), launch.model, launch.effective());
        let asked = known.entry(key).or_insert_with(|| match &models[launch.model] {
            Err(outcome) => Asked { refusal: Some(outcome.clone()), footprint: None },
            Ok(model) => ask(run, &mut children, launch, &model.path.display().to_string()),
        });
        all.push(asked.clone());
    }
    children.into_values().for_each(Child::stop);
    all
}

fn ask(run: &Run<'_>, children: &mut HashMap<usize, Child>, launch: &Launch, model: &str) -> Asked {
    let nothing = Asked::default();
    let mut alive = match children.remove(&launch.worker) {
        Some(alive) => alive,
        None => match Child::start(&run.worker(launch).command, &run.plan.deadlines, run.cancel) {
            Ok((alive, _)) => alive,
            Err(_) => return nothing,
        },
    };
    let (device, model) = (launch.device.id.clone(), model.to_owned());
    let call = Call::Plan(Load { device, model, options: launch.effective() });
    match alive.call(call, Phase::Plan, run.cancel, &mut |_| {}) {
        Err(CallError::Lost(_) | CallError::Interrupted) => nothing,
        Err(CallError::Fault { kind: FaultKind::Unsupported, message, fix }) => {
            children.insert(launch.worker, alive);
            Asked { refusal: Some(Outcome::Skipped { reason: message, fix }), footprint: None }
        }
        Ok(Answer::Planned { footprint }) => {
            children.insert(launch.worker, alive);
            Asked { refusal: None, footprint: Some(footprint) }
        }
        _ => {
            children.insert(launch.worker, alive);
            nothing
        }
    }
}
