//! The order of a run: rounds of launches, shuffled; with pairs, those that take turns side by side.

use yardstick_api::{Device, Options};
use yardstick_record::Test;

use super::{Launch, Plan, Shuffle};

/// A device × model × options with the tests that run.
#[derive(Clone)]
pub(super) struct Group {
    /// Position among all groups, as named.
    pub(super) place: usize,
    pub(super) device: Device,
    pub(super) worker: usize,
    pub(super) build: Option<String>,
    pub(super) model: usize,
    pub(super) options: Options,
    pub(super) tests: Vec<Test>,
    pub(super) room: usize,
}

impl Group {
    fn launch(self, number: u32) -> Launch {
        let Group { place, device, worker, build, model, options, tests, room } = self;
        Launch { number, place, device, worker, build, model, options, tests, pair: None, room }
    }
}

/// Rounds of launches, each round and each launch's tests shuffled: neighbours in time differ between launches.
pub(super) fn schedule(plan: &mut Plan, groups: Vec<Group>, launches: u32, paired: bool) {
    let mut shuffle = Shuffle::new(plan.seed);
    let groups = groups.into_iter().enumerate();
    let groups: Vec<Group> = groups.map(|(place, group)| Group { place, ..group }).collect();
    let bunches = match paired {
        true => {
            let (speed, quality) = apart(groups);
            bunches(speed).into_iter().chain(quality.into_iter().map(|group| vec![group])).collect()
        }
        false => groups.into_iter().map(|group| vec![group]).collect::<Vec<_>>(),
    };
    let mut pairs = 0;
    for number in 0..launches {
        let mut round = bunches.clone();
        shuffle.shuffle(&mut round);
        for mut bunch in round {
            // Quality is the same in every launch: one scores it.
            if number > 0 {
                bunch.iter_mut().for_each(|group| group.tests.retain(|test| !test.is_quality()));
                bunch.retain(|group| !group.tests.is_empty());
            }
            shuffle.shuffle(&mut bunch);
            let order = order(&bunch, &mut shuffle);
            let pair = (bunch.len() > 1).then_some(pairs);
            pairs += usize::from(pair.is_some());
            for mut group in bunch {
                group.tests.sort_by_key(|test| order.iter().position(|other| other == test));
                plan.launches.push(Launch { pair, ..group.launch(number) });
            }
        }
    }
}

/// Groups of the tests that are timed, which take turns, and of those that are not, or that have the device to themselves.
fn apart(groups: Vec<Group>) -> (Vec<Group>, Vec<Group>) {
    let only = |quality: bool| {
        let some = groups.iter().map(|group| {
            let tests = group
                .tests
                .iter()
                .copied()
                .filter(|test| (test.is_quality() || test.is_workload()) == quality);
            Group { tests: tests.collect(), ..group.clone() }
        });
        some.filter(|group| !group.tests.is_empty()).collect()
    };
    (only(false), only(true))
}

/// The tests of a bunch in one shuffled order: those who take turns reach a test together.
fn order(bunch: &[Group], shuffle: &mut Shuffle) -> Vec<Test> {
    let mut order: Vec<Test> = Vec::new();
    for test in bunch.iter().flat_map(|group| &group.tests) {
        if !order.contains(test) {
            order.push(*test);
        }
    }
    shuffle.shuffle(&mut order);
    order
}

/// Groups of the same model and options: what differs between them is the device or the build.
fn bunches(groups: Vec<Group>) -> Vec<Vec<Group>> {
    let mut bunches: Vec<Vec<Group>> = Vec::new();
    for group in groups {
        let same = |bunch: &&mut Vec<Group>| {
            bunch[0].model == group.model && bunch[0].options == group.options
        };
        match bunches.iter_mut().find(same) {
            Some(bunch) => bunch.push(group),
            None => bunches.push(vec![group]),
        }
    }
    bunches
}
