// A ceiling: reads all of a buffer, over and over, sixteen bytes a thread and four loads at once.
// data (count) of 16 bytes, count a multiple of 4; out (1): written only if everything read is one certain number.
// Launch: 256 threads; as many blocks as are resident at once.
KERNEL(THREADS)
read(const uint4* data, u32 count, u32 repeats, u32* out) {
    u32 seen = 0, all = gridDim.x * THREADS, first = blockIdx.x * THREADS + threadIdx.x;
    for (u32 round = 0; round < repeats; round++) {
        u32 i = first;
        for (; (u64)i + 3 * (u64)all < count; i += 4 * all) {
            uint4 a = data[i], b = data[i + all], c = data[i + 2 * all], d = data[i + 3 * all];
            seen ^= a.x ^ a.y ^ a.z ^ a.w ^ b.x ^ b.y ^ b.z ^ b.w ^ c.x ^ c.y ^ c.z ^ c.w ^ d.x ^ d.y ^ d.z ^ d.w;
        }
        for (; i < count; i += all) {
            uint4 a = data[i];
            seen ^= a.x ^ a.y ^ a.z ^ a.w;
        }
        // Rounds differ, or one would do.
        seen += round;
    }
    if (seen == 0x9e3779b9u) *out = seen;
}
