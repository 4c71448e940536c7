// Y = X W^T for tiles of TILE tokens (4, 8 or 16): x is [tile][64 units][TILE], its columns of a tile
// contiguous, or those of quantise.wgsl.
//
// A lane owns a row of each of the two panels of a pair and keeps 2 TILE sums in registers: each weight is read
// once for the whole tile. (8, 1, PAIRS) invocations; workgroups (ceil(pairs / PAIRS), tiles) or, where x is a
// uniform window on one tile, one dispatch a tile, whose number the binding `tile` holds.
// Before it one of tile_*.wgsl: what a unit of 64 columns adds, in which arithmetic.
// y is row-major or again tiled (epilogue.wgsl); GATED as in product.wgsl.
override TILE: u32 = 16u;
override PAIRS: u32 = 4u;
override GATED: bool = false;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read> vectors: array<f32>;
@group(0) @binding(7) var<uniform> tile: vec4<u32>;

struct Sums {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

fn place(token: u32, n: u32) -> u32 {
    if (p.tile + zero == 0u) {
        return token * p.stride + n;
    }
    return (token / p.tile) * p.tile * p.stride + n * p.tile + token % p.tile;
}

fn store(token: u32, row: u32, value: f32) {
    if (row >= p.rows) {
        return;
    }
    let n = p.first + row;
    let at = place(token, n);
    var v = value;
    if (p.to_unit + zero == p.units) {
        v = activate(biased(v, p.bias, n));
    }
    v = capped(p.scale * v);
    if (p.add + zero == 1u || p.resume + zero == 1u) {
        v += y[at];
    }
    y[at] = v;
}

fn finish(token: u32, pair: u32, lane: u32, a: f32, b: f32) {
    if (GATED) {
        let row = 8u * pair + lane;
        if (row < p.rows) {
            let n = p.first + row;
            y[place(token, n)] = activate(biased(a, p.bias, n)) * biased(b, p.bias_up, n);
        }
    } else {
        store(token, 16u * pair + lane, a);
        store(token, 16u * pair + 8u + lane, b);
    }
}

fn finish_four(token: u32, pair: u32, lane: u32, a: vec4<f32>, b: vec4<f32>) {
    finish(token, pair, lane, a.x, b.x);
    finish(token + 1u, pair, lane, a.y, b.y);
    finish(token + 2u, pair, lane, a.z, b.z);
    finish(token + 3u, pair, lane, a.w, b.w);
}

@compute @workgroup_size(8, 1, PAIRS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>) {
    let lane = id.x;
    zero = lane >> 16u;
    let pair = group.x * PAIRS + id.z;
    let panel = 2u * min(pair, p.pairs - 1u);
    var s = Sums(vec4(0.0), vec4(0.0), vec4(0.0), vec4(0.0));
    var t = s;
    // Where the tile's units begin in x: a window begins at its own first one.
    let window = group.y * p.units;
    let to_unit = p.to_unit + zero;
    for (var unit = p.from_unit; unit < to_unit; unit++) {
        let slot = panel * p.units + unit;
        add_unit(&s, &t, slot, slot + p.units, lane, window + unit - p.from_unit);
    }
    if (pair < p.pairs) {
        let token = (tile.x + group.y) * TILE;
        finish_four(token, pair, lane, s.a, t.a);
        if (TILE > 4u) {
            finish_four(token + 4u, pair, lane, s.b, t.b);
        }
        if (TILE > 8u) {
            finish_four(token + 8u, pair, lane, s.c, t.c);
            finish_four(token + 12u, pair, lane, s.d, t.d);
        }
    }
}
