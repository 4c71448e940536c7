// Q6_K: w = d scale (q - 32).
// Planes of a panel of 8 rows (lane = row % 8) and a unit of 64 columns, slot = panel * units + unit:
//   codes   [slot][half][lane] 16 bytes: 32 codes of 4 bits; byte b of word i holds weights 8i + b and 8i + 4 + b
//   high    [slot][lane] 16 bytes: words 2 half and 2 half + 1, bits 8b + 2i (+1) are the upper bits of weight
//           4i + b of 16 weights each
//   scales  [slot][lane] 4 bytes: scales of 16 weights each in 8 bits, signed; behind them, at word p.supers,
//           [slot / 4][lane] 4 bytes: d in f16

fn nibbles(slot: u32, lane: u32, half: u32) -> array<u32, 8> {
    let v = code_word((slot * 2u + half) * 8u + lane);
    let m = 0x0f0f0f0fu;
    return array<u32, 8>(
        v.x & m, (v.x >> 4u) & m, v.y & m, (v.y >> 4u) & m,
        v.z & m, (v.z >> 4u) & m, v.w & m, (v.w >> 4u) & m,
    );
}

@group(0) @binding(2) var<storage, read> high_words: array<vec4<u32>>;

fn upper(h: u32, i: u32) -> u32 {
    return ((h >> (2u * i)) & 0x03030303u) << 4u;
}

fn codes(slot: u32, lane: u32, half: u32) -> array<u32, 8> {
    let low = nibbles(slot, lane, half);
    let words = high_words[slot * 8u + lane];
    let h = select(words.zw, words.xy, half == 0u);
    return array<u32, 8>(
        low[0] | upper(h.x, 0u), low[1] | upper(h.x, 1u), low[2] | upper(h.x, 2u), low[3] | upper(h.x, 3u),
        low[4] | upper(h.y, 0u), low[5] | upper(h.y, 1u), low[6] | upper(h.y, 2u), low[7] | upper(h.y, 3u),
    );
}
@group(0) @binding(3) var<storage, read> scale_words: array<u32>;

fn scales(slot: u32, lane: u32) -> Scales {
    let d = unpack2x16float(scale_words[p.supers + (slot / 4u) * 8u + lane]).x;
    let each = d * vec4<f32>(unpack4xI8(scale_words[slot * 8u + lane]));
    return Scales(each, each * -32.0);
}
