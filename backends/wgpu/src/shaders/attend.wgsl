// Attention of up to four query heads of one token over the cache of the key and value head they share, in tiles of 64
// positions with a running maximum:
//   score = cap(scale q . k), out = sum of softmax(score) v over the positions seen.
// The heads are the components of vectors, so that a key or value is loaded once for all four. One workgroup of 64 (teams, tokens,
// splits): kv_heads teams for each four query heads of one, and its positions shared among SPLITS. A tile is 64 scores of
// each head, one position an invocation, then 64 values weighted, a word of the head an invocation; heads of few words
// have SHARES invocations a word, each with its share of the positions.
//   out      [tile][columns][TILE tokens] for the product that reads it, where there is one split
//   partials (heads, splits, value_dim + 2), where there are several: sums not yet divided, maximum, total (join.wgsl)
const LOWEST = -3.0e38;

// Elements of a key and of a value with padding, elements of a word of the cache (1: f32, 2: f16), invocations a word.
override KEY: u32 = 64u;
override VALUE: u32 = 64u;
override PACKED: u32 = 2u;
override SHARES: u32 = 1u;
// Workgroups that share a head's positions.
override SPLITS: u32 = 1u;
// Lengths of arrays have names: naga 30 panics on others where a shader has more than one.
override IN_X: u32 = KEY + 64u;
override IN_SUMS: u32 = SHARES * VALUE;

