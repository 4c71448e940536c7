// A kernel with the fault that FAULT numbers; 0 has none. Tests hold the emulator to finding each.
// data (2 * gridDim.x * 256) f32, written; counter (1), 0; out (gridDim.x * 256) f32. Launch: 256 threads.
KERNEL(THREADS)
fault(const float* data, u32* counter, float* out) {
    SHARED float room[THREADS + 1];
    SHARED u32 arrived;
    u32 i = threadIdx.x, at = blockIdx.x * THREADS + i;
    room[i] = data[at];
    if (i == 0) room[THREADS] = 0;
#if FAULT != 1
    // Left out: neighbours of other warps are read before they write.
    __syncthreads();
#endif
    float sum = room[i] + room[(i + 40) % THREADS];
#if FAULT == 2
    // Within a warp too: an exchange of registers orders no memory.
    room[i] = sum;
    __shfl_xor_sync(ALL_LANES, sum, 1);
    sum += room[i ^ 1];
#elif FAULT == 3
    // Beyond the end of a buffer.
    sum += data[2 * gridDim.x * THREADS + at];
#elif FAULT == 4
    // A result that nobody wrote yet.
    sum += out[at];
#elif FAULT == 5
    // What another block writes in the same launch.
    out[at] = sum;
    sum += out[(at + THREADS) % (gridDim.x * THREADS)];
#elif FAULT == 6
    // Threads of one block at different barriers.
    if (i < 128) {
        __syncthreads();
    } else {
        __syncthreads();
    }
#elif FAULT == 7
    // A copy that nobody waits for.
    if (i < 4) copy_16(&room[4 * i], &data[4 * i]);
#elif FAULT == 8
    // Lanes that leave while others exchange.
    if (i % 2) return;
    sum = warp_sum(sum);
#elif FAULT == 9
    // The last block reads what the others wrote, without a fence before the count.
    out[at] = sum;
    __syncthreads();
    if (i == 0) arrived = atomicAdd(counter, 1u);
    __syncthreads();
    if (arrived != gridDim.x - 1) return;
    sum += out[(at + THREADS) % (gridDim.x * THREADS)];
#elif FAULT == 10
    // Shared memory of the block before.
    if (i == 0 && blockIdx.x == 0) arrived = 7;
    __syncthreads();
    sum += (float)arrived;
#elif FAULT == 11
    // A barrier that a copy still in flight crosses.
    __syncthreads();
    if (i < 4) copy_16(&room[4 * i], &data[4 * i]);
    sum += room[(i + 8) % 16];
    copies_done();
#else
    // As in `attend`: fences on both sides of the count.
    out[at] = sum;
    __threadfence();
    __syncthreads();
    if (i == 0) arrived = atomicAdd(counter, 1u);
    __syncthreads();
    if (arrived != gridDim.x - 1) return;
    __threadfence();
    sum = __ldcg(&out[(at + THREADS) % (gridDim.x * THREADS)]);
    __syncthreads();
    if (i == 0) *counter = 0;
#endif
    out[at] = sum;
}
