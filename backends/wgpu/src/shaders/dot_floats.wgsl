// What a unit of 64 columns adds to two rows, of weights stored as they are.
fn prepare(index: u32, count: u32) {}

fn of_half(slot: u32, far: u32, lane: u32, unit: u32, half: u32) -> vec2<f32> {
    // The scales of formats without scales.
    let none = scales(slot, lane);
    var wa = block(none, slot, lane, half);
    var wb = block(none, far, lane, half);
    let at = unit * 16u + half * 8u;
    let h = hold(at, lane);
    var a = vec4(0.0);
    var b = vec4(0.0);
    for (var i = 0u; i < 8u; i++) {
        let v = held(h, at, i);
        a = fma(wa[i], v, a);
        b = fma(wb[i], v, b);
    }
    return vec2(a.x + a.y + a.z + a.w, b.x + b.y + b.z + b.w);
}

fn of_unit(slot: u32, far: u32, lane: u32, unit: u32) -> vec2<f32> {
    return of_half(slot, far, lane, unit, 0u) + of_half(slot, far, lane, unit, 1u);
}
