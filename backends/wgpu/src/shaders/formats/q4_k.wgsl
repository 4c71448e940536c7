// Q4_K: w = d scale q - dmin min.
// Planes of a panel of 8 rows (lane = row % 8) and a unit of 64 columns, slot = panel * units + unit:
//   codes   [slot][half][lane] 16 bytes: 32 codes of 4 bits; byte b of word i holds weights 8i + b and 8i + 4 + b
//   scales  [slot][lane] 4 bytes: (scale, min) of each half in 8 bits; behind them, at word p.supers,
//           [slot / 4][lane] 4 bytes: (d, dmin) in f16

fn nibbles(slot: u32, lane: u32, half: u32) -> array<u32, 8> {
    let v = code_word((slot * 2u + half) * 8u + lane);
    let m = 0x0f0f0f0fu;
    return array<u32, 8>(
        v.x & m, (v.x >> 4u) & m, v.y & m, (v.y >> 4u) & m,
        v.z & m, (v.z >> 4u) & m, v.w & m, (v.w >> 4u) & m,
    );
}

fn codes(slot: u32, lane: u32, half: u32) -> array<u32, 8> {
    return nibbles(slot, lane, half);
}
@group(0) @binding(3) var<storage, read> scale_words: array<u32>;

fn scales(slot: u32, lane: u32) -> Scales {
    // Super-blocks are 4 units long, and units of a panel are a multiple of 4.
    let super_scale = unpack2x16float(scale_words[p.supers + (slot / 4u) * 8u + lane]);
    let six = vec4<f32>(unpack4xU8(scale_words[slot * 8u + lane]));
    return Scales(super_scale.x * six.xxzz, -super_scale.y * six.yyww);
}
