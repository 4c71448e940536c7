// Which experts a token takes: softmax over all scores, the best `used` (the lower index among equals), their shares
// normalised where the model does, times scale. One workgroup of 64 a token; at most 512 experts.
//   scores (tokens, count), choices (tokens, used): expert, share
const MOST = 512u;

struct Params {
    count: u32,
    used: u32,
    normalised: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read_write> choices: array<vec2<u32>>;

var<workgroup> shares: array<f32, MOST>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, team: Team) {
    let lane = team.lane;
    let token = group.x;
    var high = -3.0e38;
    for (var i = lane; i < p.count; i += 64u) {
        high = max(high, scores[token * p.count + i]);
    }
    let largest = max64(vec4(high), team).x;
    var own = 0.0;
    for (var i = lane; i < p.count; i += 64u) {
        let e = exp(scores[token * p.count + i] - largest);
        shares[i] = e;
        own += e;
    }
    let total = sum64(vec4(own), team).x;
    // The choice itself is short: one invocation makes it.
    if (lane != 0u) {
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < p.used; k++) {
        var best = 0u;
        for (var i = 1u; i < p.count; i++) {
            if (shares[i] > shares[best]) {
                best = i;
            }
        }
        let share = shares[best] / total;
        sum += share;
        choices[token * p.used + k] = vec2(best, bitcast<u32>(share));
        shares[best] = -1.0;
    }
    let factor = p.scale / select(1.0, sum, p.normalised == 1u);
    for (var k = 0u; k < p.used; k++) {
        let at = token * p.used + k;
        choices[at].y = bitcast<u32>(bitcast<f32>(choices[at].y) * factor);
    }
}
