// Weights as they lie on the device: rows are cut into units of 32 weights, and the parts of a unit lie in planes, one
// after the other, each over all units of the matrix. So a warp whose lanes take neighbouring units reads whole lines.
// A format is a type with: DENSE (no integers), Unit (registers of one unit), load, dot_int8 or dot_float, and eight
// (weights 8 p to 8 p + 7 decoded). `units` is the number of units of the whole matrix, `u` one of them.
// The order of nibbles is GGUF's of Q4_0: byte j holds weight j (low) and weight j + 16 (high).

#define LOW 0x0f0f0f0fu

// Thirty-two activations in 8 bits: their integers, the scale, and scale times their sum.
struct Quantised {
    int4 low, high;
    float scale, sum;
};

DEVICE int dot16(u32 a, u32 b, u32 c, u32 d, int4 q) {
    int sum = __dp4a((int)a, q.x, 0);
    sum = __dp4a((int)b, q.y, sum);
    sum = __dp4a((int)c, q.z, sum);
    return __dp4a((int)d, q.w, sum);
}

// The nibbles of a unit against activations, as unsigned numbers.
DEVICE int dot_nibbles(uint4 c, const Quantised& q) {
    return dot16(c.x & LOW, c.y & LOW, c.z & LOW, c.w & LOW, q.low) +
           dot16(c.x >> 4 & LOW, c.y >> 4 & LOW, c.z >> 4 & LOW, c.w >> 4 & LOW, q.high);
}

// Four bits of a word to the fifth bits of its four bytes.
DEVICE u32 fifth(u32 bits) { return (bits & 1) << 4 | (bits & 2) << 11 | (bits & 4) << 18 | (bits & 8) << 25; }

// Nibbles with fifth bits; bit j belongs to weight j.
DEVICE int dot_fives(uint4 c, u32 h, const Quantised& q) {
    return dot16((c.x & LOW) | fifth(h), (c.y & LOW) | fifth(h >> 4), (c.z & LOW) | fifth(h >> 8),
                 (c.w & LOW) | fifth(h >> 12), q.low) +
           dot16((c.x >> 4 & LOW) | fifth(h >> 16), (c.y >> 4 & LOW) | fifth(h >> 20), (c.z >> 4 & LOW) | fifth(h >> 24),
                 (c.w >> 4 & LOW) | fifth(h >> 28), q.high);
}

DEVICE u32 word(uint4 v, u32 i) { return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w; }

// Nibbles 8 p to 8 p + 7 of a unit.
DEVICE void eight_nibbles(uint4 c, u32 p, float out[8]) {
    u32 shift = p / 2 * 4, a = word(c, p % 2 * 2) >> shift & LOW, b = word(c, p % 2 * 2 + 1) >> shift & LOW;
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        out[i] = (float)(a >> 8 * i & 255);
        out[i + 4] = (float)(b >> 8 * i & 255);
    }
}

DEVICE void eight_fives(uint4 c, u32 h, u32 p, float out[8]) {
    eight_nibbles(c, p, out);
#pragma unroll
    for (u32 i = 0; i < 8; i++) out[i] += (h >> (8 * p + i) & 1) ? 16.0f : 0.0f;
}

DEVICE void affine(float out[8], float scale, float add) {
#pragma unroll
    for (u32 i = 0; i < 8; i++) out[i] = out[i] * scale + add;
}

// Planes: codes 16 bytes, scale f16. Weight: (code - 8) * scale.
struct Q4_0 {
    static const bool DENSE = false;
    struct Unit { uint4 codes; u16 scale; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        return {((const uint4*)w)[u], ((const u16*)(w + units * 16))[u]};
    }
    METHOD float dot_int8(const Unit& w, const Quantised& q) {
        return from_f16(w.scale) * (q.scale * (float)dot_nibbles(w.codes, q) - 8.0f * q.sum);
    }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        Unit unit = load(w, units, u);
        float scale = from_f16(unit.scale);
        eight_nibbles(unit.codes, p, out);
        affine(out, scale, -8.0f * scale);
    }
};

// Planes: codes 16 bytes, scale and minimum f16. Weight: code * scale + minimum.
struct Q4_1 {
    static const bool DENSE = false;
    struct Unit { uint4 codes; u32 both; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        return {((const uint4*)w)[u], ((const u32*)(w + units * 16))[u]};
    }
    METHOD float dot_int8(const Unit& w, const Quantised& q) {
        return from_f16((u16)w.both) * q.scale * (float)dot_nibbles(w.codes, q) + from_f16((u16)(w.both >> 16)) * q.sum;
    }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        Unit unit = load(w, units, u);
        eight_nibbles(unit.codes, p, out);
        affine(out, from_f16((u16)unit.both), from_f16((u16)(unit.both >> 16)));
    }
};

