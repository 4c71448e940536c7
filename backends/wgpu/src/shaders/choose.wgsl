// The best candidate of each row becomes its next token: written to the list of ids and into the row, whose position
// and step grow by one. One workgroup of 64 a row.
struct Params {
    groups: u32,
    // Rows generated together.
    count: u32,
    // Steps the list of ids has room for; then it begins again.
    slots: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> candidates: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> rows: array<vec4<u32>>;
// (steps, count)
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;

var<workgroup> best: array<f32, 64>;
var<workgroup> place: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var value = -3.4e38;
    var index = 0xffffffffu;
    for (var i = lane; i < p.groups; i += 64u) {
        let candidate = candidates[group.x * p.groups + i];
        let v = bitcast<f32>(candidate.x);
        if (v > value || (v == value && candidate.y < index)) {
            value = v;
            index = candidate.y;
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
        // Rows of nothing but NaN answer 0, as the host's argmax does.
        let id = select(place[0], 0u, place[0] == 0xffffffffu);
        let row = rows[group.x];
        ids[(row.w % p.slots) * p.count + group.x] = id;
        rows[group.x] = vec4(id, row.y + 1u, row.z, row.w + 1u);
    }
}
