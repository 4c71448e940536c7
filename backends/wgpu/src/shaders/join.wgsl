// What several splits of a token's attention found (attend.wgsl), joined: with the largest maximum m of all,
//   out = sum of e^(maximum - m) sums / sum of e^(maximum - m) total.
// One workgroup of 64 a head; out as the product of one token reads it.
//   partials (heads, splits, value_dim + 2): sums not yet divided, maximum, total; 0 is the total of a split without positions
override SPLITS: u32 = 16u;

struct Params {
    value_dim: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let head = group.x;
    let partial = p.value_dim + 2u;
    let base = head * SPLITS * partial;
    var largest = partials[base + p.value_dim];
    for (var s = 1u; s < SPLITS; s++) {
        largest = max(largest, partials[base + s * partial + p.value_dim]);
    }
    for (var i = lane; i < p.value_dim; i += 64u) {
        var sum = 0.0;
        var total = 0.0;
        for (var s = 0u; s < SPLITS; s++) {
            let at = base + s * partial;
            let weight = exp(partials[at + p.value_dim] - largest);
            sum = fma(weight, partials[at + i], sum);
            total = fma(weight, partials[at + p.value_dim + 1u], total);
        }
        out[head * p.value_dim + i] = sum / total;
    }
}
