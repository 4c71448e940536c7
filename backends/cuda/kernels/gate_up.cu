// Norm, gate, up and what is between them: h = activate(gate x + gate_bias) * (up x + up_bias), or activate(up x + up_bias).
// x (rows, cols); gate, up FORMAT_GATE, FORMAT_UP (width, cols); h (rows, width). With choice (rows, used), blocks of z take
// slot z: gate and up are (experts, width, cols), h is (rows, used, width), and ROWS is 1; without, experts and used are 1. GATED 1: a gate and its up are a pair;
// 0: two neighbours of up are. activation: 0 SiLU, 1 GELU.
// Launch: 256 threads; grid (pairs / 8 or fewer, rows / ROWS, used).
struct GateUp {
    Matrix gate, up;
    const float *gate_bias, *up_bias;
    u32 width, activation, base, used;
    float* h;

    template <typename S>
    __device__ __forceinline__ void dot(const S& stage, u32 pair, u32 first, u32 count, float x[ROWS], float y[ROWS]) {
#if GATED
        dot_pair<FORMAT_GATE, FORMAT_UP>(stage, gate, base + pair, up, base + pair, first, count, x, y);
#else
        dot_pair<FORMAT_UP, FORMAT_UP>(stage, up, 2 * pair, up, least(2 * pair + 1, width - 1), first, count, x, y);
#endif
    }
    __device__ __forceinline__ void finish(u32 pair, u32 row, float x, float y) {
        float* out = h + ((u64)row * used + blockIdx.z) * width;
#if GATED
        if (gate_bias) x += gate_bias[pair];
        if (up_bias) y += up_bias[pair];
        out[pair] = activate(x, activation) * y;
#else
        u32 i = 2 * pair;
        out[i] = activate(x + (up_bias ? up_bias[i] : 0.0f), activation);
        if (i + 1 < width) out[i + 1] = activate(y + (up_bias ? up_bias[i + 1] : 0.0f), activation);
#endif
    }
};

KERNEL(THREADS)
gate_up(const float* x, u32 cols, u32 rows, const float* norm_weight, const float* norm_bias, float eps, u32 norm,
        const u8* gate, const u8* up, const float* gate_bias, const float* up_bias, u32 width, u32 activation,
        const u32* choice, u32 experts, u32 used, float* h) {
    const bool dense = FORMAT_GATE::DENSE || FORMAT_UP::DENSE, integers = !FORMAT_GATE::DENSE || !FORMAT_UP::DENSE;
    SHARED Stage<integers, dense> stage;
    Input in = {x, cols, rows, nullptr, {norm_weight, norm_bias, eps, norm}};
    u32 base = choice ? choice[blockIdx.y * used + blockIdx.z] * width : 0;
    GateUp work = {Matrix::of(gate, experts * width, cols), Matrix::of(up, experts * width, cols), gate_bias, up_bias, width,
                   activation, base, used, h};
    all_pairs(stage, in, GATED ? width : parts(width, 2), work);
}
