// The largest of each 1024 logits of a row and its index, the lowest among equals, NaN never.
// Workgroups (ceil(vocab / 1024), rows) of 64; candidates (rows, groups): value, index.
struct Params {
    vocab: u32,
    groups: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> candidates: array<vec2<u32>>;

var<workgroup> best: array<f32, 64>;
var<workgroup> place: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var value = -3.4e38;
    var index = 0xffffffffu;
    for (var i = 0u; i < 16u; i++) {
        let n = group.x * 1024u + i * 64u + lane;
        if (n < p.vocab) {
            let v = logits[group.y * p.vocab + n];
            if (v > value) {
                value = v;
                index = n;
            }
        }
    }
    best[lane] = value;
    place[lane] = index;
    workgroupBarrier();
    for (var step = 32u; step > 0u; step /= 2u) {
        if (lane < step) {
            let v = best[lane + step];
            let n = place[lane + step];
            if (v > best[lane] || (v == best[lane] && n < place[lane])) {
                best[lane] = v;
                place[lane] = n;
            }
        }
        workgroupBarrier();
    }
    if (lane == 0u) {
        candidates[group.y * p.groups + group.x] = vec2(bitcast<u32>(best[0]), place[0]);
    }
}
