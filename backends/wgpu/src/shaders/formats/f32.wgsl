// F32.
// Planes of a panel of 8 rows (lane = row % 8) and a unit of 64 columns, slot = panel * units + unit:
//   codes   [slot][sixteenth][lane] 16 bytes: 4 weights

fn scales(slot: u32, lane: u32) -> Scales {
    return Scales(vec4(1.0), vec4(0.0));
}

fn four(at: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(code_word(at));
}

fn block(s: Scales, slot: u32, lane: u32, half: u32) -> array<vec4<f32>, 8> {
    let at = (slot * 16u + half * 8u) * 8u + lane;
    return array<vec4<f32>, 8>(
        four(at), four(at + 8u), four(at + 16u), four(at + 24u),
        four(at + 32u), four(at + 40u), four(at + 48u), four(at + 56u),
    );
}
