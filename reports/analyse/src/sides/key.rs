//! What joins cells of different sides: everything that decides what was measured, but what the sides differ in by intent.

use std::collections::{BTreeMap, BTreeSet};

use super::{By, Name};
use crate::Brief;

/// How cells are joined.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    by: BTreeSet<By>,
    /// Across machines, and across files of one name.
    insist: bool,
}

/// The parts of a key that have names, so that two keys can say what differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) test: String,
    pub(super) device: Option<String>,
    pub(super) model: Option<String>,
    pub(super) build: Option<String>,
    pub(super) machine: Option<String>,
    pub(super) options: BTreeMap<&'static str, String>,
}

impl Rule {
    pub(super) fn of(by: impl Iterator<Item = By>, insist: bool) -> Rule {
        Rule { by: by.collect(), insist }
    }

    /// The same without regard to machines and hashes: to tell who would join.
    pub(super) fn insisting(&self) -> Rule {
        Rule { insist: true, ..self.clone() }
    }

    pub(super) fn key(&self, brief: &Brief) -> Key {
        let unless = |by, value: String| (!self.by.contains(&by)).then_some(value);
        let model = if self.insist { brief.model.clone() } else { model(brief) };
        // Devices differ in what they make of the same options.
        let options = match self.by.contains(&By::Device) {
            true => brief.asked.clone(),
            false => brief.effective.clone(),
        };
        Key {
            test: brief.test.to_string(),
            device: unless(By::Device, brief.device.clone()),
            model: unless(By::Model, model),
            build: brief.build.clone().and_then(|build| unless(By::Build, build)),
            machine: (!self.insist).then(|| brief.machine.clone()),
            options,
        }
    }

    /// What a person calls the cell; `told` are the options that differ between cells.
    pub(super) fn name(&self, brief: &Brief, key: &Key, told: &BTreeSet<&'static str>) -> Name {
        let options = key.options.iter().filter(|(name, _)| told.contains(*name));
        let mut words: Vec<String> =
            options.map(|(name, value)| format!("{name} {value}")).collect();
        if told.contains("machine") {
            words.extend(key.machine.iter().cloned());
        }
        Name {
            device: key.device.clone(),
            model: key.model.as_ref().map(|_| brief.model.clone()),
            test: brief.test,
            build: key.build.clone(),
            setting: words.join(", "),
        }
    }
}

/// Options (and the machine) that take more than one value among keys.
pub(super) fn varying<'a>(keys: impl Iterator<Item = &'a Key>) -> BTreeSet<&'static str> {
    let mut values: BTreeMap<&'static str, BTreeSet<Option<&str>>> = BTreeMap::new();
    let keys: Vec<&Key> = keys.collect();
    let names: BTreeSet<&'static str> =
        keys.iter().flat_map(|k| k.options.keys().copied()).collect();
    for key in keys {
        for name in &names {
            values.entry(name).or_default().insert(key.options.get(name).map(String::as_str));
        }
        values.entry("machine").or_default().insert(key.machine.as_deref());
    }
    values.into_iter().filter(|(_, values)| values.len() > 1).map(|(name, _)| name).collect()
}

/// The model by its hash where it is known, else by its name.
pub(super) fn model(brief: &Brief) -> String {
    match &brief.sha256 {
        Some(hash) => format!("{} ({})", brief.model, hash.chars().take(8).collect::<String>()),
        None => brief.model.clone(),
    }
}

impl Key {
    /// What differs, in words: `threads 2 there, 1 here`.
    pub(super) fn apart(&self, other: &Key) -> Vec<String> {
        let names: BTreeSet<&&str> = self.options.keys().chain(other.options.keys()).collect();
        let value =
            |key: &Key, name: &str| key.options.get(name).map_or("none", String::as_str).to_owned();
        let differs =
            names.into_iter().filter(|name| self.options.get(**name) != other.options.get(**name));
        differs
            .map(|name| format!("{name} {}, not {}", value(other, name), value(self, name)))
            .collect()
    }

    /// Same device, model and build.
    pub(super) fn is_beside(&self, other: &Key) -> bool {
        (&self.device, &self.model, &self.build, &self.machine)
            == (&other.device, &other.model, &other.build, &other.machine)
    }
}
