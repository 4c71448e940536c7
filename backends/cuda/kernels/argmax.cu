// The next token of every row from the blocks' bests, and the step to the next position: what chains tokens on the device.
// best_value, best_index (rows, blocks); tokens, positions, steps (rows): the token becomes the best, the position and the
// step one more; ids (chain, rows) keeps the tokens of the last `chain` steps.
// Launch: 256 threads; grid (rows).
KERNEL(THREADS)
argmax(const float* best_value, const u32* best_index, u32 blocks, u32 rows, u32 chain, u32* tokens, u32* positions,
       u32* steps, u32* ids) {
    SHARED float values[WARPS];
    SHARED u32 indices[WARPS];
    u32 row = blockIdx.x;
    float value = MINUS_INFINITY;
    u32 index = 0xffffffffu;
    for (u32 i = threadIdx.x; i < blocks; i += THREADS) {
        float other = best_value[(u64)row * blocks + i];
        u32 at = best_index[(u64)row * blocks + i];
        if (other > value || (other == value && at < index)) value = other, index = at;
    }
    for (u32 step = WARP / 2; step > 0; step /= 2) {
        float other = __shfl_xor_sync(ALL_LANES, value, step);
        u32 at = __shfl_xor_sync(ALL_LANES, index, step);
        if (other > value || (other == value && at < index)) value = other, index = at;
    }
    if (lane_id() == 0) values[warp_id()] = value, indices[warp_id()] = index;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (u32 w = 1; w < WARPS; w++)
        if (values[w] > value || (values[w] == value && indices[w] < index)) value = values[w], index = indices[w];
    // Nothing but NaN: the first, as the host would say.
    u32 token = index == 0xffffffffu ? 0 : index;
    ids[(u64)(steps[row] % chain) * rows + row] = token;
    tokens[row] = token;
    positions[row] += 1;
    steps[row] += 1;
}