// Planes: codes 16 bytes, fifth bits 4 bytes, scale f16. Weight: (code - 16) * scale.
struct Q5_0 {
    static const bool DENSE = false;
    struct Unit { uint4 codes; u32 high; u16 scale; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        return {((const uint4*)w)[u], ((const u32*)(w + units * 16))[u], ((const u16*)(w + units * 20))[u]};
    }
    METHOD float dot_int8(const Unit& w, const Quantised& q) {
        return from_f16(w.scale) * (q.scale * (float)dot_fives(w.codes, w.high, q) - 16.0f * q.sum);
    }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        Unit unit = load(w, units, u);
        float scale = from_f16(unit.scale);
        eight_fives(unit.codes, unit.high, p, out);
        affine(out, scale, -16.0f * scale);
    }
};

// Planes: codes 16 bytes, fifth bits 4 bytes, scale and minimum f16. Weight: code * scale + minimum.
struct Q5_1 {
    static const bool DENSE = false;
    struct Unit { uint4 codes; u32 high, both; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        return {((const uint4*)w)[u], ((const u32*)(w + units * 16))[u], ((const u32*)(w + units * 20))[u]};
    }
    METHOD float dot_int8(const Unit& w, const Quantised& q) {
        return from_f16((u16)w.both) * q.scale * (float)dot_fives(w.codes, w.high, q) +
               from_f16((u16)(w.both >> 16)) * q.sum;
    }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        Unit unit = load(w, units, u);
        eight_fives(unit.codes, unit.high, p, out);
        affine(out, from_f16((u16)unit.both), from_f16((u16)(unit.both >> 16)));
    }
};

// Planes: the first sixteen codes, the other sixteen, scale f16. Weight: code * scale.
struct Q8_0 {
    static const bool DENSE = false;
    struct Unit { uint4 low, high; u16 scale; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        return {((const uint4*)w)[u], ((const uint4*)(w + units * 16))[u], ((const u16*)(w + units * 32))[u]};
    }
    METHOD float dot_int8(const Unit& w, const Quantised& q) {
        int sum = dot16(w.low.x, w.low.y, w.low.z, w.low.w, q.low) + dot16(w.high.x, w.high.y, w.high.z, w.high.w, q.high);
        return from_f16(w.scale) * q.scale * (float)sum;
    }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        uint2 codes = ((const uint2*)(w + (p / 2) * units * 16))[u * 2 + p % 2];
        float scale = from_f16(((const u16*)(w + units * 32))[u]);
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            out[i] = scale * (float)(i8)(codes.x >> 8 * i);
            out[i + 4] = scale * (float)(i8)(codes.y >> 8 * i);
        }
    }
};

// Planes: codes 16 bytes; scale of scales and of minima, f16, of every eighth unit; scale and minimum, 8 bits each.
// Weight: d * scale * code - dmin * minimum.
struct Q4_K {
    static const bool DENSE = false;
    struct Unit { uint4 codes; u32 super; u16 both; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        return {((const uint4*)w)[u], ((const u32*)(w + units * 16))[u / 8],
                ((const u16*)(w + units * 16 + units / 2))[u]};
    }
    METHOD float dot_int8(const Unit& w, const Quantised& q) {
        float scale = from_f16((u16)w.super) * (float)(w.both & 255), minimum = from_f16((u16)(w.super >> 16)) * (float)(w.both >> 8);
        return scale * q.scale * (float)dot_nibbles(w.codes, q) - minimum * q.sum;
    }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        Unit unit = load(w, units, u);
        eight_nibbles(unit.codes, p, out);
        affine(out, from_f16((u16)unit.super) * (float)(unit.both & 255),
               -from_f16((u16)(unit.super >> 16)) * (float)(unit.both >> 8));
    }
};

// As Q4_K, with a plane of fifth bits behind the codes.
struct Q5_K {
    static const bool DENSE = false;
    struct Unit { uint4 codes; u32 high, super; u16 both; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        return {((const uint4*)w)[u], ((const u32*)(w + units * 16))[u], ((const u32*)(w + units * 20))[u / 8],
                ((const u16*)(w + units * 20 + units / 2))[u]};
    }
    METHOD float dot_int8(const Unit& w, const Quantised& q) {
        float scale = from_f16((u16)w.super) * (float)(w.both & 255), minimum = from_f16((u16)(w.super >> 16)) * (float)(w.both >> 8);
        return scale * q.scale * (float)dot_fives(w.codes, w.high, q) - minimum * q.sum;
    }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        Unit unit = load(w, units, u);
        eight_fives(unit.codes, unit.high, p, out);
        affine(out, from_f16((u16)unit.super) * (float)(unit.both & 255),
               -from_f16((u16)(unit.super >> 16)) * (float)(unit.both >> 8));
    }
};

