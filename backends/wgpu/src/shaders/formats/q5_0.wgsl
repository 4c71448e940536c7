// Q5_0: w = d (q - 16).
// Planes of a panel of 8 rows (lane = row % 8) and a unit of 64 columns, slot = panel * units + unit:
//   codes   [slot][half][lane] 16 bytes: 32 codes of 4 bits; byte b of word i holds weights 8i + b and 8i + 4 + b
//   high    [slot][lane] 8 bytes: word half, bit 8b + i is the fifth bit of weight 4i + b
//   scales  [slot][lane] 4 bytes: d of both halves in f16

fn nibbles(slot: u32, lane: u32, half: u32) -> array<u32, 8> {
    let v = code_word((slot * 2u + half) * 8u + lane);
    let m = 0x0f0f0f0fu;
    return array<u32, 8>(
        v.x & m, (v.x >> 4u) & m, v.y & m, (v.y >> 4u) & m,
        v.z & m, (v.z >> 4u) & m, v.w & m, (v.w >> 4u) & m,
    );
}

@group(0) @binding(2) var<storage, read> high_words: array<vec2<u32>>;

fn fifth(h: u32, i: u32) -> u32 {
    return ((h >> i) & 0x01010101u) << 4u;
}

fn codes(slot: u32, lane: u32, half: u32) -> array<u32, 8> {
    let low = nibbles(slot, lane, half);
    let words = high_words[slot * 8u + lane];
    let h = select(words.y, words.x, half == 0u);
    return array<u32, 8>(
        low[0] | fifth(h, 0u), low[1] | fifth(h, 1u), low[2] | fifth(h, 2u), low[3] | fifth(h, 3u),
        low[4] | fifth(h, 4u), low[5] | fifth(h, 5u), low[6] | fifth(h, 6u), low[7] | fifth(h, 7u),
    );
}
@group(0) @binding(3) var<storage, read> scale_words: array<u32>;

fn scales(slot: u32, lane: u32) -> Scales {
    let d = unpack2x16float(scale_words[slot * 8u + lane]);
    return Scales(d.xxyy, d.xxyy * -16.0);
}
