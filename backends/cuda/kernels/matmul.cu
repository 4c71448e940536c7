// A product of a matrix with many rows of activations, on tensor cores: weights are decoded to bf16 a tile at a time, sums
// are f32. MODE 0: out = residual + scale * (W x + bias) in f32; 1 and 2 make the inner activations of a feed-forward block in
// bf16: 1 activate(gate x + gate_bias) * (up x + up_bias), gate and up being columns of one tile in turns; 2 activate(W x + bias).
// x (rows, padded) bf16, zero beyond cols, padded = 32 ceil(cols / 32); W, gate FORMAT (outs, cols); up FORMAT_UP; bias (outs)
// or null; residual, out (rows, outs) f32, or out (rows, out_padded) bf16, zero beyond outs.
// A block makes 128 rows by TILE_N columns (64 or 128), 8 warps, 32 columns of the matrix at a time, two stages.
// Launch: 256 threads; grid (columns / TILE_N, rows / 128). Columns are outs; out_padded where out is bf16, twice
// that in MODE 1. Needs sm_80.
#define TILE_M 128
#define TILE_K 32
// 16-bit elements of a row in shared memory: 80 bytes, so that eight rows of a matrix of ldmatrix lie in different banks.
#define STRIDE 40
// Warps lie side by side over the columns, 32 each, and share the rows.
#define WARPS_N (TILE_N / 32)
#define WARPS_M (WARPS / WARPS_N)
#define TILES_M (TILE_M / WARPS_M / 16)

struct Columns {
    Matrix first, second;
    u32 outs;

    // Part p of a unit of column n: eight weights in bf16.
    __device__ __forceinline__ uint4 part(u32 n, u32 unit, u32 p) const {
        float w[8];
#if MODE == 1
        u32 row = n / 2;
        if (row >= outs) return make_uint4(0, 0, 0, 0);
        if (n % 2) FORMAT_UP::eight(second.planes, second.units, (u64)row * second.row_units + unit, p, w);
        else FORMAT::eight(first.planes, first.units, (u64)row * first.row_units + unit, p, w);
#else
        if (n >= outs) return make_uint4(0, 0, 0, 0);
        FORMAT::eight(first.planes, first.units, (u64)n * first.row_units + unit, p, w);
#endif
        return make_uint4(pair_bf16(w[0], w[1]), pair_bf16(w[2], w[3]), pair_bf16(w[4], w[5]), pair_bf16(w[6], w[7]));
    }
};

