// Attention of single rows, split over the positions they see: softmax(scale * q K^T) V, scores soft-capped, window.
// q (rows, heads * key_dim); keys, values (held sequences, kv_heads, context, dim) as CACHE says (see `rotate`); positions,
// sequences (rows); out (rows, heads * value_dim). A block takes up to GROUP query heads of one key head and one part of the
// positions; the block that ends last puts the parts together, in order.
// partial (rows, heads, gridDim.x, 2 + value_dim): largest score, sum, weighted values; counters (rows, gridDim.y), 0.
// Launch: 128 threads; grid (parts, kv_heads * ceil(heads / kv_heads / GROUP), rows). Heads are at most WIDEST wide.
#define HEAD_THREADS 128
#define WIDEST 256
#define GROUP 8
#define TILE 64

// Eight elements of a head from d; 0 beyond it.
DEVICE void eight_cells(const void* cache, u64 cells, u64 cell, u32 dim, u32 d, float out[8]) {
#pragma unroll
    for (u32 i = 0; i < 8; i++) out[i] = 0;
    if (d >= dim) return;
#if CACHE == 1
    for (u32 i = 0; i < 8 && d + i < dim; i++) out[i] = ((const float*)cache)[cell * dim + d + i];
#elif CACHE == 2
    const u16* from = (const u16*)cache + cell * dim + d;
    if (dim % 8 == 0) {
        uint4 bits = *(const uint4*)from;
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            u32 both = word(bits, i);
            out[2 * i] = from_f16((u16)both), out[2 * i + 1] = from_f16((u16)(both >> 16));
        }
    } else {
        for (u32 i = 0; i < 8 && d + i < dim; i++) out[i] = from_f16(from[i]);
    }
#else
    float scale = from_f16(((const u16*)((const i8*)cache + cells * dim))[cell * (dim / 32) + d / 32]);
    uint2 codes = *(const uint2*)((const i8*)cache + cell * dim + d);
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        out[i] = scale * (float)(i8)(codes.x >> 8 * i);
        out[i + 4] = scale * (float)(i8)(codes.y >> 8 * i);
    }
#endif
}

DEVICE float cell_at(const void* cache, u64 cells, u64 cell, u32 dim, u32 d) {
#if CACHE == 1
    return ((const float*)cache)[cell * dim + d];
#elif CACHE == 2
    return from_f16(((const u16*)cache)[cell * dim + d]);
#else
    float scale = from_f16(((const u16*)((const i8*)cache + cells * dim))[cell * (dim / 32) + d / 32]);
    return scale * (float)((const i8*)cache)[cell * dim + d];
#endif
}

