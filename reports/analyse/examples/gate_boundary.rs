//! Prints the tables of reports/GATE.md: how often the gate's sequential decision is wrong on synthetic launches.
//! `cargo run --release -p yardstick-analyse --example gate_boundary [TRIALS]`

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use synthetic::launches::{Ends, KINDS, Kind, ends};
use yardstick_analyse::gate::Plan;

/// Of a launch's log ratio: what was measured under compilers, and two to four times that.
const SPREADS: [f64; 4] = [0.0076, 0.015, 0.02, 0.03];
const HEAD: &str = "| noise | 0 %: fails | inconclusive | launches | 1 %: fails | 2 %: fails | 3 %: fails | passes | inconclusive | launches | 5 %: fails |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

fn main() {
    let trials = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000);
    for spread in SPREADS {
        println!(
            "\nspread of a launch {:.2} %, {trials} trials a figure\n\n{HEAD}",
            100.0 * spread
        );
        for kind in KINDS {
            line(kind, trials, spread);
        }
    }
}

fn line(kind: &Kind, trials: usize, spread: f64) {
    let plan = Plan::cpu_time();
    let at = |effect| ends(&plan, kind, trials, spread, effect);
    let share = |e: &Ends, count: usize| format!("{:.2}", e.percent(count));
    let mean = |e: &Ends| format!("{:.1}", e.launches as f64 / e.trials as f64);
    let [none, one, two, three, five] = [0.0, 0.01, 0.02, 0.03, 0.05].map(at);
    let cells = [
        kind.name.to_owned(),
        share(&none, none.fail),
        share(&none, none.inconclusive),
        mean(&none),
        share(&one, one.fail),
        share(&two, two.fail),
        share(&three, three.fail),
        share(&three, three.pass),
        share(&three, three.inconclusive),
        mean(&three),
        share(&five, five.fail),
    ];
    println!("| {} |", cells.join(" | "));
}
