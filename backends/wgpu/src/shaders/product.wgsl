// y = W x for one token: (rows), (rows, 64 units), (64 units). Behind it the epilogue: bias, activation, residual.
// Before it one of dot_*.wgsl: what a unit of 64 columns adds to a row, in which arithmetic.
//
// A lane owns a row of each of the two panels of a pair, SPLITS invocations share its units, PAIRS pairs share a
// workgroup: (8, SPLITS, PAIRS) invocations, ceil(pairs / PAIRS) workgroups.
// GATED: the pair's first panel is the gate, its second up: y = activate(gate) * up.
// An adding product can prepare the next norm: next = y * gain, and each workgroup's sum of squares behind it.
override SPLITS: u32 = 1u;
override PAIRS: u32 = 4u;
override GATED: bool = false;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read> vectors: array<f32>;
@group(0) @binding(7) var<storage, read_write> next: array<f32>;

var<workgroup> partials: array<vec2<f32>, 8u * SPLITS * PAIRS>;
var<workgroup> squares: array<f32, 8u * PAIRS>;

// The factor of an RMS norm whose weight is in x already.
fn folded_norm() -> f32 {
    let fours = p.fours + zero;
    if (fours == 0u) {
        return 1.0;
    }
    var sum = vec4(0.0);
    for (var i = 0u; i < fours; i++) {
        sum += x[p.units * 16u + i];
    }
    return 1.0 / sqrt((sum.x + sum.y + sum.z + sum.w) / p.width + p.eps);
}

// Stores one row of y and returns what the next norm sums.
fn store(row: u32, value: f32) -> f32 {
    let n = p.first + row;
    var v = capped(p.scale * activate(biased(value, p.bias, n)));
    if (p.add + zero == 1u) {
        v += y[n];
    }
    y[n] = v;
    if (p.gain + zero != NONE) {
        next[n] = v * vectors[p.gain + n];
    }
    return v * v;
}

@compute @workgroup_size(8, SPLITS, PAIRS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) id: vec3<u32>,
) {
    let lane = id.x;
    zero = lane >> 16u;
    let pair = group.x * PAIRS + id.z;
    // Spare invocations repeat the last pair, so that all meet at the barriers; they store nothing.
    let panel = 2u * min(pair, p.pairs - 1u);
    prepare((id.z * SPLITS + id.y) * 8u + lane, 8u * SPLITS * PAIRS);
    var sums = vec2(0.0);
    let units = p.units + zero;
    for (var unit = id.y; unit < units; unit += SPLITS) {
        let slot = panel * p.units + unit;
        sums += of_unit(slot, slot + p.units, lane, unit);
    }
    sums *= folded_norm();
    let home = id.z * 8u + lane;
    if (SPLITS > 1u) {
        partials[id.y * 8u * PAIRS + home] = sums;
        workgroupBarrier();
        sums = vec2(0.0);
        for (var i = 0u; i < SPLITS; i++) {
            sums += partials[i * 8u * PAIRS + home];
        }
    }
    var square = 0.0;
    if (id.y == 0u && pair < p.pairs) {
        if (GATED) {
            let row = 8u * pair + lane;
            if (row < p.rows) {
                let n = p.first + row;
                y[n] = activate(biased(sums.x, p.bias, n)) * biased(sums.y, p.bias_up, n);
            }
        } else {
            let row = 16u * pair + lane;
            if (row < p.rows) {
                square = store(row, sums.x);
            }
            if (row + 8u < p.rows) {
                square += store(row + 8u, sums.y);
            }
        }
    }
    if (id.y == 0u) {
        squares[home] = square;
    }
    workgroupBarrier();
    if (id.y == 0u && home == 0u && p.gain + zero != NONE) {
        var sum = 0.0;
        for (var i = 0u; i < 8u * PAIRS; i++) {
            sum += squares[i];
        }
        next[p.stride + group.x] = sum;
        if (group.x == groups.x - 1u) {
            // The sums are read in fours.
            next[p.stride + groups.x] = 0.0;
            next[p.stride + groups.x + 1u] = 0.0;
            next[p.stride + groups.x + 2u] = 0.0;
        }
    }
}
