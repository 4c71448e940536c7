// Attention of many rows on tensor cores: softmax(scale * q K^T) V of 64 rows of one sequence at a time, scores kept in
// registers (Dao et al. 2022). Queries and shares in f16, sums in f32.
// q (rows, heads * key_dim) f32; keys, values (held sequences, kv_heads, context, dim), CACHE 2 (f16) or 3 (eight bits, see
// `rotate`); tiles (gridDim.x, 2): the first row of a tile and how many rows of one sequence, in order, it has; positions,
// sequences (rows); out (rows, padded) bf16, padded = 32 ceil(heads * value_dim / 32).
// DIM_K, DIM_V: the dims filled up to multiples of 16. Four warps, 16 rows each; 32 positions at a time.
// Launch: 128 threads; grid (tiles, heads). Needs sm_80.
#define HEAD_THREADS 128
#define TILE_Q 64
#define TILE_P 32
// 16-bit elements of a row in shared memory, 16 bytes more than a row has: rows lie in different banks.
#define STRIDE_K (DIM_K + 8)
#define STRIDE_V (DIM_V + 8)

// Eight elements of a head from d as f16; 0 beyond it.
DEVICE uint4 eight_halves(const void* cache, u64 cells, u64 cell, u32 dim, u32 d) {
    if (d >= dim) return make_uint4(0, 0, 0, 0);
#if CACHE == 2
    const u16* from = (const u16*)cache + cell * dim + d;
    if (dim % 8 == 0) return *(const uint4*)from;
    u32 bits[4] = {0, 0, 0, 0};
    for (u32 i = 0; i < 8 && d + i < dim; i++) bits[i / 2] |= (u32)from[i] << (i % 2 * 16);
    return make_uint4(bits[0], bits[1], bits[2], bits[3]);
#else
    float scale = from_f16(((const u16*)((const i8*)cache + cells * dim))[cell * (dim / 32) + d / 32]);
    uint2 codes = *(const uint2*)((const i8*)cache + cell * dim + d);
    u32 bits[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        u32 two = (i < 2 ? codes.x : codes.y) >> (i % 2 * 16);
        bits[i] = pair_f16(scale * (float)(i8)two, scale * (float)(i8)(two >> 8));
    }
    return make_uint4(bits[0], bits[1], bits[2], bits[3]);
#endif
}

