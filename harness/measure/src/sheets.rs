//! Data sheets: the file of devices nobody here has, as it is written, checked. Every number names where it was read.

use std::collections::HashSet;

use serde::Deserialize;
use toml::Spanned;
use yardstick_analyse::predict::{Fact, Phase, Price, Published, Sheet, Sheets};

use crate::suite::Error;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    device: Vec<Spanned<Sheet>>,
}

/// Longest text of a sheet.
const MOST_CHARS: usize = 1000;
/// Most devices of a file.
const MOST_DEVICES: usize = 1000;
/// No number of a data sheet is as large.
const MOST: f64 = 1e9;

/// The sheets compiled in.
pub fn built_in() -> Result<Sheets, Error> {
    parse("devices (built in)", include_str!("../../../suites/devices.toml"))
}

/// Parses a file's text.
pub fn parse(file: &str, text: &str) -> Result<Sheets, Error> {
    let read: File = toml::from_str(text).map_err(|error| {
        let message = error.message().trim_end().to_owned();
        Error::at(file, text, error.span().unwrap_or(0..0), message)
    })?;
    if read.device.len() > MOST_DEVICES {
        let message =
            format!("found {} devices, expected at most {MOST_DEVICES}", read.device.len());
        return Err(Error::at(file, text, 0..0, message));
    }
    let (mut devices, mut ids) = (Vec::new(), HashSet::new());
    for sheet in read.device {
        let span = sheet.span();
        let error = |message| Error::at(file, text, span.clone(), message);
        let sheet = sheet.into_inner();
        check(&sheet).map_err(|problem| error(format!("device {:?}: {problem}", sheet.id)))?;
        if !ids.insert(sheet.id.clone()) {
            return Err(error(format!("found device {:?} twice, expected one each", sheet.id)));
        }
        devices.push(sheet);
    }
    Ok(Sheets { devices })
}

fn check(sheet: &Sheet) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if sheet.id.is_empty() || !sheet.id.chars().all(plain) {
        return Err("id: expected lower-case letters, digits, - and .".to_owned());
    }
    texts(&[("name", &sheet.name)])?;
    let facts = [
        ("memory_gib", &sheet.memory_gib),
        ("bandwidth_gb_s", &sheet.bandwidth_gb_s),
        ("int8_tops", &sheet.int8_tops),
        ("f16_tflops", &sheet.f16_tflops),
        ("f32_tflops", &sheet.f32_tflops),
        ("watts", &sheet.watts),
    ];
    for (key, fact) in facts {
        if let Some(Fact { value, source, quote }) = fact {
            number(*value)
                .and_then(|()| cited(source, quote))
                .map_err(|e| format!("{key}: {e}"))?;
        }
    }
    if let Some(price) = &sheet.price {
        check_price(price).map_err(|problem| format!("price: {problem}"))?;
    }
    for published in &sheet.published {
        check_published(published).map_err(|problem| format!("published: {problem}"))?;
    }
    Ok(())
}

fn check_price(price: &Price) -> Result<(), String> {
    let Price { value, currency, date, source, quote } = price;
    number(*value)?;
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(format!("currency: found {currency:?}, expected three capitals"));
    }
    let widths: Vec<usize> = date.split('-').map(str::len).collect();
    let digits = date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if !digits || ![&[4][..], &[4, 2], &[4, 2, 2]].contains(&widths.as_slice()) {
        return Err(format!("date: found {date:?}, expected 2024, 2024-12 or 2024-12-17"));
    }
    cited(source, quote)
}

fn check_published(published: &Published) -> Result<(), String> {
    let Published { program, model, quantisation, source, quote, .. } = published;
    texts(&[("program", program), ("model", model), ("quantisation", quantisation)])?;
    for value in [published.weights_gib, published.parameters_b, published.tokens_per_second] {
        number(value)?;
    }
    if Phase::of(published.test).is_none() {
        return Err(format!("test: found {}, expected ppN or tgN", published.test));
    }
    cited(source, quote)
}

