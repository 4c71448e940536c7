// y[i] = W_e x[i / share], each row i by itself: an expert e of several stacked in one matrix (choices[i].x), or the
// only one. For mixtures of experts, whose tokens go different ways, and for their routers.
// Layout, lanes and GATED as in product.wgsl, with (8, 1, PAIRS) invocations and workgroups (pairs of an expert / PAIRS, rows).
override PAIRS: u32 = 4u;
override GATED: bool = false;

struct Params {
    units: u32,
    // Pairs of panels of one expert, and where this part of the matrix begins and ends, in pairs of all experts.
    pairs: u32,
    from_pair: u32,
    to_pair: u32,
    // Rows of an expert's y, and elements from one row of y to the next.
    rows: u32,
    stride: u32,
    // Rows i that share a row of x, and padded columns of x.
    share: u32,
    columns: u32,
    // 1: choices name the experts.
    chosen: u32,
    // 1 SiLU, 2 GELU
    activation: u32,
    supers: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read> choices: array<vec2<u32>>;

// 0, which no compiler knows: why it is added to conditions is said in epilogue.wgsl.
var<private> zero: u32;

fn activate(v: f32) -> f32 {
    if (p.activation + zero == 1u) {
        return v / (1.0 + exp(-v));
    }
    let t = 0.7978845608 * v * (1.0 + 0.044715 * v * v);
    return 0.5 * v * (1.0 + tanh(clamp(t, -15.0, 15.0)));
}

// The sum over 32 columns of both rows.
fn half_unit(sa: Scales, sb: Scales, slot: u32, lane: u32, half: u32, at: u32) -> vec2<f32> {
    var wa = block(sa, slot, lane, half);
    var wb = block(sb, slot + p.units, lane, half);
    var a = vec4(0.0);
    var b = vec4(0.0);
    for (var i = 0u; i < 8u; i++) {
        a = fma(wa[i], x[at + i], a);
        b = fma(wb[i], x[at + i], b);
    }
    return vec2(a.x + a.y + a.z + a.w, b.x + b.y + b.z + b.w);
}

@compute @workgroup_size(8, 1, PAIRS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
    let lane = id.x;
    zero = lane >> 16u;
    let i = group.y;
    let pair = group.x * PAIRS + id.z;
    var expert = 0u;
    if (p.chosen + zero == 1u) {
        expert = choices[i].x;
    }
    let stacked = expert * p.pairs + pair;
    if (pair >= p.pairs || stacked < p.from_pair || stacked >= p.to_pair) {
        return;
    }
    let panel = 2u * (stacked - p.from_pair);
    let base = (i / p.share) * p.columns / 4u;
    var sums = vec2(0.0);
    let units = p.units + zero;
    for (var unit = 0u; unit < units; unit++) {
        let slot = panel * p.units + unit;
        let sa = scales(slot, lane);
        let sb = scales(slot + p.units, lane);
        sums += half_unit(sa, sb, slot, lane, 0u, base + unit * 16u);
        sums += half_unit(sa, sb, slot, lane, 1u, base + unit * 16u + 8u);
    }
    let out = i * p.stride;
    if (GATED) {
        let row = 8u * pair + lane;
        if (row < p.rows) {
            y[out + row] = activate(sums.x) * sums.y;
        }
    } else {
        let row = 16u * pair + lane;
        if (row < p.rows) {
            y[out + row] = sums.x;
        }
        if (row + 8u < p.rows) {
            y[out + row + 8u] = sums.y;
        }
    }
}