KERNEL(HEAD_THREADS)
flash(const float* q, const void* keys, const void* values, const u32* tiles, const u32* positions, const u32* sequences,
      u32 context, u32 held, u32 heads, u32 kv_heads, u32 key_dim, u32 value_dim, u32 window, float scale, float cap, u16* out,
      u32 padded) {
    SHARED uint4 tile_q[TILE_Q * STRIDE_K / 8];
    SHARED uint4 tile_k[TILE_P * STRIDE_K / 8];
    SHARED uint4 tile_v[TILE_P * STRIDE_V / 8];
    u32 row0 = tiles[2 * blockIdx.x], count = tiles[2 * blockIdx.x + 1], head = blockIdx.y;
    u32 kv_head = head / (heads / kv_heads), lane = lane_id(), warp = warp_id();
    u64 cells = (u64)held * kv_heads * context, cell = ((u64)sequences[row0] * kv_heads + kv_head) * context;
    u32 position0 = positions[row0], length = position0 + count;

    for (u32 i = threadIdx.x; i < TILE_Q * DIM_K / 2; i += HEAD_THREADS) {
        u32 r = i / (DIM_K / 2), d = i % (DIM_K / 2) * 2;
        const float* from = q + ((u64)(row0 + r) * heads + head) * key_dim;
        float a = r < count && d < key_dim ? from[d] * scale : 0.0f;
        float b = r < count && d + 1 < key_dim ? from[d + 1] * scale : 0.0f;
        ((u32*)tile_q)[(r * STRIDE_K + d) / 2] = pair_f16(a, b);
    }
    __syncthreads();
    u32 fragments[DIM_K / 16][4];
#pragma unroll
    for (u32 k = 0; k < DIM_K / 16; k++)
        load_matrices(fragments[k], (const u16*)tile_q + (warp * 16 + lane % 16) * STRIDE_K + k * 16 + lane / 16 * 8);

    float sums[DIM_V / 8][4];
#pragma unroll
    for (u32 j = 0; j < DIM_V / 8; j++) sums[j][0] = sums[j][1] = sums[j][2] = sums[j][3] = 0;
    // Of rows g and g + 8 of this warp's sixteen.
    float largest[2] = {MINUS_INFINITY, MINUS_INFINITY}, total[2] = {0, 0};
    u32 first_seen = window && position0 + 1 > window ? position0 + 1 - window : 0;

    for (u32 base = first_seen / TILE_P * TILE_P; base < length; base += TILE_P) {
        __syncthreads();
        for (u32 i = threadIdx.x; i < TILE_P * DIM_K / 8; i += HEAD_THREADS) {
            u32 p = i / (DIM_K / 8), d = i % (DIM_K / 8) * 8;
            tile_k[(p * STRIDE_K + d) / 8] = base + p < length ? eight_halves(keys, cells, cell + base + p, key_dim, d)
                                                               : make_uint4(0, 0, 0, 0);
        }
        for (u32 i = threadIdx.x; i < TILE_P * DIM_V / 8; i += HEAD_THREADS) {
            u32 p = i / (DIM_V / 8), d = i % (DIM_V / 8) * 8;
            tile_v[(p * STRIDE_V + d) / 8] = base + p < length ? eight_halves(values, cells, cell + base + p, value_dim, d)
                                                               : make_uint4(0, 0, 0, 0);
        }
        __syncthreads();
        // Scores of sixteen rows against 32 positions.
        float scores[TILE_P / 8][4];
#pragma unroll
        for (u32 j = 0; j < TILE_P / 8; j++) scores[j][0] = scores[j][1] = scores[j][2] = scores[j][3] = 0;
#pragma unroll
        for (u32 k = 0; k < DIM_K / 16; k++)
#pragma unroll
            for (u32 j = 0; j < TILE_P / 16; j++) {
                u32 b[4];
                load_matrices(b, (const u16*)tile_k + (j * 16 + lane / 16 * 8 + lane % 8) * STRIDE_K + k * 16 + lane / 8 % 2 * 8);
                mma_f16(scores[2 * j], fragments[k], b);
                mma_f16(scores[2 * j + 1], fragments[k], b + 2);
            }
        float most[2] = {largest[0], largest[1]};
#pragma unroll
        for (u32 j = 0; j < TILE_P / 8; j++)
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                u32 own = position0 + warp * 16 + lane / 4 + i / 2 * 8, p = base + j * 8 + lane % 4 * 2 + i % 2;
                bool seen = p <= own && p < length && !(window && own >= window && p <= own - window);
                scores[j][i] = seen ? soft_cap(scores[j][i], cap) : MINUS_INFINITY;
                most[i / 2] = fmaxf(most[i / 2], scores[j][i]);
            }
        float shrink[2], sum[2] = {0, 0};
#pragma unroll
        for (u32 h = 0; h < 2; h++) {
            most[h] = fmaxf(most[h], __shfl_xor_sync(ALL_LANES, most[h], 1));
            most[h] = fmaxf(most[h], __shfl_xor_sync(ALL_LANES, most[h], 2));
            // Where nothing was seen yet there is nothing to shrink, and minus infinity less itself is no number.
            float to = most[h] == MINUS_INFINITY ? 0.0f : most[h];
            shrink[h] = expf(largest[h] - to);
            largest[h] = most[h];
            most[h] = to;
        }
#pragma unroll
        for (u32 j = 0; j < TILE_P / 8; j++)
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                scores[j][i] = expf(scores[j][i] - most[i / 2]);
                sum[i / 2] += scores[j][i];
            }
#pragma unroll
        for (u32 h = 0; h < 2; h++) {
            sum[h] += __shfl_xor_sync(ALL_LANES, sum[h], 1);
            sum[h] += __shfl_xor_sync(ALL_LANES, sum[h], 2);
            total[h] = total[h] * shrink[h] + sum[h];
        }
#pragma unroll
        for (u32 j = 0; j < DIM_V / 8; j++)
#pragma unroll
            for (u32 i = 0; i < 4; i++) sums[j][i] *= shrink[i / 2];
        // Shares times values: what a product left in registers is laid out as the next one wants its left side.
#pragma unroll
        for (u32 k = 0; k < TILE_P / 16; k++) {
            u32 a[4] = {pair_f16(scores[2 * k][0], scores[2 * k][1]), pair_f16(scores[2 * k][2], scores[2 * k][3]),
                        pair_f16(scores[2 * k + 1][0], scores[2 * k + 1][1]), pair_f16(scores[2 * k + 1][2], scores[2 * k + 1][3])};
#pragma unroll
            for (u32 j = 0; j < DIM_V / 16; j++) {
                u32 b[4];
                load_matrices_transposed(b, (const u16*)tile_v + (k * 16 + lane % 16) * STRIDE_V + j * 16 + lane / 16 * 8);
                mma_f16(sums[2 * j], a, b);
                mma_f16(sums[2 * j + 1], a, b + 2);
            }
        }
    }
#pragma unroll
    for (u32 j = 0; j < DIM_V / 8; j++)
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            u32 r = warp * 16 + lane / 4 + i / 2 * 8, d = j * 8 + lane % 4 * 2 + i % 2;
            if (r < count && d < value_dim)
                out[(u64)(row0 + r) * padded + head * value_dim + d] = (u16)to_bf16(sums[j][i] / total[i / 2]);
        }
}
