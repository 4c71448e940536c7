//! Queues of requests: a line a rate.

use yardstick_analyse::{Bracket, Comparison, Row, ServeView, TrialLine};

use super::{Block, Notes, cells, number_head, percent, time, title};
use crate::number::digits;

pub(super) fn block(comparison: &Comparison, row: &Row, view: &ServeView) -> Block {
    let heads = vec![
        number_head("offered/s", 0),
        number_head("goodput/s", 0),
        number_head("good", 0),
        number_head("errors", 0),
        number_head("turned away", 4),
        number_head("timed out", 4),
        number_head("failed", 4),
        number_head("TTFT p50", 0),
        number_head("p90", 2),
        number_head("ITL p50", 0),
        number_head("p90", 2),
        number_head("whole p50", 3),
        number_head("p90", 5),
        number_head("t/s", 1),
        cells::words("met"),
    ];
    let mut notes = Notes::default();
    let rows = view.trials.iter().map(|line| cells(line, &mut notes)).collect();
    let mut block = Block::new(title("Requests", comparison, row), heads).fill(rows, notes);
    let good = view.objective;
    block.sentences.extend(view.bracket.as_ref().map(sentence));
    let data = row.settings.get("data").map_or("", String::as_str);
    block.remarks = vec![
        format!(
            "Good: first token within {} ms of arrival and the next ones every {} ms on average; met: at least {} % of all requests are good, and good ones come out at no less than that share of the rate offered.",
            good.ttft_ms, good.itl_ms, good.percent
        ),
        format!(
            "{data}, in {} slots; {} may wait, the next is turned away; given up after {} s. Errors: turned away, timed out or failed, of all. Arrivals are simulated, the work is not: time in which nobody is there is skipped.",
            view.slots, view.queue, view.timeout_seconds
        ),
    ];
    block
}

fn cells(line: &TrialLine, notes: &mut Notes) -> Vec<super::Field> {
    let [_, rejected, late, failed] = line.fates;
    let [ttft, ttft_90] = &line.ttft_ns;
    let [itl, itl_90] = &line.itl_ns;
    let [whole, whole_90] = &line.whole_ns;
    vec![
        cells::text(digits(line.rate)),
        cells::text(digits(line.goodput)),
        cells::text(format!("{} of {}", line.good, line.n)),
        cells::text(percent(line.errors())),
        cells::text(rejected.to_string()),
        cells::text(late.to_string()),
        cells::text(failed.to_string()),
        time(ttft, notes),
        time(ttft_90, notes),
        time(itl, notes),
        time(itl_90, notes),
        time(whole, notes),
        time(whole_90, notes),
        cells::text(digits(line.speed)),
        cells::text(if line.is_met { "yes" } else { "no" }.to_owned()),
    ]
}

fn sentence(bracket: &Bracket) -> String {
    match (bracket.met, bracket.missed) {
        (Some(met), Some(missed)) => format!(
            "Capacity: {} requests/s meet the objective, {} do not.",
            digits(met),
            digits(missed)
        ),
        (Some(met), None) => {
            format!("Capacity: above {} requests/s, the highest rate tried.", digits(met))
        }
        (None, Some(missed)) => {
            format!("Capacity: below {} requests/s, the lowest rate tried.", digits(missed))
        }
        (None, None) => "Capacity: no rate was tried.".to_owned(),
    }
}
