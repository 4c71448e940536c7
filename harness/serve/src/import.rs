//! Uploads: records, all of them or none.

use yardstick_record::Record;
use yardstick_store::Store;

use crate::http::{Kind, Refusal, Request, Response, Status};
use crate::limits::MOST_NESTING;
use crate::site::Site;

/// Types an upload may state. A form of another site cannot state one of them without asking first, which is refused.
const TYPES: [&str; 3] = ["application/json", "application/jsonl", "application/x-ndjson"];

/// Stores an upload.
pub(crate) fn import(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&[])?;
    let stated = request.header("content-type")?.unwrap_or_default();
    let kind = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !TYPES.contains(&kind.as_str()) {
        let why = format!("Content-Type is {kind:?}, expected one of {}", TYPES.join(", "));
        return Err(Refusal::new(Status::UnsupportedType, why));
    }
    let text = std::str::from_utf8(&request.body)
        .map_err(|error| unprocessable(format!("the body is not UTF-8: {error}")))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let records = lines.map(|(at, line)| record(at + 1, line));
    // All are read before the store is opened: a bad one keeps nobody from writing.
    let records: Vec<Record> = records.collect::<Result<_, Refusal>>()?;
    if records.is_empty() {
        return Err(unprocessable("the body holds no record".to_owned()));
    }
    let mut store = Store::open(site.stores.path())?;
    let (new, already) =
        store.append_whole(records.into_iter().map(Ok::<_, yardstick_store::Error>))?;
    let body = serde_json::json!({ "new": new, "already": already });
    Ok(Response::new(Kind::Json, format!("{body}\n")))
}

fn unprocessable(why: String) -> Refusal {
    Refusal::new(Status::Unprocessable, why)
}

fn record(line: usize, text: &str) -> Result<Record, Refusal> {
    let depth = nesting(text);
    if depth > MOST_NESTING {
        return Err(unprocessable(format!(
            "line {line}: JSON nested {depth} levels deep, at most {MOST_NESTING} are taken"
        )));
    }
    Record::from_json(text).map_err(|error| unprocessable(format!("line {line}: {error}")))
}

/// Levels of arrays and objects; brackets in strings do not count.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match (in_string, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::nesting;

    #[test]
    fn levels_are_counted_outside_of_strings() {
        for (text, levels) in [
            ("1", 0),
            ("{}", 1),
            (r#"{"a":[1,{"b":[]}]}"#, 4),
            (r#"{"a":"[[[[\"[["}"#, 1),
            (r#"["\\",[]]"#, 2),
            ("]]]][", 1),
        ] {
            assert_eq!(nesting(text), levels, "{text}");
        }
        assert_eq!(nesting(&"[".repeat(65)), 65);
    }
}
