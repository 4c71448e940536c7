// A ceiling: what lies between two launches that depend on each other, which is what ends a phase here. Does nothing.
// Launch: 256 threads; as many blocks as are resident at once.
KERNEL(THREADS)
barrier(u32* out) {
    if (out == nullptr) __syncthreads();
}
