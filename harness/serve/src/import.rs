//! Uploads: records, all of them or none.

use yardstick_interchange::bundle::{self, MOST_NESTING, nesting};
use yardstick_interchange::{Format, HEAD_BYTES, detect};
use yardstick_record::Record;
use yardstick_store::Store;

use crate::http::{Kind, Refusal, Request, Response, Status};
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
    // All are read before the store is opened: a bad one keeps nobody from writing.
    let records = match detect(&request.body[..request.body.len().min(HEAD_BYTES)]) {
        Ok(Format::Bundle) => of_bundle(&request.body),
        _ => of_lines(&request.body),
    }?;
    if records.is_empty() {
        return Err(unprocessable("the body holds no record".to_owned()));
    }
    let mut store = Store::open(site.stores.path())?;
    let records = records.into_iter().map(Ok::<_, yardstick_store::Error>);
    let (new, already) = store.append_shared(records)?;
    let body = serde_json::json!({ "new": new, "already": already });
    Ok(Response::new(Kind::Json, format!("{body}\n")))
}

fn of_bundle(mut body: &[u8]) -> Result<Vec<Record>, Refusal> {
    let refused = |error: yardstick_interchange::Error| unprocessable(error.to_string());
    bundle::read(&mut body).map_err(refused)?.map(|record| record.map_err(refused)).collect()
}

fn of_lines(body: &[u8]) -> Result<Vec<Record>, Refusal> {
    let text = std::str::from_utf8(body)
        .map_err(|error| unprocessable(format!("the body is not UTF-8: {error}")))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| record(at + 1, line)).collect()
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
