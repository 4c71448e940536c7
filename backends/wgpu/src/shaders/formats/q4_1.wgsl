// Q4_1: w = d q + m.
// Planes of a panel of 8 rows (lane = row % 8) and a unit of 64 columns, slot = panel * units + unit:
//   codes   [slot][half][lane] 16 bytes: 32 codes of 4 bits; byte b of word i holds weights 8i + b and 8i + 4 + b
//   scales  [slot][lane] 8 bytes: (d, m) of each half in f16

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
@group(0) @binding(3) var<storage, read> scale_words: array<vec2<u32>>;

fn scales(slot: u32, lane: u32) -> Scales {
    let words = scale_words[slot * 8u + lane];
    let first = unpack2x16float(words.x);
    let second = unpack2x16float(words.y);
    return Scales(vec4(first.xx, second.xx), vec4(first.yy, second.yy));
}
