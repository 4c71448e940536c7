// stream[token] += scale * (sum of share * expert's result, and the shared expert's). Workgroups (ceil(width / 64), tokens).
//   parts (tokens, used, width), choices (tokens, used): expert, share; common (tokens, width)
struct Params {
    width: u32,
    used: u32,
    // 1: there is a shared expert.
    shared_one: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read> choices: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> common_part: array<f32>;
@group(0) @binding(4) var<storage, read_write> stream: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let token = id.y;
    if (i >= p.width) {
        return;
    }
    var sum = 0.0;
    if (p.shared_one == 1u) {
        sum = common_part[token * p.width + i];
    }
    for (var k = 0u; k < p.used; k++) {
        let at = token * p.used + k;
        sum = fma(bitcast<f32>(choices[at].y), parts[at * p.width + i], sum);
    }
    stream[token * p.width + i] += p.scale * sum;
}
