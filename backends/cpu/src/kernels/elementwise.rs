//! Norms, softmax, SiLU, GELU and soft caps over rows of f32, in plain Rust that vectorises on every instruction set.

use super::isa::per_isa;

/// Partial sums; as many as the widest vector has lanes, so that every instruction set adds in the same order.
const LANES: usize = 16;

/// e^x to within 2 units in the last place; 0 below -87.3, and x is not above 88.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // 2^n e^r with |r| <= ln 2 / 2; ln 2 in two parts (Cody and Waite); a minimax polynomial for e^r (Cephes).
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x < -87.3 { -87.3 } else { x };
    let clamped = if clamped > 88.0 { 88.0 } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * 0.693_359_4;
    let r = r + n * 2.121_944_4e-4;
    let mut p = 1.987_569_2e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let p = p * (r * r) + r + 1.0;
    let bits = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32).wrapping_add(127);
    let value = p * f32::from_bits((bits as u32) << 23);
    if x < -87.3 { 0.0 } else { value }
}

per_isa! {
    /// `x / sqrt(mean(x^2) + eps) * weight`
    fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = rms_norm_body;
}

#[inline(always)]
fn rms_norm_body(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let mut sums = [0.0_f32; LANES];
    let (lines, rest) = x.as_chunks::<LANES>();
    for line in lines {
        for i in 0..LANES {
            sums[i] += line[i] * line[i];
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += x * x;
    }
    let mean = sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() / x.len() as f64;
    let scale = (1.0 / (mean + f64::from(eps)).sqrt()) as f32;
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

per_isa! {
    /// `gate = gate * sigmoid(gate) * up`
    fn silu_times(gate: &mut [f32], up: &[f32]) = silu_times_body;
}

#[inline(always)]
fn silu_times_body(gate: &mut [f32], up: &[f32]) {
    for (gate, up) in gate.iter_mut().zip(up) {
        *gate = *gate / (1.0 + exp(-*gate)) * up;
    }
}

per_isa! {
    /// `(x - mean) / sqrt(variance + eps) * weight + bias`
    fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32])
        = layer_norm_body;
}

#[inline(always)]
fn layer_norm_body(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let (mean, scale) = mean_and_scale(x, true, eps);
    for (((out, x), weight), bias) in out.iter_mut().zip(x).zip(weight).zip(bias) {
        *out = (x - mean) * scale * weight + bias;
    }
}

per_isa! {
    /// An RMS norm, or a layer norm without bias (`centred`), where the values are.
    fn norm_in_place(x: &mut [f32], weight: &[f32], centred: bool, eps: f32) = norm_in_place_body;
}

#[inline(always)]
fn norm_in_place_body(x: &mut [f32], weight: &[f32], centred: bool, eps: f32) {
    let (mean, scale) = mean_and_scale(x, centred, eps);
    for (x, weight) in x.iter_mut().zip(weight) {
        *x = (*x - mean) * scale * weight;
    }
}

/// The mean (0 when not centred), and 1 over the root of the mean square of what is left.
#[inline(always)]
fn mean_and_scale(x: &[f32], centred: bool, eps: f32) -> (f32, f32) {
    let n = x.len() as f64;
    let mean = if centred { (f64::from(sum(x, |x| x)) / n) as f32 } else { 0.0 };
    let square = f64::from(sum(x, |x| (x - mean) * (x - mean))) / n;
    (mean, (1.0 / (square + f64::from(eps)).sqrt()) as f32)
}

