// Norm, queries, keys and values, rotary embedding, and the cache's new rows, in one launch.
// x (rows, cols); Q, K, V FORMAT_Q, FORMAT_K, FORMAT_V (heads * dim, cols); biases or null; turns (context, turned): cosine and
// sine of a pair at a position; temperature (context) or null; positions, sequences (rows); q (rows, heads * key_dim) f32.
// CACHE 0: keys and values are written as rows of f32, unturned, for `rotate`; 1: f32 cache; 2: f16 cache, both
// (sequences, kv_heads, context, dim).
// A pair is turned together: neighbours (style 0) or halves (style 1) of the first 2 * turned elements; the rest are neighbours.
// Launch: 256 threads; grid (pairs / 8 or fewer, rows / ROWS).
struct Qkv {
    Matrix q, k, v;
    const float *q_bias, *k_bias, *v_bias;
    u32 heads, kv_heads, key_dim, value_dim, turned, style, context;
    const float2* turns;
    const float* temperature;
    const u32 *positions, *sequences;
    float* q_out;
    void *k_out, *v_out;

    struct Place { u32 part, head, pair, first, second; bool both; };

    __device__ __forceinline__ Place place(u32 pair) const {
        u32 of_key = parts(key_dim, 2), of_value = parts(value_dim, 2);
        Place at;
        at.part = pair < heads * of_key ? 0 : pair < (heads + kv_heads) * of_key ? 1 : 2;
        pair -= at.part == 0 ? 0 : at.part == 1 ? heads * of_key : (heads + kv_heads) * of_key;
        u32 of = at.part == 2 ? of_value : of_key, dim = at.part == 2 ? value_dim : key_dim;
        at.head = pair / of, at.pair = pair % of;
        bool halves = style == 1 && at.part != 2 && at.pair < turned;
        at.first = halves ? at.pair : 2 * at.pair;
        at.second = halves ? at.pair + turned : 2 * at.pair + 1;
        at.both = at.second < dim;
        return at;
    }

    template <typename S>
    __device__ __forceinline__ void dot(const S& stage, u32 pair, u32 first, u32 count, float x[ROWS], float y[ROWS]) {
        Place at = place(pair);
        u32 base = at.head * (at.part == 2 ? value_dim : key_dim), i = base + at.first, j = base + (at.both ? at.second : at.first);
        if (at.part == 0) dot_pair<FORMAT_Q, FORMAT_Q>(stage, q, i, q, j, first, count, x, y);
        else if (at.part == 1) dot_pair<FORMAT_K, FORMAT_K>(stage, k, i, k, j, first, count, x, y);
        else dot_pair<FORMAT_V, FORMAT_V>(stage, v, i, v, j, first, count, x, y);
    }

    // Element i of a head of keys or values.
    __device__ __forceinline__ void keep(void* out, u32 row, u32 head, u32 dim, u32 i, float value) {
        if (CACHE == 0) {
            ((float*)out)[((u64)row * kv_heads + head) * dim + i] = value;
            return;
        }
        u64 at = (((u64)sequences[row] * kv_heads + head) * context + positions[row]) * dim + i;
        if (CACHE == 1) ((float*)out)[at] = value;
        else ((u16*)out)[at] = to_f16(value);
    }

    __device__ __forceinline__ void finish(u32 pair, u32 row, float x, float y) {
        Place at = place(pair);
        u32 base = at.head * (at.part == 2 ? value_dim : key_dim);
        const float* bias = at.part == 0 ? q_bias : at.part == 1 ? k_bias : v_bias;
        if (bias) x += bias[base + at.first], y += at.both ? bias[base + at.second] : 0.0f;
        if (CACHE != 0 && at.part != 2 && at.pair < turned) {
            float2 turn = turns[(u64)positions[row] * turned + at.pair];
            float a = x * turn.x - y * turn.y, b = x * turn.y + y * turn.x;
            x = a, y = b;
        }
        if (at.part == 0) {
            float scale = CACHE != 0 && temperature ? temperature[positions[row]] : 1.0f;
            float* head = q_out + (u64)row * heads * key_dim + base;
            head[at.first] = x * scale;
            if (at.both) head[at.second] = y * scale;
            return;
        }
        void* out = at.part == 1 ? k_out : v_out;
        u32 dim = at.part == 1 ? key_dim : value_dim;
        keep(out, row, at.head, dim, at.first, x);
        if (at.both) keep(out, row, at.head, dim, at.second, y);
    }
};

KERNEL(THREADS)
qkv(const float* x, u32 cols, u32 rows, const float* norm_weight, const float* norm_bias, float eps, u32 norm, const u8* q,
    const u8* k, const u8* v, const float* q_bias, const float* k_bias, const float* v_bias, u32 heads, u32 kv_heads,
    u32 key_dim, u32 value_dim, const float2* turns, u32 turned, u32 style, const float* temperature, const u32* positions,
    const u32* sequences, u32 context, float* q_out, void* k_out, void* v_out) {
    const bool dense = FORMAT_Q::DENSE || FORMAT_K::DENSE || FORMAT_V::DENSE;
    const bool integers = !FORMAT_Q::DENSE || !FORMAT_K::DENSE || !FORMAT_V::DENSE;
    SHARED Stage<integers, dense> stage;
    Input in = {x, cols, rows, nullptr, {norm_weight, norm_bias, eps, norm}};
    Qkv work = {Matrix::of(q, heads * key_dim, cols), Matrix::of(k, kv_heads * key_dim, cols),
                Matrix::of(v, kv_heads * value_dim, cols), q_bias, k_bias, v_bias, heads, kv_heads, key_dim, value_dim,
                turned, style, context, turns, temperature, positions, sequences, q_out, k_out, v_out};
    u32 pairs = (heads + kv_heads) * parts(key_dim, 2) + kv_heads * parts(value_dim, 2);
    all_pairs(stage, in, pairs, work);
}
