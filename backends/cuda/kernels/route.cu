// Which experts a row is given to, and their shares: softmax of the router's scores, the best `used` (the lower index among
// equals), divided by their sum where the model does (normalised 1), times scale.
// x (rows, cols); W FORMAT (experts, cols); scores (rows, experts); choice, share (rows, used).
// Launch: 256 threads; grid (1, rows).
struct Route {
    Matrix matrix;
    u32 experts;
    float* scores;

    template <typename S>
    __device__ __forceinline__ void dot(const S& stage, u32 pair, u32 first, u32 count, float x[ROWS], float y[ROWS]) {
        dot_pair<FORMAT, FORMAT>(stage, matrix, 2 * pair, matrix, least(2 * pair + 1, experts - 1), first, count, x, y);
    }
    __device__ __forceinline__ void finish(u32 pair, u32 row, float x, float y) {
        scores[(u64)row * experts + 2 * pair] = x;
        if (2 * pair + 1 < experts) scores[(u64)row * experts + 2 * pair + 1] = y;
    }
};

KERNEL(THREADS)
route(const float* x, u32 cols, u32 rows, const float* norm_weight, const float* norm_bias, float eps, u32 norm,
      const u8* planes, u32 experts, u32 used, u32 normalised, float scale, float* scores, u32* choice, float* share) {
    SHARED Stage<!FORMAT::DENSE, FORMAT::DENSE> stage;
    Input in = {x, cols, rows, nullptr, {norm_weight, norm_bias, eps, norm}};
    Route work = {Matrix::of(planes, experts, cols), experts, scores};
    all_pairs(stage, in, parts(experts, 2), work);
    __syncthreads();
    // One warp chooses.
    if (warp_id() != 0) return;
    u32 row = blockIdx.y;
    scores += (u64)row * experts, choice += (u64)row * used, share += (u64)row * used;
    float most = MINUS_INFINITY, all = 0, chosen = 0;
    for (u32 e = lane_id(); e < experts; e += WARP) most = fmaxf(most, scores[e]);
    most = warp_max(most);
    for (u32 e = lane_id(); e < experts; e += WARP) all += expf(scores[e] - most);
    all = warp_sum(all);
    for (u32 slot = 0; slot < used; slot++) {
        float best = MINUS_INFINITY;
        u32 index = 0xffffffffu;
        for (u32 e = lane_id(); e < experts; e += WARP)
            if (scores[e] > best) best = scores[e], index = e;
        for (u32 step = WARP / 2; step > 0; step /= 2) {
            float other = __shfl_xor_sync(ALL_LANES, best, step);
            u32 at = __shfl_xor_sync(ALL_LANES, index, step);
            if (other > best || (other == best && at < index)) best = other, index = at;
        }
        float mine = expf(best - most) / all;
        chosen += mine;
        // Whose lane it is takes it out of the next choice; scores that are no numbers choose the first expert.
        index = least(index, experts - 1);
        if (lane_id() == index % WARP) scores[index] = MINUS_INFINITY;
        if (lane_id() == 0) choice[slot] = index, share[slot] = mine;
        __syncwarp();
    }
    if (lane_id() != 0) return;
    float factor = scale / (normalised ? chosen : 1.0f);
    for (u32 slot = 0; slot < used; slot++) share[slot] *= factor;
}