/// Sum of a function of the values.
#[inline(always)]
fn sum(x: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (lines, rest) = x.as_chunks::<LANES>();
    for line in lines {
        for i in 0..LANES {
            sums[i] += of(line[i]);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += of(*x);
    }
    sums.iter().sum()
}

per_isa! {
    /// `gate = gate * sigmoid(gate)`
    fn silu(gate: &mut [f32]) = silu_body;
}

#[inline(always)]
fn silu_body(gate: &mut [f32]) {
    for gate in gate {
        *gate /= 1.0 + exp(-*gate);
    }
}

per_isa! {
    /// `gate = gelu(gate) * up`
    fn gelu_times(gate: &mut [f32], up: &[f32]) = gelu_times_body;
}

#[inline(always)]
fn gelu_times_body(gate: &mut [f32], up: &[f32]) {
    for (gate, up) in gate.iter_mut().zip(up) {
        *gate = gelu_of(*gate) * up;
    }
}

per_isa! {
    /// `gate = gelu(gate)`
    fn gelu(gate: &mut [f32]) = gelu_body;
}

#[inline(always)]
fn gelu_body(gate: &mut [f32]) {
    for gate in gate {
        *gate = gelu_of(*gate);
    }
}

/// GELU by its tanh formula, `x/2 (1 + tanh u) = x sigmoid(2u)` with `u = sqrt(2/pi) (x + 0.044715 x^3)`.
#[inline(always)]
fn gelu_of(x: f32) -> f32 {
    const ROOT: f32 = 0.797_884_6;
    x / (1.0 + exp(-2.0 * ROOT * x * (1.0 + 0.044_715 * x * x)))
}

per_isa! {
    /// `x = cap * tanh(x / cap)`
    fn soft_cap(x: &mut [f32], cap: f32) = soft_cap_body;
}

#[inline(always)]
fn soft_cap_body(x: &mut [f32], cap: f32) {
    let by = 2.0 / cap;
    for x in x {
        // tanh y = 1 - 2 / (e^2y + 1)
        *x = cap - 2.0 * cap / (exp(*x * by) + 1.0);
    }
}

per_isa! {
    /// Adds `by * y` to `x`.
    fn add_scaled(x: &mut [f32], y: &[f32], by: f32) = add_scaled_body;
}

#[inline(always)]
fn add_scaled_body(x: &mut [f32], y: &[f32], by: f32) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += by * y;
    }
}

per_isa! {
    /// Adds `y` to `x`.
    fn add(x: &mut [f32], y: &[f32]) = add_body;
}

