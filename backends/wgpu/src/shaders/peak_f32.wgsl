// Multiplies and adds f32 in 8 independent chains of vec4: 128 operations a round (two rounds' worth of 64).
struct Params {
    rounds: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = vec4(0.5 + f32(id.x) * 1e-9);
    let c = vec4(0.25);
    var s0 = vec4(f32(id.x));
    var s1 = s0 + c;
    var s2 = s1 + c;
    var s3 = s2 + c;
    var s4 = s3 + c;
    var s5 = s4 + c;
    var s6 = s5 + c;
    var s7 = s6 + c;
    for (var i = 0u; i < p.rounds; i++) {
        s0 = fma(s0, m, c);
        s1 = fma(s1, m, c);
        s2 = fma(s2, m, c);
        s3 = fma(s3, m, c);
        s4 = fma(s4, m, c);
        s5 = fma(s5, m, c);
        s6 = fma(s6, m, c);
        s7 = fma(s7, m, c);
        s0 = fma(s0, m, c);
        s1 = fma(s1, m, c);
        s2 = fma(s2, m, c);
        s3 = fma(s3, m, c);
        s4 = fma(s4, m, c);
        s5 = fma(s5, m, c);
        s6 = fma(s6, m, c);
        s7 = fma(s7, m, c);
    }
    let all = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
    if (all.x + all.y + all.z + all.w == 12345.678) {
        out[0] = all.x;
    }
}
