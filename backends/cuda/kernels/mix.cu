// What the chosen experts make of their inner activations, by their shares: out = residual + scale * sum(share * W_expert h).
// h (rows, used, cols); W FORMAT (experts, outs, cols); choice, share (rows, used); residual (rows, outs) or null, which may be
// out; out (rows, outs).
// Launch: 256 threads; grid (pairs of outputs / 8 or fewer, rows).
struct Mix {
    Matrix matrix;
    u32 outs, base;
    const float* residual;
    float scale;
    float* out;

    template <typename S>
    __device__ __forceinline__ void dot(const S& stage, u32 pair, u32 first, u32 count, float x[ROWS], float y[ROWS]) {
        u32 i = base + 2 * pair, j = base + least(2 * pair + 1, outs - 1);
        dot_pair<FORMAT, FORMAT>(stage, matrix, i, matrix, j, first, count, x, y);
    }
    __device__ __forceinline__ void put(u32 i, float value) {
        u64 at = (u64)blockIdx.y * outs + i;
        out[at] = (residual ? residual[at] : 0.0f) + scale * value;
    }
    __device__ __forceinline__ void finish(u32 pair, u32, float x, float y) {
        put(2 * pair, x);
        if (2 * pair + 1 < outs) put(2 * pair + 1, y);
    }
};

KERNEL(THREADS)
mix(const float* h, u32 cols, u32 rows, const u8* planes, u32 outs, u32 experts, u32 used, const u32* choice,
    const float* share, const float* residual, float scale, float* out) {
    SHARED Stage<!FORMAT::DENSE, FORMAT::DENSE> stage;
    u32 row = blockIdx.y;
    Mix work = {Matrix::of(planes, experts * outs, cols), outs, 0, residual, 0, out};
    for (u32 slot = 0; slot < used; slot++) {
        // Row `row` of an input whose rows are `used` apart.
        Input in = {h + ((u64)row * (used - 1) + slot) * cols, cols, rows, nullptr, {nullptr, nullptr, 0, 0}};
        work.base = choice[row * used + slot] * outs;
        work.scale = scale * share[row * used + slot];
        all_pairs(stage, in, parts(outs, 2), work);
        // The same thread adds the next expert to what it wrote.
        work.residual = out;
        __syncthreads();
    }
}
