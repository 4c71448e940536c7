//! Activations of products that are quantised whole: rounded to 16 bits in the ranges of a calibration, or, for the calibration
//! itself, told.

use yardstick_api::Error;

use super::parts::{Parts, missing};
use crate::onnx::{Attribute, Dim, ElementType};

/// What the names of outputs begin with that tell the range (1, 2) of an activation.
pub(crate) const RANGE: &str = "range.";

/// How much wider than the calibration's a range is made: a value outside is cut off, which costs more than one bit of 16.
const HEADROOM: f32 = 2.0;

/// Steps of 16 bits.
const STEPS: f32 = 65535.0;

impl Parts<'_> {
    /// What goes into a product. Products that share it round it once.
    pub(super) fn input_of(&mut self, product: &str, x: &str) -> Result<String, Error> {
        if let Some((of, rounded)) = &self.rounded_input
            && of == x
        {
            return Ok(rounded.clone());
        }
        let rounded = self.activation(product, "in", x)?;
        self.rounded_input = Some((x.to_owned(), rounded.clone()));
        Ok(rounded)
    }

    /// What comes out of a product.
    pub(super) fn output_of(&mut self, product: &str, y: &str) -> Result<String, Error> {
        self.activation(product, "out", y)
    }

    fn activation(&mut self, product: &str, side: &str, x: &str) -> Result<String, Error> {
        if !self.style.scheme.rounds_activations() {
            return Ok(x.to_owned());
        }
        let place = format!("{product}.{side}");
        if self.index.ranges.is_empty() {
            self.tell(product, &format!("{RANGE}{place}"), x);
            return Ok(x.to_owned());
        }
        let range = self.index.ranges.get(&place).ok_or_else(|| missing(&place))?;
        let (scale, zero) = steps(*range);
        let scale = self.graph.scalar(scale);
        let zero = self.graph.constant(ElementType::U16, &[], &zero.to_le_bytes());
        let codes = self.graph.node(product, "QuantizeLinear", &[x, &scale, &zero], &[]);
        Ok(self.graph.node(product, "DequantizeLinear", &[&codes, &scale, &zero], &[]))
    }

    fn tell(&mut self, product: &str, output: &str, x: &str) {
        self.graph.output(output, ElementType::F32, &[1, 2].map(Dim::Fixed));
        let least = self.graph.node(product, "ReduceMin", &[x], &[]);
        let greatest = self.graph.node(product, "ReduceMax", &[x], &[]);
        let axis = [("axis", Attribute::Int(1))];
        self.graph.node_to(product, "", "Concat", &[&least, &greatest], &[output], &axis);
    }
}

/// The length of a step, and the code that stands for 0, which every range holds.
fn steps([least, greatest]: [f32; 2]) -> (f32, u16) {
    let (low, high) = (least.min(0.0) * HEADROOM, greatest.max(0.0) * HEADROOM);
    match (high - low) / STEPS {
        0.0 => (1.0, 0),
        // In range: low is 0 at most, and high 0 at least.
        scale => (scale, (-low / scale).round() as u16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_0_and_twice_what_was_met() {
        for [least, greatest] in [[-1.0, 3.0], [-2.0, -1.0], [0.5, 7.0], [-1e-3, 1e3]] {
            let (scale, zero) = steps([least, greatest]);
            let ends = [0.0, STEPS].map(|code| (code - f32::from(zero)) * scale);
            let wanted = [2.0 * least.min(0.0), 2.0 * greatest.max(0.0)];
            for (end, wanted) in ends.into_iter().zip(wanted) {
                assert!((end - wanted).abs() <= scale, "{least} {greatest}: {end}, not {wanted}");
            }
        }
        assert_eq!(steps([0.0, 0.0]), (1.0, 0));
    }
}
