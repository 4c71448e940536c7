// 32 weights of a row in f32, from the codes and scales of a quantised format: w = d q + m.
fn four(code: u32, d: f32, m: f32) -> vec4<f32> {
    return fma(vec4<f32>(unpack4xI8(code)), vec4(d), vec4(m));
}

fn block(s: Scales, slot: u32, lane: u32, half: u32) -> array<vec4<f32>, 8> {
    let c = codes(slot, lane, half);
    let d = select(s.d.zw, s.d.xy, half == 0u);
    let m = select(s.m.zw, s.m.xy, half == 0u);
    return array<vec4<f32>, 8>(
        four(c[0], d.x, m.x), four(c[1], d.x, m.x), four(c[2], d.x, m.x), four(c[3], d.x, m.x),
        four(c[4], d.y, m.y), four(c[5], d.y, m.y), four(c[6], d.y, m.y), four(c[7], d.y, m.y),
    );
}
