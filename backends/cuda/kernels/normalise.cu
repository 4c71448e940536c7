// A norm that is not fused: out = residual + scale * norm(x), row by row, in f32 or (BITS 16) in bf16 without residual.
// x (rows, cols); weight, bias (cols) or null; residual (rows, cols) or null; out (rows, cols), in bf16 (rows, padded).
// Launch: 256 threads; grid (1, rows).
KERNEL(THREADS)
normalise(const float* x, u32 cols, const float* weight, const float* bias, float eps, u32 kind, const float* residual, float scale,
     void* out, u32 padded) {
    SHARED float room[WARPS];
    u32 row = blockIdx.y;
    x += (u64)row * cols;
    float centre = 0, factor = 1;
    if (kind == 2) {
        float sum = 0;
        for (u32 i = threadIdx.x; i < cols; i += THREADS) sum += x[i];
        centre = block_sum<THREADS>(sum, room) / (float)cols;
    }
    if (kind != 0) {
        float square = 0;
        for (u32 i = threadIdx.x; i < cols; i += THREADS) square += (x[i] - centre) * (x[i] - centre);
        factor = 1.0f / sqrtf(block_sum<THREADS>(square, room) / (float)cols + eps);
    }
    for (u32 i = threadIdx.x; i < padded; i += THREADS) {
        float y = 0;
        if (i < cols) {
            y = (x[i] - centre) * factor;
            if (weight) y *= weight[i];
            if (bias) y += bias[i];
        }
#if BITS == 16
        ((u16*)out)[(u64)row * padded + i] = (u16)to_bf16(y);
#else
        u64 at = (u64)row * cols + i;
        if (i < cols) ((float*)out)[at] = (residual ? residual[at] : 0.0f) + scale * y;
#endif
    }
}
