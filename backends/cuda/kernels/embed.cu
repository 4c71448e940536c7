// The tokens' rows of the embedding, and of the positions where those are learned: x = scale * E[token] + P[position].
// E FORMAT (vocab, cols); P (positions, cols) f32 or null; tokens, positions (rows); x (rows, cols).
// Launch: 256 threads, eight columns each; grid (columns / 2048, rows).
KERNEL(THREADS)
embed(const u8* planes, u32 vocab, u32 cols, const float* place, float scale, const u32* tokens, const u32* positions, float* x) {
    u32 row = blockIdx.y, c = (blockIdx.x * THREADS + threadIdx.x) * 8;
    if (c >= cols) return;
    Matrix matrix = Matrix::of(planes, vocab, cols);
    float out[8];
    FORMAT::eight(planes, matrix.units, (u64)tokens[row] * matrix.row_units + c / 32, c / 8 % 4, out);
    for (u32 i = 0; i < 8 && c + i < cols; i++) {
        float p = place ? place[(u64)positions[row] * cols + c + i] : 0.0f;
        x[(u64)row * cols + c + i] = out[i] * scale + p;
    }
}