fn number(value: f64) -> Result<(), String> {
    match value.is_finite() && value > 0.0 && value < MOST {
        true => Ok(()),
        false => Err(format!("found {value}, expected a number above 0")),
    }
}

fn cited(source: &str, quote: &str) -> Result<(), String> {
    if !source.starts_with("https://") && !source.starts_with("http://") {
        return Err(format!("source: found {source:?}, expected an address"));
    }
    texts(&[("source", source), ("quote", quote)])
}

fn texts(texts: &[(&str, &str)]) -> Result<(), String> {
    match texts.iter().find(|(_, t)| t.trim().is_empty() || t.chars().count() > MOST_CHARS) {
        Some((key, _)) => Err(format!("{key}: expected text of 1 to {MOST_CHARS} characters")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"[[device]]
id = "a-1"
name = "A"
class = "gpu"

[device.bandwidth_gb_s]
value = 100.0
source = "https://example.org/a"
quote = "100 GB/s"

[device.price]
value = 300
currency = "USD"
date = "2024-12"
source = "https://example.org/a"
quote = "$300"

[[device.published]]
program = "llama.cpp"
model = "m"
quantisation = "Q4_0"
weights_gib = 1.0
parameters_b = 1.2
test = "tg128"
tokens_per_second = 40.0
source = "https://example.org/b"
quote = "40.0"
"#;

    #[test]
    fn a_sheet_is_read_and_what_it_lacks_is_missing() {
        let sheets = parse("x", ONE).unwrap();
        let sheet = sheets.find("a-1").unwrap();
        assert_eq!(sheet.bandwidth_gb_s.as_ref().map(|fact| fact.value), Some(100.0));
        assert_eq!((sheet.watts.is_none(), sheet.published.len()), (true, 1));
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        let twice = format!("{ONE}\n{ONE}");
        let cases = [
            (ONE.replace("name =", "nmae ="), "x:3:1", "unknown field `nmae`"),
            (ONE.replace("\"gpu\"", "\"fridge\""), "x:4:9", "unknown variant `fridge`"),
            (ONE.replace("100.0", "-1.0"), "x:1:1", "bandwidth_gb_s: found -1"),
            (ONE.replace("100.0", "nan"), "x:1:1", "bandwidth_gb_s: found NaN"),
            (ONE.replace("https://example.org/b", "me"), "x:1:1", "expected an address"),
            (ONE.replace("\"100 GB/s\"", "\" \""), "x:1:1", "quote: expected text"),
            (ONE.replace("USD", "dollars"), "x:1:1", "three capitals"),
            (ONE.replace("2024-12", "soon"), "x:1:1", "date: found \"soon\""),
            (ONE.replace("tg128", "load"), "x:1:1", "test: found load"),
            (ONE.replace("tg128", "warp"), "x:24:8", "test \"warp\" is not known"),
            (ONE.replace("a-1", "A 1"), "x:1:1", "id: expected lower-case"),
            (twice, "x:29:1", "found device \"a-1\" twice"),
        ];
        for (text, place, words) in cases {
            let message = parse("x", &text).unwrap_err().to_string();
            assert!(message.starts_with(place) && message.contains(words), "{words}: {message}");
        }
    }

    #[test]
    fn the_devices_built_in_are_a_dozen_of_every_class_each_with_memory_and_bandwidth() {
        let sheets = built_in().unwrap();
        let mut classes: Vec<_> = sheets.devices.iter().map(|sheet| sheet.class).collect();
        classes.sort();
        classes.dedup();
        assert!(sheets.devices.len() >= 12 && classes.len() == 5);
        for sheet in &sheets.devices {
            let known = sheet.memory_gib.is_some() && sheet.bandwidth_gb_s.is_some();
            assert!(known, "{}", sheet.id);
        }
    }
}
