// One product added to the stream: out = residual + scale * (W x + bias). Attention's output, the feed-forward block's
// down, and every product that is not fused.
// x (rows, cols); W FORMAT (outs, cols); bias (outs) or null; residual (rows, outs) or null; out (rows, outs).
// Launch: 256 threads; grid (pairs of outputs / 8 or fewer, rows / ROWS).
struct Project {
    Matrix matrix;
    u32 outs;
    const float* bias;
    const float* residual;
    float scale;
    float* out;

    template <typename S>
    __device__ __forceinline__ void dot(const S& stage, u32 pair, u32 first, u32 count, float x[ROWS], float y[ROWS]) {
        dot_pair<FORMAT, FORMAT>(stage, matrix, 2 * pair, matrix, least(2 * pair + 1, outs - 1), first, count, x, y);
    }
    __device__ __forceinline__ void put(u32 row, u32 i, float value) {
        u64 at = (u64)row * outs + i;
        if (bias) value += bias[i];
        out[at] = (residual ? residual[at] : 0.0f) + scale * value;
    }
    __device__ __forceinline__ void finish(u32 pair, u32 row, float x, float y) {
        put(row, 2 * pair, x);
        if (2 * pair + 1 < outs) put(row, 2 * pair + 1, y);
    }
};

KERNEL(THREADS)
project(const float* x, u32 cols, u32 rows, const u8* planes, u32 outs, const float* bias, const float* residual, float scale,
        float* out) {
    SHARED Stage<!FORMAT::DENSE, FORMAT::DENSE> stage;
    Input in = {x, cols, rows, nullptr, {nullptr, nullptr, 0, 0}};
    Project work = {Matrix::of(planes, outs, cols), outs, bias, residual, scale, out};
    all_pairs(stage, in, parts(outs, 2), work);
}
