//! Scopes: which cells a rule of a suite speaks of.

use yardstick_record::Test;

/// Lists of names; a cell is in scope when every non-empty list matches it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Test names, `tg64`; a trailing `*` stands for any ending.
    pub tests: Vec<String>,
    /// Device ids, or backend names for all their devices.
    pub devices: Vec<String>,
    /// Models as asked for, or presets for all their formats.
    pub models: Vec<String>,
    /// Formats: what follows the colon of a model's name.
    pub quantisations: Vec<String>,
}

impl Scope {
    /// The rule speaks of this cell.
    pub fn matches(&self, device: &str, model: &str, test: Test) -> bool {
        let format = format(model);
        any(&self.tests, |name| glob(name, &test.to_string()))
            && any(&self.devices, |name| glob(name, device) || is_head(name, device))
            && any(&self.models, |name| glob(name, model) || is_head(name, model))
            && any(&self.quantisations, |name| glob(name, format))
    }
}

impl Scope {
    /// The first name that matches nothing there is: its key, and the name.
    pub(crate) fn idle(&self, there: &There) -> Option<(&'static str, &str)> {
        let unmatched = |names: &'_ [String], there: &[String], heads: bool| {
            let matches = |name: &String| {
                there.iter().any(|one| glob(name, one) || heads && is_head(name, one))
            };
            names.iter().position(|name| !matches(name))
        };
        let formats: Vec<String> =
            there.models.iter().map(|model| format(model).to_owned()).collect();
        [
            ("tests", &self.tests, &there.tests, false),
            ("devices", &self.devices, &there.devices, true),
            ("models", &self.models, &there.models, true),
            ("quantisations", &self.quantisations, &formats, false),
        ]
        .into_iter()
        .find_map(|(key, names, there, heads)| {
            unmatched(names, there, heads).map(|at| (key, names[at].as_str()))
        })
    }
}

/// What the names of a scope can match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct There {
    /// Test names.
    pub(crate) tests: Vec<String>,
    /// Device ids and backends.
    pub(crate) devices: Vec<String>,
    /// Models as named in records.
    pub(crate) models: Vec<String>,
}

impl There {
    /// What there is for a key, in one line.
    pub(crate) fn list(&self, key: &str) -> String {
        let mut names: Vec<&str> = match key {
            "tests" => self.tests.iter().map(String::as_str).collect(),
            "devices" => self.devices.iter().map(String::as_str).collect(),
            "models" => self.models.iter().map(String::as_str).collect(),
            _ => self.models.iter().map(|model| format(model)).filter(|f| !f.is_empty()).collect(),
        };
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// What follows the colon of a model's name.
fn format(model: &str) -> &str {
    model.rsplit_once(':').map_or("", |(_, format)| format)
}

fn any(names: &[String], matches: impl Fn(&str) -> bool) -> bool {
    names.is_empty() || names.iter().any(|name| matches(name))
}

/// `cpu` is the head of `cpu:avx2`.
fn is_head(name: &str, whole: &str) -> bool {
    whole.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
}

fn glob(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}
