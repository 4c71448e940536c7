//! Draws a training's loss: `cargo run -p yardstick-render --example loss_curve -- loss.csv loss.svg`, from train.py's table.

use std::error::Error;
use std::ops::Range;

use plotters::prelude::*;
use plotters::style::register_font;
use serde::Deserialize;

/// plotters places text by it.
const FONT: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");
const TRAINED: RGBColor = RGBColor(0x3B, 0x82, 0xC4);
const HELD_OUT: RGBColor = RGBColor(0xE0, 0x7B, 0x39);

/// A row of the table.
#[derive(Deserialize)]
struct Step {
    tokens: f64,
    train_nats_per_token: f64,
    heldout_nats_per_token: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else { return Err("usage: loss_curve CSV SVG".into()) };
    let steps: Vec<Step> = csv::Reader::from_path(from)?.deserialize().collect::<Result<_, _>>()?;
    draw(&steps, to)
}

fn draw(steps: &[Step], to: &str) -> Result<(), Box<dyn Error>> {
    let last = steps.last().ok_or("the table has no rows")?;
    let millions = |step: &Step| step.tokens / 1e6;
    let title = format!(
        "Held-out loss falls to {:.2} nats a token after {:.1} million tokens",
        last.heldout_nats_per_token,
        millions(last)
    );
    register_font("sans-serif", FontStyle::Normal, FONT).map_err(|_| "the font is damaged")?;
    let area = SVGBackend::new(to, (900, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..millions(last), range(steps))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("tokens trained on, millions")
        .y_desc("loss, nats per token")
        .label_style(("sans-serif", 14))
        .draw()?;
    let trained = steps.iter().map(|step| (millions(step), step.train_nats_per_token));
    let held_out = steps.iter().map(|step| (millions(step), step.heldout_nats_per_token));
    for (name, colour, points) in [
        ("trained on", TRAINED, trained.collect::<Vec<_>>()),
        ("held out", HELD_OUT, held_out.collect()),
    ] {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points, style))?
            .label(name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .label_font(("sans-serif", 14))
        .background_style(WHITE)
        .draw()?;
    area.present()?;
    Ok(())
}

/// From just below the smallest loss to just above the largest.
fn range(steps: &[Step]) -> Range<f64> {
    let losses = steps.iter().flat_map(|s| [s.train_nats_per_token, s.heldout_nats_per_token]);
    let (low, high) =
        losses.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), x| (low.min(x), high.max(x)));
    low - 0.2..high + 0.2
}
