// Q8_0: w = d q.
// Planes of a panel of 8 rows (lane = row % 8) and a unit of 64 columns, slot = panel * units + unit:
//   codes   [slot][quarter][lane] 16 bytes: 16 codes of 8 bits, signed
//   scales  [slot][lane] 4 bytes: d of both halves in f16

fn codes(slot: u32, lane: u32, half: u32) -> array<u32, 8> {
    let a = code_word((slot * 4u + half * 2u) * 8u + lane);
    let b = code_word((slot * 4u + half * 2u + 1u) * 8u + lane);
    return array<u32, 8>(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}
@group(0) @binding(3) var<storage, read> scale_words: array<u32>;

fn scales(slot: u32, lane: u32) -> Scales {
    let d = unpack2x16float(scale_words[slot * 8u + lane]);
    return Scales(d.xxyy, d.xxyy * 0.0);
}
