// F16, read without the f16 extension.
// Planes of a panel of 8 rows (lane = row % 8) and a unit of 64 columns, slot = panel * units + unit:
//   codes   [slot][eighth][lane] 16 bytes: 8 weights

fn scales(slot: u32, lane: u32) -> Scales {
    return Scales(vec4(1.0), vec4(0.0));
}

fn pair(v: vec4<u32>, high: bool) -> vec4<f32> {
    let w = select(v.xy, v.zw, high);
    return vec4(unpack2x16float(w.x), unpack2x16float(w.y));
}

fn block(s: Scales, slot: u32, lane: u32, half: u32) -> array<vec4<f32>, 8> {
    let at = (slot * 8u + half * 4u) * 8u + lane;
    let a = code_word(at);
    let b = code_word(at + 8u);
    let c = code_word(at + 16u);
    let d = code_word(at + 24u);
    return array<vec4<f32>, 8>(
        pair(a, false), pair(a, true), pair(b, false), pair(b, true),
        pair(c, false), pair(c, true), pair(d, false), pair(d, true),
    );
}
