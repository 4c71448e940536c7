//! Predictions for the terminal: answers in a table with what they stand on, and predicted against measured. Never without the word.

use yardstick_analyse::predict::{Answer, HeldOut, HeldOutCell};

use crate::number::digits;
use crate::terminal::{NARROWEST, push_wrapped};
use crate::text::{elide, superscript};

/// Most characters of a device's and of a model's name.
const NAME: usize = 24;
/// Cells of a setup and phase below which its errors are not worth a line of a report.
const LEAST_CELLS: usize = 4;

/// Answers, a line each, then why there is no number or what it stands on.
pub fn predictions(answers: &[Answer], width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut notes: Vec<String> = Vec::new();
    let rows: Vec<[String; 5]> = answers.iter().map(|answer| line(answer, &mut notes)).collect();
    let titles = ["device", "model", "test", "predicted t/s", "95 % interval"].map(str::to_owned);
    let widths: Vec<usize> = (0..titles.len())
        .map(|i| rows.iter().chain([&titles]).map(|row| row[i].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in [&titles].into_iter().chain(&rows) {
        let [device, model, test, speed, interval] = row;
        let (d, m, t, s) = (widths[0], widths[1], widths[2], widths[3]);
        let line = format!("{device:<d$}  {model:<m$}  {test:<t$}  {speed:>s$}  {interval}");
        if line.chars().count() <= width {
            text += line.trim_end();
            text.push('\n');
        } else {
            push_wrapped(&mut text, &row.join("  "), width);
        }
    }
    text.push('\n');
    for (index, note) in notes.iter().enumerate() {
        push_wrapped(&mut text, &format!("{} {note}", superscript(index + 1)), width);
    }
    push_wrapped(&mut text, "Predicted, not measured.", width);
    text
}

fn line(answer: &Answer, notes: &mut Vec<String>) -> [String; 5] {
    let mut note = |text: String| {
        let at = notes.iter().position(|other| *other == text).unwrap_or_else(|| {
            notes.push(text);
            notes.len() - 1
        });
        superscript(at + 1)
    };
    let sequences = match answer.sequences {
        1 => String::new(),
        n => format!(" ×{n}"),
    };
    let (speed, interval) = match answer.predicted.value() {
        None => {
            let reason = answer.predicted.reason().unwrap_or_default().to_owned();
            (format!("–{}", note(reason)), String::new())
        }
        Some(forecast) => {
            let ground = note(elide(&forecast.ground(), GROUND));
            let interval = match forecast.interval().value() {
                Some(interval) => {
                    format!("{} to {}", digits(interval.low), digits(interval.high))
                }
                None => {
                    let reason = forecast.interval().reason().unwrap_or_default();
                    format!("–{}", note(format!("no interval: {reason}")))
                }
            };
            (format!("{}{ground}", digits(forecast.tokens_per_second())), interval)
        }
    };
    [
        elide(&answer.device, NAME),
        elide(&answer.model, NAME),
        format!("{}{sequences}", answer.test),
        speed,
        interval,
    ]
}

/// Characters of what a prediction stands on; JSON has the rest.
const GROUND: usize = 500;

/// Predicted against measured, a line a setup and phase, with every cell where `each`. Empty where there is nothing to show.
pub fn held_out(found: &[HeldOut], each: bool, width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut text = String::new();
    for one in shown(found) {
        push_wrapped(&mut text, &summary(one), width);
        for cell in one.cells.iter().filter(|_| each) {
            text.push_str("  ");
            push_wrapped(&mut text, &words(cell), width - 2);
        }
    }
    if text.is_empty() {
        return text;
    }
    let mut head = String::new();
    push_wrapped(&mut head, HEAD, width);
    head + &text
}

/// What a report says of it.
pub(crate) const HEAD: &str =
    "Predicted against measured: every model held out of the cells its own are predicted from.";

/// Those worth showing.
pub(crate) fn shown(found: &[HeldOut]) -> impl Iterator<Item = &HeldOut> {
    found.iter().filter(|one| one.cells.len() >= LEAST_CELLS)
}

/// `cpu:avx2, 2 threads, kv f16, decode: median error 6 %, largest 21 % of 12 cells`
pub(crate) fn summary(one: &HeldOut) -> String {
    format!(
        "{}, {}: median error {:.1} %, largest {:.0} %, {} cells",
        elide(&one.setup.words(), 120),
        one.phase.name(),
        100.0 * one.median_error,
        100.0 * one.largest_error,
        one.cells.len()
    )
}

/// `smollm-135m:Q4_0 tg16: limit 342.0, predicted 281.2, measured 299.5 t/s, -6.1 %`
pub(crate) fn words(cell: &HeldOutCell) -> String {
    format!("{}: {}", name(cell), figures(cell))
}

pub(crate) fn name(cell: &HeldOutCell) -> String {
    let sequences = match cell.sequences {
        1 => String::new(),
        n => format!(" ×{n}"),
    };
    format!("{} {}{sequences}", elide(&cell.model, 40), cell.test)
}

pub(crate) fn figures(cell: &HeldOutCell) -> String {
    let limit = cell.limit.map(|limit| format!("limit {}, ", digits(limit))).unwrap_or_default();
    format!(
        "{limit}predicted {}, measured {} t/s, {:+.1} %",
        digits(cell.predicted),
        digits(cell.measured),
        100.0 * cell.error()
    )
}

#[cfg(test)]
mod tests {
    use yardstick_analyse::Interval;
    use yardstick_analyse::predict::{Forecast, Prediction};
    use yardstick_api::Known;
    use yardstick_record::Test;

    use super::*;

    fn answer(model: &str, predicted: Known<Forecast>) -> Answer {
        let test = Test::Generate { tokens: 128, depth: 4096 };
        let (device, model) = ("cpu:avx512-vnni".to_owned(), model.to_owned());
        Answer { device, setup: None, model, test, sequences: 4, predicted }
    }

    fn forecast(interval: Known<Interval>) -> Known<Forecast> {
        Known::Value(Forecast::Records(Prediction {
            tokens_per_second: 41.239,
            interval,
            error_bar: None,
            beyond: vec!["more context depth than measured".into()],
            models: vec!["tiny:Q4_0".into()],
            records: vec!["a".into(), "b".into()],
        }))
    }

    #[test]
    fn a_cell_stands_between_its_limit_and_its_prediction() {
        let test = Test::Generate { tokens: 64, depth: 0 };
        let cell = HeldOutCell {
            model: "smollm-135m:Q4_0".into(),
            test,
            sequences: 1,
            measured: 299.5,
            predicted: 281.2,
            limit: Some(342.0),
        };
        let after = "predicted 281.2, measured 299.5 t/s, -6.1 %";
        assert_eq!(words(&cell), format!("smollm-135m:Q4_0 tg64: limit 342.0, {after}"));
        let without = HeldOutCell { limit: None, ..cell };
        assert_eq!(words(&without), format!("smollm-135m:Q4_0 tg64: {after}"));
    }

    #[test]
    fn a_number_has_its_interval_and_ground_and_none_its_reason() {
        let interval = Interval { low: 30.0, high: 52.5, confidence: 0.95 };
        let answers = [
            answer("llama-3.2-1b:Q4_0", forecast(Known::Value(interval))),
            answer("evil\u{1b}[31m\u{202e}:Q4_0", forecast(Known::unavailable("one model only"))),
            answer("llama-3-70b:Q4_0", Known::unavailable("does not fit")),
        ];
        for width in [80, 200] {
            let text = predictions(&answers, width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            for words in
                ["41.24¹  30.00 to 52.50", "no interval: one model only", "–³", "does not fit"]
            {
                assert!(text.contains(words) || width == 80, "{words}: {text}");
            }
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
            assert!(
                text.contains("learnt from 2 records") && text.contains("Predicted, not measured.")
            );
        }
    }
}
