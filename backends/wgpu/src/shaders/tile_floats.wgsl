// What a unit of 64 columns adds to two rows for a tile of tokens, in f32: each weight is decoded once for the whole tile.

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

// Unit `unit` of those in x.
fn add_unit(s: ptr<function, Sums>, t: ptr<function, Sums>, slot: u32, far: u32, lane: u32, unit: u32) {
    let sa = scales(slot, lane);
    let sb = scales(far, lane);
    let base = unit * 16u * TILE;
    half_unit(s, t, sa, sb, slot, far, lane, 0u, base);
    half_unit(s, t, sa, sb, slot, far, lane, 1u, base);
}