KERNEL(HEAD_THREADS)
attend(const float* q, const void* keys, const void* values, const u32* positions, const u32* sequences, u32 context, u32 held,
       u32 heads, u32 kv_heads, u32 key_dim, u32 value_dim, u32 window, float scale, float cap, float* partial, u32* counters,
       float* out) {
    SHARED float queries[GROUP][WIDEST];
    SHARED float sums[GROUP][WIDEST];
    SHARED float scores[GROUP][TILE];
    SHARED float largest[GROUP], total[GROUP], shrink[GROUP];
    SHARED u32 arrived;
    u32 row = blockIdx.z, of_key = heads / kv_heads, groups = parts(of_key, GROUP);
    u32 kv_head = blockIdx.y / groups, skipped = blockIdx.y % groups * GROUP, mine = least(GROUP, of_key - skipped);
    u32 first_head = kv_head * of_key + skipped;
    // What this row sees, and this block's part of it.
    u32 length = positions[row] + 1, oldest = window && length > window ? length - window : 0;
    u32 part = parts(parts(length - oldest, gridDim.x), TILE) * TILE, active = parts(length - oldest, part);
    if (blockIdx.x >= active) return;
    u32 begin = oldest + blockIdx.x * part, end = least(begin + part, length);
    u64 cells = (u64)held * kv_heads * context, cell = ((u64)sequences[row] * kv_heads + kv_head) * context;

    for (u32 i = threadIdx.x; i < mine * WIDEST; i += HEAD_THREADS) {
        u32 g = i / WIDEST, d = i % WIDEST;
        queries[g][d] = d < key_dim ? q[((u64)row * heads + first_head + g) * key_dim + d] * scale : 0.0f;
        sums[g][d] = 0;
    }
    if (threadIdx.x < GROUP) largest[threadIdx.x] = MINUS_INFINITY, total[threadIdx.x] = 0;
    __syncthreads();

    u32 lane = threadIdx.x % 8, octet = threadIdx.x / 8;
    for (u32 tile = begin; tile < end; tile += TILE) {
        // Scores: eight threads a position.
        for (u32 p = octet; p < TILE; p += HEAD_THREADS / 8) {
            float dots[GROUP];
#pragma unroll
            for (u32 g = 0; g < GROUP; g++) dots[g] = 0;
            if (tile + p < end) {
                for (u32 d = lane * 8; d < key_dim; d += 64) {
                    float key[8];
                    eight_cells(keys, cells, cell + tile + p, key_dim, d, key);
#pragma unroll
                    for (u32 g = 0; g < GROUP; g++) {
                        if (g >= mine) break;
#pragma unroll
                        for (u32 i = 0; i < 8; i++) dots[g] += key[i] * queries[g][d + i];
                    }
                }
            }
#pragma unroll
            for (u32 g = 0; g < GROUP; g++) {
                float dot = dots[g];
                dot += __shfl_xor_sync(ALL_LANES, dot, 1);
                dot += __shfl_xor_sync(ALL_LANES, dot, 2);
                dot += __shfl_xor_sync(ALL_LANES, dot, 4);
                if (lane == 0) scores[g][p] = tile + p < end ? soft_cap(dot, cap) : MINUS_INFINITY;
            }
        }
        __syncthreads();
        // Their exponentials, and how much what was summed before shrinks: a warp a head.
        for (u32 g = warp_id(); g < mine; g += HEAD_THREADS / WARP) {
            float a = scores[g][lane_id()], b = scores[g][lane_id() + WARP];
            float before = largest[g], now = fmaxf(before, warp_max(fmaxf(a, b)));
            a = expf(a - now), b = expf(b - now);
            float sum = warp_sum(a + b);
            scores[g][lane_id()] = a, scores[g][lane_id() + WARP] = b;
            // Exchanges of registers order no memory: every lane has read `largest` before one of them writes it.
            __syncwarp();
            if (lane_id() == 0) {
                shrink[g] = expf(before - now);
                total[g] = total[g] * shrink[g] + sum;
                largest[g] = now;
            }
        }
        __syncthreads();
        // Values: a thread an element of a head.
        u32 count = least(TILE, end - tile);
        for (u32 i = threadIdx.x; i < mine * value_dim; i += HEAD_THREADS) {
            u32 g = i / value_dim, d = i % value_dim;
            float sum = sums[g][d] * shrink[g];
            for (u32 p = 0; p < count; p++) sum += scores[g][p] * cell_at(values, cells, cell + tile + p, value_dim, d);
            sums[g][d] = sum;
        }
        __syncthreads();
    }

    out += ((u64)row * heads + first_head) * value_dim;
    if (active == 1) {
        for (u32 i = threadIdx.x; i < mine * value_dim; i += HEAD_THREADS)
            out[i] = sums[i / value_dim][i % value_dim] / total[i / value_dim];
        return;
    }
    u32 stride = 2 + value_dim;
    partial += ((u64)row * heads + first_head) * gridDim.x * stride;
    for (u32 i = threadIdx.x; i < mine * stride; i += HEAD_THREADS) {
        u32 g = i / stride, d = i % stride;
        float value = d == 0 ? largest[g] : d == 1 ? total[g] : sums[g][d - 2];
        partial[((u64)g * gridDim.x + blockIdx.x) * stride + d] = value;
    }
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) arrived = atomicAdd(&counters[row * gridDim.y + blockIdx.y], 1u);
    __syncthreads();
    if (arrived != active - 1) return;
    __threadfence();
    for (u32 i = threadIdx.x; i < mine * value_dim; i += HEAD_THREADS) {
        const float* parts_of = partial + (u64)(i / value_dim) * gridDim.x * stride;
        float most = MINUS_INFINITY, sum = 0, value = 0;
        for (u32 s = 0; s < active; s++) most = fmaxf(most, __ldcg(&parts_of[s * stride]));
        for (u32 s = 0; s < active; s++) {
            float weight = expf(__ldcg(&parts_of[s * stride]) - most);
            sum += weight * __ldcg(&parts_of[s * stride + 1]);
            value += weight * __ldcg(&parts_of[s * stride + 2 + i % value_dim]);
        }
        out[i] = value / sum;
    }
    if (threadIdx.x == 0) counters[row * gridDim.y + blockIdx.y] = 0;
}