KERNEL(THREADS)
matmul(const u16* x, u32 cols, u32 rows, const u8* planes, const u8* up_planes, u32 outs, const float* bias,
       const float* up_bias, const float* residual, float scale, u32 activation, void* out, u32 out_padded) {
    SHARED uint4 tiles_x[2][TILE_M * STRIDE / 8];
    SHARED uint4 tiles_w[2][TILE_N * STRIDE / 8];
    Columns columns = {Matrix::of(planes, outs, cols), Matrix::of(up_planes, outs, cols), outs};
    u32 units = parts(cols, 32), padded = units * 32;
    u32 row0 = blockIdx.y * TILE_M, column0 = blockIdx.x * TILE_N;
    u32 warp_m = warp_id() / WARPS_N, warp_n = warp_id() % WARPS_N, lane = lane_id();

    // Activations of a stage by copies that need no registers; rows beyond the end repeat the last.
    auto fetch_x = [&](u32 stage, u32 unit) {
#pragma unroll
        for (u32 i = 0; i < TILE_M * 4 / THREADS; i++) {
            u32 at = i * THREADS + threadIdx.x, m = at / 4, p = at % 4;
            copy_16(&tiles_x[stage][m * STRIDE / 8 + p], x + (u64)least(row0 + m, rows - 1) * padded + unit * 32 + p * 8);
        }
    };
    // Weights of a stage, decoded: first into registers, later into shared memory.
    uint4 held[TILE_N * 4 / THREADS];
    auto fetch_w = [&](u32 unit) {
#pragma unroll
        for (u32 i = 0; i < TILE_N * 4 / THREADS; i++) {
            u32 at = i * THREADS + threadIdx.x;
            held[i] = columns.part(column0 + at / 4, unit, at % 4);
        }
    };
    auto put_w = [&](u32 stage) {
#pragma unroll
        for (u32 i = 0; i < TILE_N * 4 / THREADS; i++) {
            u32 at = i * THREADS + threadIdx.x;
            tiles_w[stage][at / 4 * STRIDE / 8 + at % 4] = held[i];
        }
    };

    float sums[TILES_M][4][4];
#pragma unroll
    for (u32 i = 0; i < TILES_M; i++)
#pragma unroll
        for (u32 j = 0; j < 4; j++)
#pragma unroll
            for (u32 k = 0; k < 4; k++) sums[i][j][k] = 0;

    fetch_x(0, 0);
    fetch_w(0);
    put_w(0);
    copies_done();
    __syncthreads();
    for (u32 unit = 0; unit < units; unit++) {
        u32 stage = unit % 2;
        bool more = unit + 1 < units;
        if (more) fetch_x(1 - stage, unit + 1), fetch_w(unit + 1);
        const u16* tile_x = (const u16*)tiles_x[stage];
        const u16* tile_w = (const u16*)tiles_w[stage];
#pragma unroll
        for (u32 k = 0; k < TILE_K; k += 16) {
            // Matrices of ldmatrix: lane l gives row l % 16 (or the same of columns), at k or k + 8.
            u32 a[TILES_M][4], b[2][4];
#pragma unroll
            for (u32 i = 0; i < TILES_M; i++) {
                u32 m = (warp_m * TILES_M + i) * 16 + lane % 16;
                load_matrices(a[i], tile_x + m * STRIDE + k + lane / 16 * 8);
            }
#pragma unroll
            for (u32 j = 0; j < 2; j++) {
                // Matrices: columns 0-7 at k, at k + 8, columns 8-15 at k, at k + 8.
                u32 n = warp_n * 32 + j * 16 + lane / 16 * 8 + lane % 8;
                load_matrices(b[j], tile_w + n * STRIDE + k + lane / 8 % 2 * 8);
            }
#pragma unroll
            for (u32 i = 0; i < TILES_M; i++)
#pragma unroll
                for (u32 j = 0; j < 4; j++) mma_bf16(sums[i][j], a[i], &b[j / 2][j % 2 * 2]);
        }
        if (more) put_w(1 - stage), copies_done();
        __syncthreads();
    }

    // A lane has columns 2 t and 2 t + 1 of rows g and g + 8 of every 16 x 8 tile.
#pragma unroll
    for (u32 i = 0; i < TILES_M; i++)
#pragma unroll
        for (u32 j = 0; j < 4; j++)
#pragma unroll
            for (u32 h = 0; h < 2; h++) {
                u32 row = row0 + (warp_m * TILES_M + i) * 16 + h * 8 + lane / 4;
                u32 n = column0 + warp_n * 32 + j * 8 + lane % 4 * 2;
                float p = sums[i][j][2 * h], q = sums[i][j][2 * h + 1];
                if (row >= rows) continue;
#if MODE == 1
                u32 at = n / 2;
                if (at >= out_padded) continue;
                float inner = 0;
                if (at < outs) {
                    if (bias) p += bias[at];
                    if (up_bias) q += up_bias[at];
                    inner = activate(p, activation) * q;
                }
                ((u16*)out)[(u64)row * out_padded + at] = (u16)to_bf16(inner);
#elif MODE == 2
                if (n >= out_padded) continue;
                p = n < outs ? activate(p + (bias ? bias[n] : 0.0f), activation) : 0.0f;
                q = n + 1 < outs ? activate(q + (bias ? bias[n + 1] : 0.0f), activation) : 0.0f;
                *(u32*)((u16*)out + (u64)row * out_padded + n) = pair_bf16(p, q);
#else
                float* to = (float*)out + (u64)row * outs;
                const float* from = residual ? residual + (u64)row * outs : nullptr;
                if (n < outs) to[n] = (from ? from[n] : 0.0f) + scale * (p + (bias ? bias[n] : 0.0f));
                if (n + 1 < outs) to[n + 1] = (from ? from[n + 1] : 0.0f) + scale * (q + (bias ? bias[n + 1] : 0.0f));
#endif
            }
}
