// A ceiling: multiplications and additions from registers, eight chains a thread. KIND 0 dp4a; 1 bf16, 2 f16 and 3 8-bit tensor
// cores; 4 f32. Operations of a round of a thread: 64 for KIND 0, 16 for 4; of a warp: 32,768 for 1 and 2, 65,536 for 3.
// out (1): written only if the sum is one certain number.
// Launch: 256 threads; as many blocks as are resident at once.
KERNEL(THREADS)
peak(u32 repeats, u32* out) {
    u32 a[4] = {threadIdx.x, threadIdx.x * 3, threadIdx.x * 5, threadIdx.x * 7}, b[2] = {blockIdx.x, blockIdx.x * 3};
#if KIND == 0 || KIND == 3
    int sums[8][4];
#else
    float sums[8][4];
#endif
#pragma unroll
    for (u32 i = 0; i < 8; i++) sums[i][0] = sums[i][1] = sums[i][2] = sums[i][3] = 0;
    for (u32 round = 0; round < repeats; round++) {
#pragma unroll
        for (u32 i = 0; i < 8; i++) {
#if KIND == 0
            sums[i][0] = __dp4a((int)a[i % 4], (int)b[i % 2], sums[i][0]);
#elif KIND == 1
            mma_bf16(sums[i], a, b);
#elif KIND == 2
            mma_f16(sums[i], a, b);
#elif KIND == 3
            mma_int8(sums[i], a, b);
#else
            sums[i][0] = fmaf(__uint_as_float(a[i % 4]), __uint_as_float(b[i % 2]), sums[i][0]);
#endif
        }
    }
    float sum = 0;
#pragma unroll
    for (u32 i = 0; i < 8; i++) sum += (float)sums[i][0] + (float)sums[i][1] + (float)sums[i][2] + (float)sums[i][3];
    if (sum == 12345.678f) *out = 1;
}
