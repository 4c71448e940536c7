// Attention of one query head of one token over the cache, in tiles of 64 positions with a running maximum:
//   score = cap(scale q . k), out = sum of softmax(score) v over the positions seen.
// One workgroup of 64 a head and token; workgroups (heads, tokens). A tile is 64 scores, one an invocation, then 64
// values weighted, one element of the head an invocation.
//   out  [tile][columns][TILE tokens] for the product that reads it
const WIDEST = 512u;
const LOWEST = -3.0e38;

struct Params {
    heads: u32,
    kv_heads: u32,
    key_dim: u32,
    value_dim: u32,
    context: u32,
    key_words: u32,
    value_words: u32,
    packed: u32,
    // Positions a query sees, its own included.
    window: u32,
    scale: f32,
    // 0 is none
    cap: f32,
    tile: u32,
    out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4<u32>>;
// (tokens, heads * key_dim)
@group(0) @binding(2) var<storage, read> queries: array<f32>;
@group(0) @binding(3) var<storage, read> keys: array<u32>;
@group(0) @binding(4) var<storage, read> values: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

var<workgroup> query: array<f32, WIDEST>;
var<workgroup> sums: array<f32, WIDEST>;
var<workgroup> shares: array<f32, 64>;

fn score(cell: u32, words: u32) -> f32 {
    var dot = 0.0;
    if (p.packed == 1u) {
        for (var w = 0u; w < words; w++) {
            dot = fma(query[w], bitcast<f32>(keys[cell * p.key_words + w]), dot);
        }
    } else {
        for (var w = 0u; w < words; w++) {
            let k = unpack2x16float(keys[cell * p.key_words + w]);
            dot = fma(query[2u * w], k.x, fma(query[2u * w + 1u], k.y, dot));
        }
    }
    let s = dot * p.scale;
    if (p.cap == 0.0) {
        return s;
    }
    return p.cap * tanh(clamp(s / p.cap, -15.0, 15.0));
}

fn value(cell: u32, i: u32) -> f32 {
    if (p.packed == 1u) {
        return bitcast<f32>(values[cell * p.value_words + i]);
    }
    let pair = unpack2x16float(values[cell * p.value_words + i / 2u]);
    return select(pair.x, pair.y, i % 2u == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, team: Team) {
    let lane = team.lane;
    let head = group.x;
    let token = group.y;
    let entry = rows[token];
    let kv_head = head / (p.heads / p.kv_heads);
    for (var i = lane; i < WIDEST; i += 64u) {
        var v = 0.0;
        if (i < p.key_dim) {
            v = queries[(token * p.heads + head) * p.key_dim + i];
        }
        query[i] = v;
        sums[i] = 0.0;
    }
    workgroupBarrier();
    let end = entry.y + 1u;
    let begin = end - min(end, p.window);
    let base = entry.z * p.context;
    // Lanes are fewer than 2^16: why this is added is said in epilogue.wgsl.
    let words = p.key_words + (lane >> 16u);
    var largest = LOWEST;
    var total = 0.0;
    let tiles = workgroup_tiles(begin, end);
    for (var t = 0u; t < tiles; t++) {
        let first = begin + t * 64u;
        let position = first + lane;
        var s = LOWEST;
        if (position < end) {
            s = score((base + position) * p.kv_heads + kv_head, words);
        }
        let high = max(largest, max64(s, team));
        let kept = exp(largest - high);
        largest = high;
        let share = select(0.0, exp(s - high), position < end);
        shares[lane] = share;
        total = total * kept + sum64(share, team);
        let count = min(64u, end - first);
        for (var i = lane; i < p.value_dim; i += 64u) {
            var v = sums[i] * kept;
            for (var j = 0u; j < count; j++) {
                v = fma(shares[j], value((base + first + j) * p.kv_heads + kv_head, i), v);
            }
            sums[i] = v;
        }
        workgroupBarrier();
    }
    let columns = (token / p.tile) * p.tile * p.out_stride + token % p.tile;
    for (var i = lane; i < p.value_dim; i += 64u) {
        out[columns + (head * p.value_dim + i) * p.tile] = sums[i] / total;
    }
}
var<workgroup> shared_tiles: u32;

// The number of tiles, the same for every invocation in the compiler's eyes too.
fn workgroup_tiles(begin: u32, end: u32) -> u32 {
    shared_tiles = (end - begin + 63u) / 64u;
    workgroupBarrier();
    return workgroupUniformLoad(&shared_tiles);
}
