// Queries and keys of a layer take their places: normalised where the model does, turned by their position, the keys
// and values stored in the cache. One workgroup of 64 a head and token; workgroups (heads + kv_heads, tokens).
//   qkv     (tokens, stride): heads * key_dim, kv_heads * key_dim, kv_heads * value_dim
//   queries (tokens, heads * key_dim), out
//   keys    (sequences, context, kv_heads, key_words), values likewise with value_words
//   angles  (positions, dims / 2): cosine and sine, times the magnitude
const NONE = 0xffffffffu;
// Widest head.
const WIDEST = 512u;

struct Params {
    heads: u32,
    kv_heads: u32,
    key_dim: u32,
    value_dim: u32,
    stride: u32,
    context: u32,
    key_words: u32,
    value_words: u32,
    // Norm: 0 none, 1 one weight for every head, 2 one a head, 3 all heads together; and its formula, 0 RMS, 1 layer.
    span: u32,
    kind: u32,
    q_weight: u32,
    k_weight: u32,
    // Turned elements of a head; their pairs are neighbours (0) or halves (1).
    dims: u32,
    halves: u32,
    // First pair of this rotary embedding in angles.
    angles: u32,
    // Positions of a step of growing queries; 0: they do not grow.
    growth_length: u32,
    growth: f32,
    eps: f32,
    // Elements of a word of the cache: 1 (f32) or 2 (f16).
    packed: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> qkv: array<f32>;
@group(0) @binding(3) var<storage, read> vectors: array<f32>;
@group(0) @binding(4) var<storage, read> angles: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> keys: array<u32>;
@group(0) @binding(6) var<storage, read_write> values: array<u32>;
@group(0) @binding(7) var<storage, read_write> queries: array<f32>;

var<workgroup> head_values: array<f32, WIDEST>;

// Mean (layer norms only) and factor of the norm over `count` elements.
fn statistics(at: u32, count: u32, team: Team) -> vec2<f32> {
    let lane = team.lane;
    var mean = 0.0;
    if (p.kind == 1u) {
        var sum = 0.0;
        for (var i = lane; i < count; i += 64u) {
            sum += qkv[at + i];
        }
        mean = sum64(vec4(sum), team).x / f32(count);
    }
    var squares = 0.0;
    for (var i = lane; i < count; i += 64u) {
        let v = qkv[at + i] - mean;
        squares = fma(v, v, squares);
    }
    return vec2(mean, 1.0 / sqrt(sum64(vec4(squares), team).x / f32(count) + p.eps));
}

// Element i of the head, turned.
fn turned(i: u32, position: u32) -> f32 {
    if (i >= p.dims) {
        return head_values[i];
    }
    let pairs = p.dims / 2u;
    var first = i % pairs;
    var pair = first;
    var second = first + pairs;
    if (p.halves == 0u) {
        pair = i / 2u;
        first = 2u * pair;
        second = first + 1u;
    }
    let turn = angles[p.angles + position * pairs + pair];
    if (i == first) {
        return head_values[first] * turn.x - head_values[second] * turn.y;
    }
    return head_values[first] * turn.y + head_values[second] * turn.x;
}

fn word(a: f32, b: f32) -> u32 {
    if (p.packed == 1u) {
        return bitcast<u32>(a);
    }
    return pack2x16float(vec2(a, b));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, team: Team) {
    let lane = team.lane;
    let token = group.y;
    let entry = rows[token];
    let position = entry.y;
    let is_query = group.x < p.heads;
    let head = select(group.x - p.heads, group.x, is_query);
    let all = token * p.stride + select(p.heads * p.key_dim, 0u, is_query);
    let at = all + head * p.key_dim;

    var stats = vec2(0.0, 1.0);
    if (p.span == 3u) {
        stats = statistics(all, p.key_dim * select(p.kv_heads, p.heads, is_query), team);
    } else if (p.span != 0u) {
        stats = statistics(at, p.key_dim, team);
    }
    var weight = select(p.k_weight, p.q_weight, is_query);
    if (p.span >= 2u) {
        weight += head * p.key_dim;
    }
    for (var i = lane; i < p.key_dim; i += 64u) {
        var v = qkv[at + i];
        if (p.span != 0u) {
            v = (v - stats.x) * stats.y * vectors[weight + i];
        }
        head_values[i] = v;
    }
    workgroupBarrier();

    if (is_query) {
        var factor = 1.0;
        if (p.growth_length != 0u) {
            factor = 1.0 + p.growth * log(1.0 + f32(position / p.growth_length));
        }
        for (var i = lane; i < p.key_dim; i += 64u) {
            queries[(token * p.heads + head) * p.key_dim + i] = turned(i, position) * factor;
        }
        return;
    }
    let cell = (entry.z * p.context + position) * p.kv_heads + head;
    // Words of padding stay 0.
    for (var w = lane; w * p.packed < p.key_dim; w += 64u) {
        let i = w * p.packed;
        var second = 0.0;
        if (i + 1u < p.key_dim) {
            second = turned(i + 1u, position);
        }
        keys[cell * p.key_words + w] = word(turned(i, position), second);
    }
    let value = token * p.stride + (p.heads + p.kv_heads) * p.key_dim + head * p.value_dim;
    for (var w = lane; w * p.packed < p.value_dim; w += 64u) {
        let i = w * p.packed;
        var second = 0.0;
        if (i + 1u < p.value_dim) {
            second = qkv[value + i + 1u];
        }
        values[cell * p.value_words + w] = word(qkv[value + i], second);
    }
}
