//! Records as they are shared: a new record that names the one it was made from.

use serde_json::Value;
use sha2::{Digest, Sha256};
use yardstick_api::Known;
use yardstick_record::{Profile, Record, Shared};

use super::Scrub;

/// Why a record is not shared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unfit {
    /// Another program's result: its fields may hold anything, and it is not ours to vouch for.
    #[error("imported from another tool")]
    Foreign,
    /// Somebody else's; who measured it shares it.
    #[error("shared by somebody else")]
    SecondHand,
    /// Without what was taken out it is no record: a name of this machine is a word of the format.
    #[error("a name of this machine or user is a word of the record's format: {0}")]
    Unreadable(String),
}

/// Fields of the environment that every machine of a kind shares; others are left out.
const ENVIRONMENT: [&str; 8] =
    ["cgroup.", "cpu.", "gpu.", "memory.", "os.", "power.", "thermal.", "cap"];
/// Readings that tell the time of day.
const MOMENTS: [&str; 1] = ["window_start_seconds"];
/// What stands for text that was taken out whole.
const WITHHELD: &str = "withheld";

/// The record to be shared in place of this one.
pub fn share(record: &Record, profile: Profile, scrub: &Scrub) -> Result<Record, Unfit> {
    if record.origin.is_some() {
        return Err(Unfit::Foreign);
    }
    if record.shared.is_some() {
        return Err(Unfit::SecondHand);
    }
    let shared = Some(Shared { original: record.id.clone(), profile });
    let whole = Record { shared, ..record.clone() };
    match profile {
        Profile::Full => Ok(whole.seal()),
        Profile::Public => scrubbed(withheld(whole), scrub),
    }
}

/// Whole fields that say who, where or when.
fn withheld(mut record: Record) -> Record {
    let day = |moment: &str| match moment.get(..10) {
        Some(day) if moment.len() > 10 => format!("{day}T00:00:00Z"),
        _ => moment.to_owned(),
    };
    record.run.id = format!("shared-{}", &hex(&record.run.id)[..16]);
    record.run.started = day(&record.run.started);
    record.started = day(&record.started);
    if let Some(timeline) = &mut record.timeline {
        timeline.started = day(&timeline.started);
    }
    let known = |name: &str| ENVIRONMENT.iter().any(|begin| name.starts_with(begin));
    record.environment.fields.retain(|name, _| known(name));
    if let Some(Known::Value(Value::String(kernel))) =
        record.environment.fields.get_mut("os.kernel")
    {
        *kernel = kernel.split('.').take(2).collect::<Vec<_>>().join(".");
    }
    for reading in &mut record.readings {
        if MOMENTS.contains(&reading.name.as_str()) {
            reading.value = Known::unavailable("withheld: the time of day");
        }
    }
    if let Some(quality) = &mut record.quality {
        // They quote the text that was asked on, which may be anybody's.
        quality.farthest.clear();
        for answer in &mut quality.answers {
            answer.answer = WITHHELD.to_owned();
        }
    }
    record
}

/// Every text of the record scrubbed, names of fields included.
fn scrubbed(record: Record, scrub: &Scrub) -> Result<Record, Unfit> {
    let ids = (record.id.clone(), record.shared.clone());
    let mut value = serde_json::to_value(&record).map_err(|e| Unfit::Unreadable(e.to_string()))?;
    walk(&mut value, scrub);
    let mut record: Record =
        serde_json::from_value(value).map_err(|error| Unfit::Unreadable(error.to_string()))?;
    (record.id, record.shared) = ids;
    Ok(record.seal())
}

fn walk(value: &mut Value, scrub: &Scrub) {
    match value {
        Value::String(text) => {
            if let std::borrow::Cow::Owned(clean) = scrub.text(text) {
                *text = clean;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| walk(value, scrub)),
        Value::Object(fields) => {
            let entries = std::mem::take(fields);
            for (name, mut value) in entries {
                walk(&mut value, scrub);
                fields.insert(scrub.text(&name).into_owned(), value);
            }
        }
        _ => {}
    }
}

fn hex(text: &str) -> String {
    let hash = Sha256::digest(format!("yardstick run\n{text}").as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
