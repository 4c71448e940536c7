// What a unit of 64 columns adds to two rows, of weights stored as they are.
fn prepare(index: u32, count: u32) {}

fn of_half(slot: u32, far: u32, lane: u32, unit: u32, half: u32) -> vec2<f32> {
    // The scales of formats without scales.
    let none = scales(slot, lane);
    let wa = block(none, slot, lane, half);
    let wb = block(none, far, lane, half);
    let at = unit * 16u + half * 8u;
    let h = hold(at, lane);
    let x0 = held0(h, at);
    var a = wa[0] * x0;
    var b = wb[0] * x0;
    let x1 = held1(h, at);
    a = fma(wa[1], x1, a);
    b = fma(wb[1], x1, b);
    let x2 = held2(h, at);
    a = fma(wa[2], x2, a);
    b = fma(wb[2], x2, b);
    let x3 = held3(h, at);
    a = fma(wa[3], x3, a);
    b = fma(wb[3], x3, b);
    let x4 = held4(h, at);
    a = fma(wa[4], x4, a);
    b = fma(wb[4], x4, b);
    let x5 = held5(h, at);
    a = fma(wa[5], x5, a);
    b = fma(wb[5], x5, b);
    let x6 = held6(h, at);
    a = fma(wa[6], x6, a);
    b = fma(wb[6], x6, b);
    let x7 = held7(h, at);
    a = fma(wa[7], x7, a);
    b = fma(wb[7], x7, b);
    return vec2(a.x + a.y + a.z + a.w, b.x + b.y + b.z + b.w);
}

fn of_unit(slot: u32, far: u32, lane: u32, unit: u32) -> vec2<f32> {
    return of_half(slot, far, lane, unit, 0u) + of_half(slot, far, lane, unit, 1u);
}
