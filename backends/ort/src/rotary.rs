//! Cosines and sines of every position of the context, which graphs take as inputs.

use yardstick_model::arch::Rotary;

/// (context, dims / 2) each, angles in f64; `chosen` is the context by which long or short factors are chosen.
pub(crate) fn tables(rotary: &Rotary, context: usize, chosen: usize) -> [Vec<f32>; 2] {
    let frequencies = rotary.frequencies(chosen);
    let magnitude = f64::from(rotary.magnitude);
    [f64::cos, f64::sin].map(|f: fn(f64) -> f64| {
        let value = |position: usize, w: f64| (f(position as f64 * w) * magnitude) as f32;
        (0..context)
            .flat_map(|position| frequencies.iter().map(move |&w| value(position, w)))
            .collect()
    })
}
