//! The power curve: how often each amount of more work failed, with Clopper–Pearson intervals, a series a condition.

use plotters::prelude::*;
use plotters::style::register_font;
use yardstick_analyse::gate::clopper_pearson;

use crate::log::Trial;
use crate::table::rows;

const FONT: &[u8] = include_bytes!("../../../../reports/render/fonts/DejaVuSans-subset.ttf");
const SIZE: (u32, u32) = (900, 520);
const COLOURS: [RGBColor; 5] = [
    RGBColor(20, 20, 20),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// Draws it as SVG.
pub(crate) fn draw(to: &str, trials: &[Trial]) -> Result<(), String> {
    // Plotters cannot measure text without a font.
    let _ = register_font("sans-serif", FontStyle::Normal, FONT);
    let told = |error: &dyn std::fmt::Display| format!("{to}: {error}");
    let area = SVGBackend::new(to, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(|error| told(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .margin(14)
        .caption(
            "How often the gate failed a kernel with so much more real work",
            ("sans-serif", 18),
        )
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(-4.0..11.0_f64, 0.0..1.0_f64)
        .map_err(|error| told(&error))?;
    chart
        .configure_mesh()
        .x_desc("more work than the base, %")
        .y_desc("share of trials that failed")
        .y_label_formatter(&|share| format!("{:.0} %", 100.0 * share))
        .draw()
        .map_err(|error| told(&error))?;
    let rows = rows(trials);
    let mut conditions: Vec<&str> = Vec::new();
    rows.iter().for_each(|row| {
        if !conditions.contains(&row.condition) {
            conditions.push(row.condition);
        }
    });
    for (index, condition) in conditions.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let shift = 0.12 * (index as f64 - conditions.len() as f64 / 2.0);
        let points: Vec<(f64, f64, f64, f64)> = rows
            .iter()
            .filter(|row| row.condition == *condition)
            .filter_map(|row| {
                let (n, failed) = (row.trials.len(), row.count("slower"));
                let interval = clopper_pearson(failed, n, 0.95)?;
                let share = failed as f64 / n as f64;
                Some((row.case.percent()? + shift, share, interval.low, interval.high))
            })
            .collect();
        let line = points.iter().map(|point| (point.0, point.1));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))
            .map_err(|error| told(&error))?
            .label(*condition)
            .legend(move |(x, y)| {
                PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2))
            });
        let bars = points
            .iter()
            .map(|p| PathElement::new(vec![(p.0, p.2), (p.0, p.3)], colour.stroke_width(1)));
        chart.draw_series(bars).map_err(|error| told(&error))?;
        let dots = points.iter().map(|p| Circle::new((p.0, p.1), 3, colour.filled()));
        chart.draw_series(dots).map_err(|error| told(&error))?;
    }
    let legend = chart.configure_series_labels();
    { legend }
        .position(SeriesLabelPosition::LowerRight)
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE)
        .draw()
        .map_err(|error| told(&error))?;
    area.present().map_err(|error| told(&error))
}
