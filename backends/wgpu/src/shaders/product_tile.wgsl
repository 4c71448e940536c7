// Y = X W^T for tiles of TILE tokens (4, 8 or 16): x is [tile][64 units][TILE], its columns of a tile contiguous.
//
// A lane owns a row of each of the two panels of a pair and keeps 2 TILE sums in registers: each weight is decoded
// once for the whole tile. (8, 1, PAIRS) invocations; workgroups (ceil(pairs / PAIRS), tiles) or, where x is a
// uniform window on one tile, one dispatch a tile, whose number the binding `tile` holds.
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

// Adds one column: w and v times the tile's tokens, four a vec4.
fn add_four(s: ptr<function, Sums>, t: ptr<function, Sums>, w: f32, v: f32, x0: vec4<f32>) {
    (*s).a = fma(vec4(w), x0, (*s).a);
    (*t).a = fma(vec4(v), x0, (*t).a);
}

fn add_eight(s: ptr<function, Sums>, t: ptr<function, Sums>, w: f32, v: f32, x0: vec4<f32>, x1: vec4<f32>) {
    add_four(s, t, w, v, x0);
    (*s).b = fma(vec4(w), x1, (*s).b);
    (*t).b = fma(vec4(v), x1, (*t).b);
}

fn add_sixteen(s: ptr<function, Sums>, t: ptr<function, Sums>, w: f32, v: f32, x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>) {
    add_eight(s, t, w, v, x0, x1);
    (*s).c = fma(vec4(w), x2, (*s).c);
    (*t).c = fma(vec4(v), x2, (*t).c);
    (*s).d = fma(vec4(w), x3, (*s).d);
    (*t).d = fma(vec4(v), x3, (*t).d);
}

// Four columns: TILE vec4s from `at` on.
fn columns(s: ptr<function, Sums>, t: ptr<function, Sums>, w: vec4<f32>, v: vec4<f32>, at: u32, lane: u32) {
    let h = hold(at, lane);
    if (TILE == 4u) {
        add_four(s, t, w.x, v.x, held(h, at, 0u));
        add_four(s, t, w.y, v.y, held(h, at, 1u));
        add_four(s, t, w.z, v.z, held(h, at, 2u));
        add_four(s, t, w.w, v.w, held(h, at, 3u));
    } else if (TILE == 8u) {
        add_eight(s, t, w.x, v.x, held(h, at, 0u), held(h, at, 1u));
        add_eight(s, t, w.y, v.y, held(h, at, 2u), held(h, at, 3u));
        add_eight(s, t, w.z, v.z, held(h, at, 4u), held(h, at, 5u));
        add_eight(s, t, w.w, v.w, held(h, at, 6u), held(h, at, 7u));
    } else {
        add_sixteen(s, t, w.x, v.x, held(h, at, 0u), held(h, at, 1u), held(h, at, 2u), held(h, at, 3u));
        add_sixteen(s, t, w.y, v.y, held(h, at, 4u), held(h, at, 5u), held(h, at, 6u), held(h, at, 7u));
        let g = hold(at + 8u, lane);
        let far = at + 8u;
        add_sixteen(s, t, w.z, v.z, held(g, far, 0u), held(g, far, 1u), held(g, far, 2u), held(g, far, 3u));
        add_sixteen(s, t, w.w, v.w, held(g, far, 4u), held(g, far, 5u), held(g, far, 6u), held(g, far, 7u));
    }
}

fn half_unit(s: ptr<function, Sums>, t: ptr<function, Sums>, sa: Scales, sb: Scales, slot: u32, far: u32, lane: u32, half: u32, base: u32) {
    let wa = block(sa, slot, lane, half);
    let wb = block(sb, far, lane, half);
    let at = base + half * 8u * TILE;
    columns(s, t, wa[0], wb[0], at, lane);
    columns(s, t, wa[1], wb[1], at + TILE, lane);
    columns(s, t, wa[2], wb[2], at + 2u * TILE, lane);
    columns(s, t, wa[3], wb[3], at + 3u * TILE, lane);
    columns(s, t, wa[4], wb[4], at + 4u * TILE, lane);
    columns(s, t, wa[5], wb[5], at + 5u * TILE, lane);
    columns(s, t, wa[6], wb[6], at + 6u * TILE, lane);
    columns(s, t, wa[7], wb[7], at + 7u * TILE, lane);
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
    // Where the tile's columns begin in x: a window begins at its own first column.
    let window = group.y * p.units * 16u * TILE;
    let to_unit = p.to_unit + zero;
    for (var unit = p.from_unit; unit < to_unit; unit++) {
        let slot = panel * p.units + unit;
        let far = slot + p.units;
        let sa = scales(slot, lane);
        let sb = scales(far, lane);
        let base = window + (unit - p.from_unit) * 16u * TILE;
        half_unit(&s, &t, sa, sb, slot, far, lane, 0u, base);
        half_unit(&s, &t, sa, sb, slot, far, lane, 1u, base);
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
