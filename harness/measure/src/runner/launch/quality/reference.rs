//! The reference's side: its weights on the first device that is proven to compute exactly, in a worker of its own that is
//! gone before the device under test goes on. Two models are never resident at once.

use yardstick_api::{Device, KvType, Numerics, Options};
use yardstick_record::{Outcome, Phase, Reference, VerificationStatus};

use super::super::verify;
use super::{Measuring, Trouble};
use crate::child::{CallError, Child};
use crate::plan::Launch;
use crate::protocol::{Answer, Call, Load};
use crate::runner::Prepared;
use crate::runner::run::reason;

/// A worker that holds the reference weights.
pub(super) struct Exact {
    pub(super) child: Child,
    pub(super) told: Reference,
}

impl<'r> Measuring<'r, '_, '_> {
    /// The reference weights of this launch's model.
    pub(super) fn reference_model(&self) -> Result<&'r Prepared, Trouble> {
        match self.reference {
            Some(Ok(model)) => Ok(model),
            Some(Err(outcome)) => {
                let reason = format!("the reference weights cannot be had: {}", reason(outcome));
                Err(Trouble::Outcome(Outcome::Skipped { reason, fix: None }))
            }
            None => Err(Trouble::failed("no reference weights are named")),
        }
    }

    /// Starts a worker with the reference weights on an exact device, verified; the oracle itself where no other passes.
    pub(super) fn open_reference(&mut self, positions: usize) -> Result<Exact, Trouble> {
        let model = self.reference_model()?;
        let run = self.run;
        for device in &run.plan.exact {
            match self.try_reference(device, model, positions) {
                Ok(Some(exact)) => return Ok(exact),
                Ok(None) => {}
                Err(CallError::Interrupted) => return Err(CallError::Interrupted.into()),
                Err(CallError::Fault { .. } | CallError::Lost(_)) => {}
            }
        }
        let oracle = run.oracle.ok_or_else(|| Trouble::failed("there is no reference device"))?;
        let told = |error: CallError| match error {
            CallError::Interrupted => Trouble::Call(CallError::Interrupted),
            CallError::Fault { message, .. } => without(&message),
            CallError::Lost(loss) => without(&loss.message),
        };
        let options = self.exact_options(positions);
        let (child, _) = self.load_reference(oracle, model, &options).map_err(told)?;
        Ok(Exact { child, told: describe(model, oracle, "the reference itself".to_owned()) })
    }

    fn exact_options(&self, positions: usize) -> Options {
        Options {
            threads: self.launch.options.threads,
            context: Some(positions.max(yardstick_api::verify::CONTEXT)),
            kv: KvType::F32,
            numerics: Some(Numerics::F32),
            ..Options::default()
        }
    }

    fn load_reference(
        &self,
        device: &str,
        model: &Prepared,
        options: &Options,
    ) -> Result<(Child, yardstick_api::Facts), CallError> {
        let (run, own) = (self.run, self.run.own());
        let (mut child, _) = Child::start_with_threads(
            &own.command,
            options.threads,
            &run.plan.deadlines,
            run.cancel,
        )?;
        let call = Call::Load(Load {
            device: device.to_owned(),
            model: model.path.display().to_string(),
            options: options.clone(),
        });
        match child.call(call, Phase::Load, run.cancel, &mut |_| {})? {
            Answer::Loaded { facts, .. } => Ok((child, facts)),
            other => Err(child.unexpected(Phase::Load, &other)),
        }
    }

    /// `None` where the device is not proven for these weights.
    fn try_reference(
        &self,
        device: &Device,
        model: &Prepared,
        positions: usize,
    ) -> Result<Option<Exact>, CallError> {
        let options = self.exact_options(positions);
        let (mut child, facts) = self.load_reference(&device.id, model, &options)?;
        let launch = Launch {
            number: 0,
            place: 0,
            device: device.clone(),
            worker: 0,
            build: None,
            model: self.launch.model,
            options,
            tests: Vec::new(),
            pair: None,
            room: positions,
        };
        let verdict = verify(self.run, &launch, model, &mut child, &facts)?;
        let Ok(verification) = verdict else { return Ok(None) };
        if facts.numerics != Numerics::F32 || verification.status != VerificationStatus::Passed {
            return Ok(None);
        }
        let worst = verification.worst().map(|check| format!(", {check}")).unwrap_or_default();
        let proof = format!("verified in f32 against the reference{worst}");
        Ok(Some(Exact { child, told: describe(model, &device.id, proof) }))
    }
}

fn without(message: &str) -> Trouble {
    let reason = format!("the reference weights cannot be run: {message}");
    Trouble::Outcome(Outcome::Skipped { reason, fix: None })
}

fn describe(model: &Prepared, device: &str, proof: String) -> Reference {
    Reference {
        model: model.reference.name.clone(),
        sha256: model.reference.sha256.clone(),
        quantisation: model.reference.quantisation.clone(),
        device: device.to_owned(),
        proof,
    }
}
