//! The study of early exits for the terminal and as JSON.

use serde_json::json;
use yardstick_analyse::Exits;

use crate::json::json_escape;
use crate::terminal::{NARROWEST, push_wrapped};
use crate::text::elide;

/// Characters of a model's name.
const NAME: usize = 100;
/// Agreement that a person would not notice the lack of: what the first sentence holds thresholds to.
const GOOD: f64 = 0.99;

/// Everything as JSON.
pub fn exits_json(model: &str, found: &Exits) -> String {
    let study = "read by the reference from every layer; no device here ends early";
    json_escape(&format!("{:#}\n", json!({ "model": model, "study": study, "exits": found })))
}

/// What could be saved at most, then every layer and every threshold.
pub fn exits(model: &str, found: &Exits, width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut text = String::new();
    push_wrapped(&mut text, &sentence(&elide(model, NAME), found), width);
    push_wrapped(
        &mut text,
        "A study: every layer was computed, and no device here ends early. One that did would lack keys and values of the layers it left \
         out, so that this is the most there is to gain. Positions of one text depend on each other: no interval.",
        width,
    );
    text.push_str("\nlayer  agrees  settled\n");
    for (at, (agrees, settled)) in found.agreement.iter().zip(&found.settled).enumerate() {
        let line = format!("{:>5} {:>7} {:>8}\n", at + 1, percent(*agrees), percent(*settled));
        text.push_str(&line);
    }
    text.push_str("\nends when sure by  layers computed  agrees\n");
    for exit in &found.thresholds {
        let (computed, agreement) = (percent(exit.computed), percent(exit.agreement));
        text.push_str(&format!("{:>17} {computed:>16} {agreement:>7}\n", exit.threshold));
    }
    text.push_str(
        "\nagrees: the likeliest token is the last layer's; settled: it is, from here on\n",
    );
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn sentence(model: &str, found: &Exits) -> String {
    let good = found.thresholds.iter().find(|exit| exit.agreement >= GOOD);
    let what = match good {
        Some(exit) if exit.computed < 1.0 => format!(
            "ending when the head is sure by {} would compute {} of the layers and say the same in {} of {} positions",
            exit.threshold,
            percent(exit.computed),
            percent(exit.agreement),
            found.positions
        ),
        _ => format!(
            "no threshold saves a layer and says the same in {} of {} positions",
            percent(GOOD),
            found.positions
        ),
    };
    format!("{model}: {what}.")
}
