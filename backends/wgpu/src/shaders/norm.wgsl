// A norm of the stream, one workgroup of 64 a token:
//   RMS    v = x / sqrt(mean(x^2) + eps) * weight
//   layer  v = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * weight + bias
// Written for a product to read ([tile][columns][TILE tokens]), or, behind a block, added: out[token] += scale * v.
const NONE = 0xffffffffu;

struct Params {
    width: u32,
    // 0 RMS, 1 layer
    kind: u32,
    // Offsets into vectors.
    weight: u32,
    bias: u32,
    // Tokens of a tile and padded columns of out.
    tile: u32,
    stride: u32,
    // 1: out is the stream, to be added to.
    add: u32,
    // 1: token i is row picks[i].x of x.
    picked: u32,
    eps: f32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read> vectors: array<f32>;
@group(0) @binding(4) var<storage, read> picks: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, team: Team) {
    let lane = team.lane;
    let token = group.x;
    var row = token;
    if (p.picked == 1u) {
        row = picks[token];
    }
    let from_ = row * p.width;
    let count = f32(p.width);
    var mean = 0.0;
    if (p.kind == 1u) {
        var sum = 0.0;
        for (var i = lane; i < p.width; i += 64u) {
            sum += x[from_ + i];
        }
        mean = sum64(vec4(sum), team).x / count;
    }
    var squares = 0.0;
    for (var i = lane; i < p.width; i += 64u) {
        let v = x[from_ + i] - mean;
        squares = fma(v, v, squares);
    }
    let factor = 1.0 / sqrt(sum64(vec4(squares), team).x / count + p.eps);
    let base = (token / p.tile) * p.tile * p.stride + token % p.tile;
    for (var i = lane; i < p.width; i += 64u) {
        var v = (x[from_ + i] - mean) * factor * vectors[p.weight + i];
        if (p.bias != NONE) {
            v += vectors[p.bias + i];
        }
        if (p.add == 1u) {
            out[from_ + i] += p.scale * v;
        } else {
            out[base + i * p.tile] = v;
        }
    }
}
