//! Imported results in the words of the program that made them.

use serde::Serialize;
use serde_json::Value;
use yardstick_record::Record;

use crate::text::elide;

/// Results and fields of one shown; JSON has the rest.
const MOST: usize = 60;
/// Characters of a name and of a value.
const NAME: usize = 60;
const VALUE: usize = 200;

/// One foreign result.
#[derive(Serialize)]
pub(super) struct Import {
    format: String,
    what: String,
    fields: Vec<(String, String)>,
}

/// Every imported record, as it was before.
pub(super) fn imports(records: &[Record]) -> Vec<Import> {
    let import = |record: &Record| {
        let origin = record.origin.as_ref()?;
        let word = |value: &Value| match value {
            Value::String(text) => elide(text, VALUE),
            other => elide(&other.to_string(), VALUE),
        };
        let fields = origin.fields.iter().take(MOST);
        Some(Import {
            format: elide(&origin.format, NAME),
            what: elide(&format!("{} {}", record.cell.model.name, record.cell.test), 2 * NAME),
            fields: fields.map(|(name, value)| (elide(name, NAME), word(value))).collect(),
        })
    };
    records.iter().filter_map(import).take(MOST).collect()
}