#[inline(always)]
fn add_body(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

per_isa! {
    /// Multiplies `x` by a number.
    fn scale(x: &mut [f32], by: f32) = scale_body;
}

#[inline(always)]
fn scale_body(x: &mut [f32], by: f32) {
    for x in x {
        *x *= by;
    }
}

per_isa! {
    /// The largest, -infinity of none.
    fn largest(x: &[f32]) -> f32 = largest_body;
}

#[inline(always)]
fn largest_body(x: &[f32]) -> f32 {
    let mut best = [f32::NEG_INFINITY; LANES];
    let (lines, rest) = x.as_chunks::<LANES>();
    for line in lines {
        for i in 0..LANES {
            best[i] = if line[i] > best[i] { line[i] } else { best[i] };
        }
    }
    rest.iter().chain(&best).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

per_isa! {
    /// Replaces each x by `e^(x - shift)`, x not above `shift`, and returns their sum.
    fn exponentials(x: &mut [f32], shift: f32) -> f32 = exponentials_body;
}

#[inline(always)]
fn exponentials_body(x: &mut [f32], shift: f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (lines, rest) = x.as_chunks_mut::<LANES>();
    for line in lines {
        for i in 0..LANES {
            line[i] = exp(line[i] - shift);
            sums[i] += line[i];
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *x = exp(*x - shift);
        *sum += *x;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;

    #[test]
    fn exponentials_are_within_three_parts_in_ten_million() {
        let xs: Vec<f32> = (0..200_000).map(|i| -87.0 + i as f32 * 87.0 / 200_000.0).collect();
        for isa in Isa::usable() {
            let mut ys = xs.clone();
            exponentials(isa, &mut ys, 0.0);
            for (x, y) in xs.iter().zip(&ys) {
                let exact = f64::from(*x).exp();
                assert!((f64::from(*y) / exact - 1.0).abs() < 3e-7, "{isa:?}: e^{x} = {y}");
            }
        }
    }

    #[test]
    fn masked_scores_become_zero_and_the_shift_one() {
        for isa in Isa::usable() {
            let mut x = [f32::NEG_INFINITY, -1000.0, 5.0];
            assert_eq!(exponentials(isa, &mut x, 5.0), 1.0);
            assert_eq!(x, [0.0, 0.0, 1.0]);
        }
    }

    #[test]
    fn silu_is_calm_far_out() {
        for isa in Isa::usable() {
            let mut gate = [-1e30, -200.0, 0.0, 1.0, 200.0];
            silu_times(isa, &mut gate, &[1.0; 5]);
            assert!(gate[0].abs() < 1e-6 && gate[1].abs() < 1e-30 && gate[2] == 0.0);
            assert!((gate[3] - 0.731_058_6).abs() < 1e-6 && gate[4] == 200.0);
        }
    }

    #[test]
    fn rms_norm_matches_the_definition() {
        let x: Vec<f32> = (0..83).map(|i| (i as f32 - 40.0) / 7.0).collect();
        let weight: Vec<f32> = (0..83).map(|i| 1.0 + i as f32 / 83.0).collect();
        let mean = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 83.0;
        for isa in Isa::usable() {
            let mut out = vec![0.0; 83];
            rms_norm(isa, &x, &weight, 1e-5, &mut out);
            for i in 0..83 {
                let exact = f64::from(x[i]) / (mean + 1e-5).sqrt() * f64::from(weight[i]);
                assert!((f64::from(out[i]) - exact).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn gelu_and_soft_caps_match_their_formulas_and_are_calm_far_out() {
        let xs: Vec<f32> = (-400..400).map(|i| i as f32 / 20.0).chain([-1e30, 1e30, 0.0]).collect();
        for isa in Isa::usable() {
            let (mut gelus, mut caps) = (xs.clone(), xs.clone());
            gelu(isa, &mut gelus);
            soft_cap(isa, &mut caps, 5.0);
            for ((x, gelu), cap) in xs.iter().map(|&x| f64::from(x)).zip(gelus).zip(caps) {
                let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                let exact = 0.5 * x * (1.0 + u.tanh());
                let error = (f64::from(gelu) - exact).abs();
                assert!(error <= 2e-6 * exact.abs().max(0.1), "{isa:?} {x}: {gelu} {exact}");
                assert!((f64::from(cap) - 5.0 * (x / 5.0).tanh()).abs() < 4e-6, "{x}: {cap}");
            }
        }
    }

    #[test]
    fn layer_norms_match_the_definition_in_place_and_not() {
        let x: Vec<f32> = (0..83).map(|i| (i as f32 - 30.0) / 7.0).collect();
        let weight: Vec<f32> = (0..83).map(|i| 1.0 + i as f32 / 83.0).collect();
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / 83.0;
        let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / 83.0;
        for isa in Isa::usable() {
            let (mut out, mut here) = (vec![0.0; 83], x.clone());
            layer_norm(isa, &x, &weight, &[0.5; 83], 1e-5, &mut out);
            norm_in_place(isa, &mut here, &weight, true, 1e-5);
            for i in 0..83 {
                let exact =
                    (f64::from(x[i]) - mean) / (variance + 1e-5).sqrt() * f64::from(weight[i]);
                assert!((f64::from(out[i]) - 0.5 - exact).abs() < 1e-5);
                assert!((f64::from(here[i]) - exact).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn largest_ignores_nothing_but_nan() {
        let mut x: Vec<f32> = (0..50).map(|i| i as f32).collect();
        x[3] = 1e9;
        x[4] = f32::NAN;
        for isa in Isa::usable() {
            assert_eq!(largest(isa, &x), 1e9);
            assert_eq!(largest(isa, &[]), f32::NEG_INFINITY);
        }
    }
}
