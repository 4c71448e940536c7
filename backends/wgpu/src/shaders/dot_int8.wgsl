// What a unit of 64 columns adds to two rows of a quantised format, by packed dot products of 8-bit integers. Each
// workgroup first quantises x, 32 columns at a time: x = s k, s = max |x| / 127, k from -127 to 127. Then for each group of 16
//   s (d sum(q k) + m sum(k)).
// WORDS of four columns and BLOCKS of 32 are those of x with padding: 1.5 bytes of workgroup memory a column.
override WORDS: u32 = 16u;
override BLOCKS: u32 = 2u;

// Four k a word.
var<workgroup> quantised: array<u32, WORDS>;
// A block's s, and s sum(k) of its two groups.
var<workgroup> blocks: array<vec4<f32>, BLOCKS>;

fn largest(v: vec4<f32>) -> f32 {
    let a = abs(v);
    return max(max(a.x, a.y), max(a.z, a.w));
}

fn prepare(index: u32, count: u32) {
    for (var block = index; block < p.units * 2u; block += count) {
        var high = 0.0;
        for (var i = 0u; i < 8u; i++) {
            high = max(high, largest(x[block * 8u + i]));
        }
        let inverse = select(0.0, 127.0 / high, high > 0.0);
        var sums = vec2(0i);
        for (var i = 0u; i < 8u; i++) {
            let k = pack4xI8(vec4<i32>(round(x[block * 8u + i] * inverse)));
            quantised[block * 8u + i] = k;
            let sum = dot4I8Packed(k, 0x01010101u);
            sums += select(vec2(0i, sum), vec2(sum, 0i), i < 4u);
        }
        let scale = high / 127.0;
        blocks[block] = vec4(scale, scale * vec2<f32>(sums), 0.0);
    }
    workgroupBarrier();
}

fn of_half(s: Scales, slot: u32, lane: u32, unit: u32, half: u32) -> f32 {
    let c = codes(slot, lane, half);
    let at = (unit * 2u + half) * 8u;
    let low = dot4I8Packed(c[0], quantised[at]) + dot4I8Packed(c[1], quantised[at + 1u])
        + dot4I8Packed(c[2], quantised[at + 2u]) + dot4I8Packed(c[3], quantised[at + 3u]);
    let high = dot4I8Packed(c[4], quantised[at + 4u]) + dot4I8Packed(c[5], quantised[at + 5u])
        + dot4I8Packed(c[6], quantised[at + 6u]) + dot4I8Packed(c[7], quantised[at + 7u]);
    let d = select(s.d.zw, s.d.xy, half == 0u);
    let m = select(s.m.zw, s.m.xy, half == 0u);
    let b = blocks[unit * 2u + half];
    return b.x * (d.x * f32(low) + d.y * f32(high)) + m.x * b.y + m.y * b.z;
}

fn of_unit(slot: u32, far: u32, lane: u32, unit: u32) -> vec2<f32> {
    let sa = scales(slot, lane);
    let sb = scales(far, lane);
    return vec2(
        of_half(sa, slot, lane, unit, 0u) + of_half(sa, slot, lane, unit, 1u),
        of_half(sb, far, lane, unit, 0u) + of_half(sb, far, lane, unit, 1u),
    );
}
