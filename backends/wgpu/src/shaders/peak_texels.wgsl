// As peak_read.wgsl, from a texture: reads it from end to end and folds it into one word an invocation: the ceiling of whatever streams weights.
// Invocations read 16 bytes side by side, four loads in flight; what is folded is written only if it is a word that
// zeros and random data never give, so that no load can be left out.
struct Params {
    // vec4s in the buffer, a multiple of 4 times the invocations.
    count: u32,
    invocations: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var words: texture_2d<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

fn word(i: u32) -> vec4<u32> {
    return textureLoad(words, vec2(i % 4096u, i / 4096u), 0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var a = vec4(0u);
    var b = vec4(0u);
    let step = p.invocations;
    for (var i = id.x; i < p.count; i += 4u * step) {
        a ^= word(i);
        b ^= word(i + step);
        a ^= word(i + 2u * step);
        b ^= word(i + 3u * step);
    }
    let all = a ^ b;
    if ((all.x ^ all.y ^ all.z ^ all.w) == 0xdeadbeefu) {
        out[0] = 1u;
    }
}
