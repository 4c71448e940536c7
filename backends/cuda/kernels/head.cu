// The last norm and the logits of some rows, and each block's best: logits = cap(scale * (W norm(x) + bias)).
// x (stream rows, cols); chosen (rows): which rows of x; W FORMAT (vocab, cols); bias (vocab) or null; logits (rows, vocab).
// best_value, best_index (rows, gridDim.x): the largest logit a block saw, the lowest index among equals, never a NaN.
// Launch: 256 threads; grid (pairs / 8 or fewer, rows / ROWS).
struct Best {
    float value;
    u32 index;
    __device__ __forceinline__ void take(float other, u32 at) {
        if (other > value || (other == value && at < index)) value = other, index = at;
    }
};

struct Head {
    Matrix matrix;
    u32 vocab;
    const float* bias;
    float scale, cap;
    float* logits;
    // Of row blockIdx.y * ROWS + lane.
    Best best;

    template <typename S>
    __device__ __forceinline__ void dot(const S& stage, u32 pair, u32 first, u32 count, float x[ROWS], float y[ROWS]) {
        dot_pair<FORMAT, FORMAT>(stage, matrix, 2 * pair, matrix, least(2 * pair + 1, vocab - 1), first, count, x, y);
    }
    __device__ __forceinline__ void put(u32 row, u32 i, float value) {
        if (bias) value += bias[i];
        value = soft_cap(value * scale, cap);
        logits[(u64)row * vocab + i] = value;
        best.take(value, i);
    }
    __device__ __forceinline__ void finish(u32 pair, u32 row, float x, float y) {
        put(row, 2 * pair, x);
        if (2 * pair + 1 < vocab) put(row, 2 * pair + 1, y);
    }
};

KERNEL(THREADS)
head(const float* x, u32 cols, u32 rows, const u32* chosen, const float* norm_weight, const float* norm_bias, float eps,
     u32 norm, const u8* planes, u32 vocab, const float* bias, float scale, float cap, float* logits, float* best_value,
     u32* best_index) {
    SHARED Stage<!FORMAT::DENSE, FORMAT::DENSE> stage;
    SHARED Best bests[WARPS][ROWS];
    Input in = {x, cols, rows, chosen, {norm_weight, norm_bias, eps, norm}};
    Head work = {Matrix::of(planes, vocab, cols), vocab, bias, scale, cap, logits, {MINUS_INFINITY, 0xffffffffu}};
    all_pairs(stage, in, parts(vocab, 2), work);
    if (lane_id() < ROWS) bests[warp_id()][lane_id()] = work.best;
    __syncthreads();
    u32 row = Input::first_row() + threadIdx.x;
    if (threadIdx.x >= ROWS || row >= rows) return;
    Best best = bests[0][threadIdx.x];
    for (u32 w = 1; w < WARPS; w++) best.take(bests[w][threadIdx.x].value, bests[w][threadIdx.x].index);
    best_value[(u64)row * gridDim.x + blockIdx.x] = best.value;
    best_index[(u64)row * gridDim.x + blockIdx.x] = best.index;
}
