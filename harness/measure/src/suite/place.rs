//! Values of a suite, or of another file of ours, checked where they stand, so that an error points at its place.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;

use super::wire::MAX_BYTES;
use super::{Error, ValueError};

/// A list of texts, each with its place.
pub(crate) type Names = Vec<Spanned<String>>;

/// Where errors are.
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl Place<'_> {
    /// Reads the whole text as TOML of one shape.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if self.text.len() > MAX_BYTES {
            let message = format!("found {} bytes, expected at most {MAX_BYTES}", self.text.len());
            return Err(self.error(0..0, message));
        }
        toml::from_str(self.text).map_err(|error| {
            self.error(error.span().unwrap_or(0..0), error.message().replace('\n', "; "))
        })
    }

    pub(crate) fn error(&self, span: Range<usize>, message: String) -> Error {
        Error::at(self.file, self.text, span, message)
    }

    /// The line of an offset, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    pub(crate) fn value<T>(
        &self,
        span: Range<usize>,
        result: Result<T, ValueError>,
    ) -> Result<T, Error> {
        result.map_err(|error| self.error(span, error.to_string()))
    }
}

pub(crate) fn text(
    at: &Place<'_>,
    value: Spanned<String>,
    longest: usize,
    expected: &str,
) -> Result<String, Error> {
    let span = value.span();
    let text = value.into_inner();
    // Names are shown on terminals; prose may have lines.
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.trim().is_empty() || text.chars().count() > longest || text.chars().any(steers) {
        let expected =
            format!("{expected} of 1 to {longest} characters, none of them a control character");
        return at.value(span, Err(ValueError::new(&text, expected)));
    }
    Ok(text)
}

pub(crate) fn names(
    at: &Place<'_>,
    list: Spanned<Names>,
    expected: &str,
) -> Result<Vec<String>, Error> {
    let span = list.span();
    let names: Vec<String> = list
        .into_inner()
        .into_iter()
        .map(|name| text(at, name, 4096, expected))
        .collect::<Result<_, _>>()?;
    if names.is_empty() {
        return at.value(span, Err(ValueError::new("[]", expected)));
    }
    Ok(names)
}

/// Converts a list's items one by one, so that an error points at its item.
pub(crate) fn list<T, I>(
    at: &Place<'_>,
    list: Spanned<Vec<Spanned<I>>>,
    parse: impl Fn(&str) -> Result<Vec<T>, ValueError>,
    text: impl Fn(&I) -> &str,
) -> Result<Vec<T>, Error> {
    let span = list.span();
    let mut values = Vec::new();
    for item in list.into_inner() {
        values.extend(at.value(item.span(), parse(text(item.get_ref())))?);
    }
    if values.is_empty() || values.len() > 1000 {
        let found = format!("{} values", values.len());
        return at.value(span, Err(ValueError::new(&found, "1 to 1000 values")));
    }
    Ok(values)
}

pub(crate) fn whole(
    at: &Place<'_>,
    value: Option<Spanned<i64>>,
    least: u32,
    most: u32,
) -> Result<Option<u32>, Error> {
    let Some(value) = value else { return Ok(None) };
    let fits = u32::try_from(*value.get_ref()).ok().filter(|n| (least..=most).contains(n));
    let expected = format!("a whole number from {least} to {most}");
    let found = value.get_ref().to_string();
    at.value(value.span(), fits.map(Some).ok_or_else(|| ValueError::new(&found, expected)))
}

pub(crate) fn number(
    at: &Place<'_>,
    value: Option<Spanned<f64>>,
    least: f64,
    most: f64,
) -> Result<Option<f64>, Error> {
    let Some(value) = value else { return Ok(None) };
    let number = *value.get_ref();
    if (least..=most).contains(&number) {
        return Ok(Some(number));
    }
    let expected = format!("a number from {least} to {most}");
    at.value(value.span(), Err(ValueError::new(&number.to_string(), expected)))
}