struct Params {
    heads: u32,
    kv_heads: u32,
    key_dim: u32,
    value_dim: u32,
    context: u32,
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
@group(0) @binding(3) var<storage, read> keys: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> values: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> partials: array<f32>;

// The queries, then the shares of a tile's positions: what is multiplied with keys and with values.
var<workgroup> x: array<vec4<f32>, IN_X>;
var<workgroup> sums: array<vec4<f32>, IN_SUMS>;
var<workgroup> shared_tiles: u32;

// 0, which no compiler knows: why it is added to conditions is said in epilogue.wgsl.
var<private> zero: u32;

fn capped(s: vec4<f32>) -> vec4<f32> {
    if (p.cap + f32(zero) == 0.0) {
        return s;
    }
    return p.cap * tanh(clamp(s / p.cap, vec4(-15.0), vec4(15.0)));
}

// Eight elements of a key, from the eighth `block` on.
struct Eight {
    low: vec4<f32>,
    high: vec4<f32>,
}

fn key(cell: u32, block: u32) -> Eight {
    if (PACKED == 2u) {
        let w = keys[cell * (KEY / 8u) + block];
        return Eight(
            vec4(unpack2x16float(w.x), unpack2x16float(w.y)),
            vec4(unpack2x16float(w.z), unpack2x16float(w.w)),
        );
    }
    let at = cell * (KEY / 4u) + 2u * block;
    return Eight(bitcast<vec4<f32>>(keys[at]), bitcast<vec4<f32>>(keys[at + 1u]));
}

// The products of four queries with a key.
fn dots(cell: u32, lane: u32) -> vec4<f32> {
    var sum = vec4(0.0);
    for (var block = 0u; block < KEY / 8u; block++) {
        let at = block * 8u;
        let h = hold(at, lane % 8u);
        let k = key(cell, block);
        sum = fma(held(h, at, 0u), vec4(k.low.x), sum);
        sum = fma(held(h, at, 1u), vec4(k.low.y), sum);
        sum = fma(held(h, at, 2u), vec4(k.low.z), sum);
        sum = fma(held(h, at, 3u), vec4(k.low.w), sum);
        sum = fma(held(h, at, 4u), vec4(k.high.x), sum);
        sum = fma(held(h, at, 5u), vec4(k.high.y), sum);
        sum = fma(held(h, at, 6u), vec4(k.high.z), sum);
        sum = fma(held(h, at, 7u), vec4(k.high.w), sum);
    }
    return sum;
}

// What one word's elements of the values add up to for four heads.
struct Weighted {
    first: vec4<f32>,
    second: vec4<f32>,
}

fn add_value(sum: ptr<function, Weighted>, share: vec4<f32>, cell: u32, word: u32) {
    let w = values[cell * (VALUE / PACKED) + word];
    if (PACKED == 2u) {
        let pair = unpack2x16float(w);
        (*sum).first = fma(share, vec4(pair.x), (*sum).first);
        (*sum).second = fma(share, vec4(pair.y), (*sum).second);
    } else {
        (*sum).first = fma(share, vec4(bitcast<f32>(w)), (*sum).first);
    }
}

// Adds some of a tile's positions, from .. to of `count` and both multiples of 8, to the sums of a word, which so far count `kept`.
fn weigh(at: u32, kept: vec4<f32>, first: u32, count: u32, from_: u32, to: u32, kv_head: u32, word: u32, lane: u32) {
    var sum = Weighted(sums[at] * kept, vec4(0.0));
    if (PACKED == 2u) {
        sum.second = sums[at + 1u] * kept;
    }
    for (var j = from_; j < to; j += 8u) {
        let h = hold(KEY + j, lane % 8u);
        // Positions behind the last have no share, and repeat the last: what lies there may be no number.
        add_value(&sum, held(h, KEY + j, 0u), (first + min(j, count - 1u)) * p.kv_heads + kv_head, word);
        add_value(&sum, held(h, KEY + j, 1u), (first + min(j + 1u, count - 1u)) * p.kv_heads + kv_head, word);
        add_value(&sum, held(h, KEY + j, 2u), (first + min(j + 2u, count - 1u)) * p.kv_heads + kv_head, word);
        add_value(&sum, held(h, KEY + j, 3u), (first + min(j + 3u, count - 1u)) * p.kv_heads + kv_head, word);
        add_value(&sum, held(h, KEY + j, 4u), (first + min(j + 4u, count - 1u)) * p.kv_heads + kv_head, word);
        add_value(&sum, held(h, KEY + j, 5u), (first + min(j + 5u, count - 1u)) * p.kv_heads + kv_head, word);
        add_value(&sum, held(h, KEY + j, 6u), (first + min(j + 6u, count - 1u)) * p.kv_heads + kv_head, word);
        add_value(&sum, held(h, KEY + j, 7u), (first + min(j + 7u, count - 1u)) * p.kv_heads + kv_head, word);
    }
    sums[at] = sum.first;
    if (PACKED == 2u) {
        sums[at + 1u] = sum.second;
    }
}

// The number of tiles, the same for every invocation in the compiler's eyes too.
fn workgroup_tiles(positions: u32) -> u32 {
    shared_tiles = (positions + 63u) / 64u;
    workgroupBarrier();
    return workgroupUniformLoad(&shared_tiles);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, team: Team) {
    let lane = team.lane;
    zero = lane >> 16u;
    let token = group.y;
    let entry = rows[token];
    // Query heads of a key head, and which four of them.
    let share = p.heads / p.kv_heads;
    let fours = (share + 3u) / 4u;
    let kv_head = group.x / fours;
    let within = (group.x % fours) * 4u;
    let head = kv_head * share + within;
    let count = min(4u, share - within);
    for (var i = lane; i < KEY; i += 64u) {
        var v = vec4(0.0);
        for (var h = 0u; h < count; h++) {
            if (i < p.key_dim) {
                v[h] = queries[(token * p.heads + head + h) * p.key_dim + i];
            }
        }
        x[i] = v;
    }
    for (var i = lane; i < SHARES * VALUE; i += 64u) {
        sums[i] = vec4(0.0);
    }
    workgroupBarrier();

    let end = entry.y + 1u;
    let begin = end - min(end, p.window);
    // Whole tiles a split; those behind the last position have none.
    let each = ((end - begin + SPLITS - 1u) / SPLITS + 63u) / 64u * 64u;
    let from_ = min(end, begin + group.z * each);
    let to = min(end, from_ + each);
    let base = entry.z * p.context;
    let words = VALUE / PACKED;
    // Which of the invocations of its word this is; those too many have nothing to weigh.
    let turn = lane / min(words, 64u);
    var largest = vec4(LOWEST);
    var total = vec4(0.0);
    let tiles = workgroup_tiles(to - from_);
    for (var t = 0u; t < tiles; t++) {
        let first = from_ + t * 64u;
        let position = first + lane;
        let cell = (base + min(position, to - 1u)) * p.kv_heads + kv_head;
        let seen = position < to;
        let s = select(vec4(LOWEST), capped(dots(cell, lane) * p.scale), seen);
        let high = max(largest, max64(s, team));
        let kept = exp(largest - high);
        largest = high;
        let shares = select(vec4(0.0), exp(s - high), seen);
        x[KEY + lane] = shares;
        total = total * kept + shares;
        workgroupBarrier();
        if (turn < SHARES) {
            let left = min(64u, to - first);
            let positions = 64u / SHARES;
            let stop = min((turn + 1u) * positions, (left + 7u) / 8u * 8u);
            for (var word = lane % min(words, 64u); word < words; word += 64u) {
                let at = turn * VALUE + word * PACKED;
                weigh(at, kept, base + first, left, turn * positions, stop, kv_head, word, lane);
            }
        }
        workgroupBarrier();
    }
    total = sum64(total, team);
    let columns = (token / p.tile) * p.tile * p.out_stride + token % p.tile;
    let partial = p.value_dim + 2u;
    for (var i = lane; i < p.value_dim; i += 64u) {
        var v = sums[i];
        for (var s = 1u; s < SHARES; s++) {
            v += sums[s * VALUE + i];
        }
        for (var h = 0u; h < count; h++) {
            if (SPLITS == 1u) {
                out[columns + ((head + h) * p.value_dim + i) * p.tile] = v[h] / total[h];
            } else {
                partials[((head + h) * SPLITS + group.z) * partial + i] = v[h];
            }
        }
    }
    if (SPLITS > 1u && lane < count) {
        let at = ((head + lane) * SPLITS + group.z) * partial + p.value_dim;
        partials[at] = largest[lane];
        partials[at + 1u] = total[lane];
    }
}
