//! Which cells there are: device × model × options with the launch that each side makes of it, out of a plan for all sides.

use yardstick_api::Options;
use yardstick_measure::plan::{Launch, Plan};
use yardstick_record::Test;

use crate::{Arm, Sides};

/// A device × model × options, and each side's launch of it.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) device: String,
    /// Index into the plan's models.
    pub(super) model: usize,
    pub(super) options: Options,
    /// In the suite's order.
    pub(super) tests: Vec<Test>,
    /// None where a side has no such device.
    pub(super) launches: Sides<Option<Launch>>,
    /// Tests that a side does not run, and why, where that was known before anything ran.
    pub(super) lacks: Sides<Vec<(Test, String)>>,
}

impl Group {
    /// `cpu:avx2 smollm-135m:Q4_0 threads=2`
    pub(super) fn name(&self, plan: &Plan) -> String {
        let model = plan.models.get(self.model).map_or("?", |model| model.name.as_str());
        format!("{} {model}{}", self.device, options_words(&self.options))
    }

    fn is(&self, device: &str, model: usize, options: &Options) -> bool {
        self.device == device && self.model == model && self.options == *options
    }
}

/// Options that are not the usual ones, each after a blank.
fn options_words(options: &Options) -> String {
    let usual = Options::default();
    let number = |name: &str, value: Option<usize>| {
        value.map_or_else(String::new, |value| format!(" {name}={value}"))
    };
    let mut words = number("threads", options.threads);
    words += &number("context", options.context);
    words += &number("sequences", Some(options.sequences).filter(|n| *n != usual.sequences));
    words += &number("chunk", Some(options.chunk).filter(|n| *n != usual.chunk));
    if options.kv != usual.kv {
        words += &format!(" kv={}", options.kv.name());
    }
    if let Some(numerics) = options.numerics {
        words += &format!(" numerics={}", format!("{numerics:?}").to_lowercase());
    }
    if let Some(weights) = options.weights {
        words += &format!(" weights={}", weights.name());
    }
    if options.repack != usual.repack {
        words += " repack=false";
    }
    words
}

/// The side that a build's label stands for.
pub(super) fn arm(label: Option<&str>) -> Option<Arm> {
    Arm::ALL.into_iter().find(|arm| Some(arm.name()) == label)
}

/// Groups in the order the suite names them.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let mut launches: Vec<&Launch> = plan.launches.iter().collect();
    launches.sort_by_key(|launch| launch.place);
    let mut groups: Vec<Group> = Vec::new();
    for launch in launches {
        let Some(arm) = arm(launch.build.as_deref()) else { continue };
        let group = entry(&mut groups, &launch.device.id, launch.model, &launch.options);
        launch.tests.iter().for_each(|test| add(&mut group.tests, *test));
        *group.launches.get_mut(arm) = Some(launch.clone());
    }
    for cell in &plan.skipped {
        let Some(arm) = arm(cell.build.as_deref()) else { continue };
        let group = entry(&mut groups, &cell.device_id, cell.model, &cell.options);
        add(&mut group.tests, cell.test);
        group.lacks.get_mut(arm).push((cell.test, cell.reason.clone()));
    }
    groups
}

fn add(tests: &mut Vec<Test>, test: Test) {
    if !tests.contains(&test) {
        tests.push(test);
    }
}

fn entry<'g>(
    groups: &'g mut Vec<Group>,
    device: &str,
    model: usize,
    options: &Options,
) -> &'g mut Group {
    let at = groups.iter().position(|group| group.is(device, model, options));
    let at = at.unwrap_or_else(|| {
        groups.push(Group {
            device: device.to_owned(),
            model,
            options: options.clone(),
            tests: Vec::new(),
            launches: Sides { base: None, control: None, candidate: None },
            lacks: Sides { base: Vec::new(), control: Vec::new(), candidate: Vec::new() },
        });
        groups.len() - 1
    });
    &mut groups[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_options_that_are_not_the_usual_ones_are_named() {
        assert_eq!(options_words(&Options::default()), "");
        let options =
            Options { threads: Some(2), sequences: 4, repack: false, ..Options::default() };
        assert_eq!(options_words(&options), " threads=2 sequences=4 repack=false");
    }

    #[test]
    fn labels_are_sides() {
        assert_eq!(arm(Some("candidate")), Some(Arm::Candidate));
        assert_eq!((arm(Some("other")), arm(None)), (None, None));
    }
}
