// Multiplies and adds 8-bit integers, four at a time, in 16 independent chains: 128 operations a round.
struct Params {
    rounds: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

fn four(s: vec4<i32>, a: u32, b: u32) -> vec4<i32> {
    return s + vec4(dot4I8Packed(a, b), dot4I8Packed(a + 1u, b), dot4I8Packed(a + 2u, b), dot4I8Packed(a + 3u, b));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var s0 = vec4(0i);
    var s1 = vec4(1i);
    var s2 = vec4(2i);
    var s3 = vec4(3i);
    for (var i = 0u; i < p.rounds; i++) {
        s0 = four(s0, id.x, i);
        s1 = four(s1, id.x + 7u, i);
        s2 = four(s2, id.x + 13u, i);
        s3 = four(s3, id.x + 29u, i);
    }
    let all = s0 ^ s1 ^ s2 ^ s3;
    if ((all.x ^ all.y ^ all.z ^ all.w) == 0x5eadbeef) {
        out[0] = 1u;
    }
}
