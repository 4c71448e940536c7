//! The feed-forward block of a layer.

use std::fmt;

/// `down(act(gate(x)) * up(x))`, or `down(act(up(x)))` without a gate; dense or a mixture of experts.
#[derive(Clone, Debug, PartialEq)]
pub struct Ffn {
    /// Inner width, of one expert where there are experts.
    pub width: usize,
    /// What is done to the gate, or to `up` where there is none.
    pub activation: Activation,
    /// Where the gate is.
    pub gate: Gate,
    /// `ffn_gate.bias`
    pub gate_bias: bool,
    /// `ffn_up.bias`
    pub up_bias: bool,
    /// `ffn_down.bias`
    pub down_bias: bool,
    /// A mixture: `ffn_gate_inp` (experts, embedding); `ffn_{gate,up}_exps` (experts, width, embedding);
    /// `ffn_down_exps` (experts, embedding, width). Without: `ffn_{gate,up}` (width, embedding), `ffn_down` (embedding, width).
    pub experts: Option<Experts>,
}

impl Ffn {
    /// Experts a token runs, and experts stored; one of one without a mixture.
    pub fn experts_of(&self) -> (usize, usize) {
        self.experts.map_or((1, 1), |experts| (experts.used, experts.count))
    }
}

impl fmt::Display for Ffn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gate = if self.gate == Gate::None { "no gate" } else { "gated" };
        let activation = match self.activation {
            Activation::Silu => "SiLU",
            Activation::Gelu => "GELU",
        };
        match self.experts {
            None => write!(f, "feed-forward {} wide, {gate}, {activation}", self.width),
            Some(Experts { count, used, .. }) => {
                let width = self.width;
                write!(f, "{used} of {count} experts {width} wide, {gate}, {activation}")
            }
        }
    }
}

/// The function between the two products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`
    Silu,
    /// GELU by its tanh formula: `x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))`
    Gelu,
}

/// Where the gate's rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// There is no gate.
    None,
    /// `ffn_gate`, a tensor of its own.
    Separate,
    /// The first half of `ffn_up`'s rows (2 * width, embedding); the second is up itself.
    Fused,
}

/// A mixture of experts: softmax over all scores, the best `used` are run and weighted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Experts {
    /// Experts stored.
    pub count: usize,
    /// Experts run per token.
    pub used: usize,
    /// The weights of the experts used are divided by their sum (Mixtral, Qwen 3), else kept as they are (OLMoE).
    pub normalised: bool,
    /// Then multiplied by this.
    pub scale: f32,
    /// Inner width of an expert that every token passes (`ffn_{gate,up,down}_shexp`), added to the mixture.
    pub shared: Option<usize>,
}
