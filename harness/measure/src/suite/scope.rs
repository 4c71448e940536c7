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
        let format = model.rsplit_once(':').map_or("", |(_, format)| format);
        any(&self.tests, |name| glob(name, &test.to_string()))
            && any(&self.devices, |name| glob(name, device) || is_head(name, device))
            && any(&self.models, |name| glob(name, model) || is_head(name, model))
            && any(&self.quantisations, |name| glob(name, format))
    }
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
