//! The feed-forward block: `down(act(gate(x)) * up(x))`, or without a gate.

use yardstick_api::Error;
use yardstick_model::arch::{Activation, Layer};

use super::has_gate;
use super::parts::Parts;
use crate::onnx::Attribute;

/// (rows, embedding) to the same, times `factor`.
pub(super) fn feed_forward(
    parts: &mut Parts<'_>,
    i: usize,
    layer: &Layer,
    h: &str,
    factor: f32,
) -> Result<String, Error> {
    let (ffn, of) = (&layer.ffn, |part: &str| format!("blk.{i}.{part}"));
    let name = of("ffn_act");
    let inner = if has_gate(layer) {
        let gate = parts.product(&of("ffn_gate"), h, ffn.gate_bias)?;
        let up = parts.product(&of("ffn_up"), h, ffn.up_bias)?;
        let gate = activate(parts, &name, ffn.activation, &gate);
        parts.graph.node(&name, "Mul", &[&gate, &up], &[])
    } else {
        let up = parts.product(&of("ffn_up"), h, ffn.up_bias)?;
        activate(parts, &name, ffn.activation, &up)
    };
    parts.scaled_product(&of("ffn_down"), &inner, ffn.down_bias, factor)
}

fn activate(parts: &mut Parts<'_>, name: &str, activation: Activation, x: &str) -> String {
    match activation {
        Activation::Silu => {
            let sigmoid = parts.graph.node(name, "Sigmoid", &[x], &[]);
            parts.graph.node(name, "Mul", &[x, &sigmoid], &[])
        }
        Activation::Gelu => {
            parts.graph.node(name, "Gelu", &[x], &[("approximate", Attribute::Text("tanh"))])
        }
    }
}
