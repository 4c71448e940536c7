// What a unit of 64 columns adds to two rows of a quantised format for a tile of tokens, by packed dot products of 8-bit integers
// with the records of quantise.wgsl: for each group of 16 columns
//   s (d sum(q k) + m sum(k)), as dot_int8.wgsl does for one token.

// 32 weights of a row.
struct Half {
    q: array<u32, 8>,
    d: vec2<f32>,
    m: vec2<f32>,
}

fn half_of(s: Scales, slot: u32, lane: u32, half: u32) -> Half {
    return Half(codes(slot, lane, half), select(s.d.zw, s.d.xy, half == 0u), select(s.m.zw, s.m.xy, half == 0u));
}

// Four columns of four tokens.
fn dots(q: u32, k: vec4<u32>) -> vec4<i32> {
    return vec4(dot4I8Packed(q, k.x), dot4I8Packed(q, k.y), dot4I8Packed(q, k.z), dot4I8Packed(q, k.w));
}

// A row times the four tokens whose record begins at `at`.
fn of_four(w: Half, at: u32) -> vec4<f32> {
    let low = dots(w.q[0], x[at]) + dots(w.q[1], x[at + 1u]) + dots(w.q[2], x[at + 2u]) + dots(w.q[3], x[at + 3u]);
    let high = dots(w.q[4], x[at + 4u]) + dots(w.q[5], x[at + 5u]) + dots(w.q[6], x[at + 6u]) + dots(w.q[7], x[at + 7u]);
    let s = bitcast<vec4<f32>>(x[at + 8u]);
    let offsets = w.m.x * bitcast<vec4<f32>>(x[at + 9u]) + w.m.y * bitcast<vec4<f32>>(x[at + 10u]);
    return s * (w.d.x * vec4<f32>(low) + w.d.y * vec4<f32>(high)) + offsets;
}

fn add_half(s: ptr<function, Sums>, t: ptr<function, Sums>, a: Half, b: Half, at: u32) {
    (*s).a += of_four(a, at);
    (*t).a += of_four(b, at);
    if (TILE > 4u) {
        (*s).b += of_four(a, at + 11u);
        (*t).b += of_four(b, at + 11u);
    }
    if (TILE > 8u) {
        (*s).c += of_four(a, at + 22u);
        (*t).c += of_four(b, at + 22u);
        (*s).d += of_four(a, at + 33u);
        (*t).d += of_four(b, at + 33u);
    }
}

fn add_unit(s: ptr<function, Sums>, t: ptr<function, Sums>, slot: u32, far: u32, lane: u32, unit: u32) {
    let sa = scales(slot, lane);
    let sb = scales(far, lane);
    let of_block = TILE / 4u * 11u;
    let at = unit * 2u * of_block;
    add_half(s, t, half_of(sa, slot, lane, 0u), half_of(sb, far, lane, 0u), at);
    add_half(s, t, half_of(sa, slot, lane, 1u), half_of(sb, far, lane, 1u), at + of_block);
}
