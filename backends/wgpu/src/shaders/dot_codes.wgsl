// What a unit of 64 columns adds to two rows of a quantised format, in f32: for each group of 16 columns
//   d sum(q x) + m sum(x), which multiplies scales once a group and decodes no weight.
fn prepare(index: u32, count: u32) {}

fn q(code: u32) -> vec4<f32> {
    return vec4<f32>(unpack4xI8(code));
}

fn total(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn of_half(sa: Scales, sb: Scales, slot: u32, far: u32, lane: u32, unit: u32, half: u32) -> vec2<f32> {
    let ca = codes(slot, lane, half);
    let cb = codes(far, lane, half);
    let at = unit * 16u + half * 8u;
    let h = hold(at, lane);
    let x0 = held(h, at, 0u);
    let x1 = held(h, at, 1u);
    let x2 = held(h, at, 2u);
    let x3 = held(h, at, 3u);
    let low = vec2(
        total(fma(q(ca[3]), x3, fma(q(ca[2]), x2, fma(q(ca[1]), x1, q(ca[0]) * x0)))),
        total(fma(q(cb[3]), x3, fma(q(cb[2]), x2, fma(q(cb[1]), x1, q(cb[0]) * x0)))),
    );
    let sum_low = total((x0 + x1) + (x2 + x3));
    let x4 = held(h, at, 4u);
    let x5 = held(h, at, 5u);
    let x6 = held(h, at, 6u);
    let x7 = held(h, at, 7u);
    let high = vec2(
        total(fma(q(ca[7]), x7, fma(q(ca[6]), x6, fma(q(ca[5]), x5, q(ca[4]) * x4)))),
        total(fma(q(cb[7]), x7, fma(q(cb[6]), x6, fma(q(cb[5]), x5, q(cb[4]) * x4)))),
    );
    let sum_high = total((x4 + x5) + (x6 + x7));
    let da = select(sa.d.zw, sa.d.xy, half == 0u);
    let db = select(sb.d.zw, sb.d.xy, half == 0u);
    let ma = select(sa.m.zw, sa.m.xy, half == 0u);
    let mb = select(sb.m.zw, sb.m.xy, half == 0u);
    return vec2(da.x, db.x) * low + vec2(da.y, db.y) * high + vec2(ma.x, mb.x) * sum_low + vec2(ma.y, mb.y) * sum_high;
}

fn of_unit(slot: u32, far: u32, lane: u32, unit: u32) -> vec2<f32> {
    let sa = scales(slot, lane);
    let sb = scales(far, lane);
    return of_half(sa, sb, slot, far, lane, unit, 0u) + of_half(sa, sb, slot, far, lane, unit, 1u);
}