// Planes: lower four bits 16 bytes; upper two bits 8 bytes, those of weight j in bits 2 (j % 16) of word j / 16; two signed
// scales, of the first and the other sixteen weights; d f16 of every eighth unit. Weight: d * scale * (code - 32).
struct Q6_K {
    static const bool DENSE = false;
    struct Unit { uint4 codes; uint2 high; u16 scales, super; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        return {((const uint4*)w)[u], ((const uint2*)(w + units * 16))[u], ((const u16*)(w + units * 24))[u],
                ((const u16*)(w + units * 26))[u / 8]};
    }
    // Four codes less 32, as signed bytes: `bits` holds their upper bits, two a code.
    METHOD u32 centred(u32 low, u32 bits) {
        u32 code = low | (bits & 3) << 4 | (bits & 12) << 10 | (bits & 48) << 16 | (bits & 192) << 22;
        return ((code | 0x80808080u) - 0x20202020u) ^ 0x80808080u;
    }
    METHOD float dot_int8(const Unit& w, const Quantised& q) {
        u32 a = w.high.x, b = w.high.y;
        int first = dot16(centred(w.codes.x & LOW, a), centred(w.codes.y & LOW, a >> 8), centred(w.codes.z & LOW, a >> 16),
                          centred(w.codes.w & LOW, a >> 24), q.low);
        int other = dot16(centred(w.codes.x >> 4 & LOW, b), centred(w.codes.y >> 4 & LOW, b >> 8),
                          centred(w.codes.z >> 4 & LOW, b >> 16), centred(w.codes.w >> 4 & LOW, b >> 24), q.high);
        int sum = (int)(i8)(w.scales & 255) * first + (int)(i8)(w.scales >> 8) * other;
        return from_f16(w.super) * q.scale * (float)sum;
    }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        Unit unit = load(w, units, u);
        u32 high = (p < 2 ? unit.high.x : unit.high.y) >> (p % 2) * 16;
        eight_nibbles(unit.codes, p, out);
#pragma unroll
        for (u32 i = 0; i < 8; i++) out[i] += (float)((high >> 2 * i & 3) * 16);
        float scale = from_f16(unit.super) * (float)(i8)(p < 2 ? unit.scales & 255 : unit.scales >> 8);
        affine(out, scale, -32.0f * scale);
    }
};

// Planes: weights 8 p to 8 p + 7 of every unit, p from 0 to 3.
template <bool BF16_BITS>
struct Half {
    static const bool DENSE = true;
    struct Unit { uint4 part[4]; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        Unit unit;
#pragma unroll
        for (u32 p = 0; p < 4; p++) unit.part[p] = ((const uint4*)w)[units * p + u];
        return unit;
    }
    METHOD float first(u32 both) { return BF16_BITS ? from_bf16(both & 0xffff) : from_f16((u16)both); }
    METHOD float second(u32 both) { return BF16_BITS ? from_bf16(both >> 16) : from_f16((u16)(both >> 16)); }
    // Weights 4 i to 4 i + 3.
    METHOD float4 four(const Unit& w, u32 i) {
        u32 a = i % 2 ? w.part[i / 2].z : w.part[i / 2].x, b = i % 2 ? w.part[i / 2].w : w.part[i / 2].y;
        return make_float4(first(a), second(a), first(b), second(b));
    }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        uint4 part = ((const uint4*)w)[units * p + u];
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            out[2 * i] = first(word(part, i));
            out[2 * i + 1] = second(word(part, i));
        }
    }
};
typedef Half<false> F16;
typedef Half<true> BF16;

// Planes: weights 4 p to 4 p + 3 of every unit, p from 0 to 7.
struct F32 {
    static const bool DENSE = true;
    struct Unit { float4 part[8]; };
    METHOD Unit load(const u8* w, u64 units, u64 u) {
        Unit unit;
#pragma unroll
        for (u32 p = 0; p < 8; p++) unit.part[p] = ((const float4*)w)[units * p + u];
        return unit;
    }
    METHOD float4 four(const Unit& w, u32 i) { return w.part[i]; }
    METHOD void eight(const u8* w, u64 units, u64 u, u32 p, float out[8]) {
        float4 a = ((const float4*)w)[units * 2 * p + u], b = ((const float4*)w)[units * (2 * p + 1) + u];
        out[0] = a.x, out[1] = a.y, out[2] = a.z, out[3] = a.w;
        out[4] = b.x, out[5] = b.y, out[6] = b.z, out[7] = b.w;
    }
};
