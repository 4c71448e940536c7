// Activations of tiles in 8 bits, 32 columns at a time: x = s k, s = max |x| / 127, k from -127 to 127.
//
// x is [tile][columns][TILE], a record for every four tokens of a block of 32 columns: [tile][block][TILE / 4] of 11 words for
// each of the four: 8 words of four k, s, and s sum(k) of the block's first 16 columns and of the others.
// An invocation makes one record: workgroups of 64, (ceil(records of a tile / 64), tiles).
override TILE: u32 = 16u;

struct Params {
    // Blocks of a token, padding included.
    blocks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> records: array<vec4<u32>>;

// Four columns of one token.
fn four(v: vec4<f32>) -> u32 {
    return pack4xI8(vec4<i32>(round(v)));
}

fn sum(k: vec4<u32>) -> vec4<f32> {
    let ones = 0x01010101u;
    return vec4<f32>(vec4(
        dot4I8Packed(k.x, ones), dot4I8Packed(k.y, ones), dot4I8Packed(k.z, ones), dot4I8Packed(k.w, ones),
    ));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
    let fours = TILE / 4u;
    let record = group.x * 64u + id.x;
    let block = record / fours;
    if (block >= p.blocks) {
        return;
    }
    let from_ = (group.y * p.blocks + block) * 32u * fours + record % fours;
    let to = (group.y * p.blocks * fours + record) * 11u;
    var high = vec4(0.0);
    for (var i = 0u; i < 32u; i++) {
        high = max(high, abs(x[from_ + i * fours]));
    }
    let inverse = select(vec4(0.0), 127.0 / high, high > vec4(0.0));
    var low_sum = vec4(0.0);
    var high_sum = vec4(0.0);
    for (var i = 0u; i < 8u; i++) {
        let at = from_ + i * 4u * fours;
        let columns = mat4x4(
            x[at] * inverse, x[at + fours] * inverse, x[at + 2u * fours] * inverse, x[at + 3u * fours] * inverse,
        );
        let tokens = transpose(columns);
        let k = vec4(four(tokens[0]), four(tokens[1]), four(tokens[2]), four(tokens[3]));
        records[to + i] = k;
        if (i < 4u) {
            low_sum += sum(k);
        } else {
            high_sum += sum(k);
        }
    }
    let scale = high / 127.0;
    records[to + 8u] = bitcast<vec4<u32>>(scale);
    records[to + 9u] = bitcast<vec4<u32>>(scale * low_sum);
    records[to + 10u] = bitcast<vec4<u32>>(scale * high_sum);
}
