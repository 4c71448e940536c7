// Norms of heads, rotary embedding and the cache's new rows, where they are not fused with the products: one head a block.
// q (rows, heads * key_dim) in place; k (rows, kv_heads * key_dim), v (rows, kv_heads * value_dim) into the cache,
// (sequences, kv_heads, context, dim): CACHE 1 f32, 2 f16, 3 eight bits, whose f16 scales, one per 32 elements, lie behind
// all of them. head_norm 0 none, 1 one weight (key_dim) for all heads, 2 one for each; norm as in `normalise`.
// Launch: 128 threads; grid (heads + 2 kv_heads, rows). Heads are at most WIDEST wide.
#define HEAD_THREADS 128
#define WIDEST 512

DEVICE void keep(void* out, u64 cells, u64 cell, u32 dim, const float* head) {
    for (u32 base = 0; base < dim; base += HEAD_THREADS) {
        u32 i = base + threadIdx.x;
        float value = i < dim ? head[i] : 0.0f;
#if CACHE == 1
        if (i < dim) ((float*)out)[cell * dim + i] = value;
#elif CACHE == 2
        if (i < dim) ((u16*)out)[cell * dim + i] = to_f16(value);
#else
        // A warp holds one block of 32.
        float most = warp_max(fabsf(value));
        u16 bits = to_f16(most / 127.0f);
        float scale = from_f16(bits);
        float code = scale > 0 ? rintf(value / scale) : 0.0f;
        if (i < dim) {
            ((i8*)out)[cell * dim + i] = (i8)fminf(fmaxf(code, -127.0f), 127.0f);
            if (i % 32 == 0) ((u16*)((i8*)out + cells * dim))[cell * (dim / 32) + i / 32] = bits;
        }
#endif
    }
}

KERNEL(HEAD_THREADS)
rotate(float* q, const float* k, const float* v, u32 heads, u32 kv_heads, u32 key_dim, u32 value_dim, u32 head_norm,
       const float* q_weight, const float* k_weight, float eps, u32 norm, const float2* turns, u32 turned, u32 style,
       const float* temperature, const u32* positions, const u32* sequences, u32 context, u32 held, void* keys, void* values) {
    SHARED float head[WIDEST];
    SHARED float room[HEAD_THREADS / WARP];
    u32 row = blockIdx.y, at = blockIdx.x, position = positions[row];
    u32 part = at < heads ? 0 : at < heads + kv_heads ? 1 : 2;
    u32 index = part == 0 ? at : part == 1 ? at - heads : at - heads - kv_heads, dim = part == 2 ? value_dim : key_dim;
    u32 all = part == 0 ? heads : kv_heads;
    const float* from = (part == 0 ? q : part == 1 ? k : v) + ((u64)row * all + index) * dim;
    for (u32 i = threadIdx.x; i < dim; i += HEAD_THREADS) head[i] = from[i];
    if (part != 2 && head_norm != 0) {
        float centre = 0, sum = 0;
        if (norm == 2) {
            for (u32 i = threadIdx.x; i < dim; i += HEAD_THREADS) sum += head[i];
            centre = block_sum<HEAD_THREADS>(sum, room) / (float)dim;
        }
        sum = 0;
        for (u32 i = threadIdx.x; i < dim; i += HEAD_THREADS) sum += (head[i] - centre) * (head[i] - centre);
        float factor = 1.0f / sqrtf(block_sum<HEAD_THREADS>(sum, room) / (float)dim + eps);
        const float* weight = (part == 0 ? q_weight : k_weight) + (head_norm == 2 ? index * dim : 0);
        for (u32 i = threadIdx.x; i < dim; i += HEAD_THREADS) head[i] = (head[i] - centre) * factor * weight[i];
    }
    __syncthreads();
    if (part != 2) {
        for (u32 i = threadIdx.x; i < turned; i += HEAD_THREADS) {
            float2 turn = turns[(u64)position * turned + i];
            u32 first = style == 1 ? i : 2 * i, second = style == 1 ? i + turned : 2 * i + 1;
            float a = head[first], b = head[second];
            head[first] = a * turn.x - b * turn.y;
            head[second] = a * turn.y + b * turn.x;
        }
        __syncthreads();
    }
    if (part == 0) {
        float scale = temperature ? temperature[position] : 1.0f;
        float* out = q + ((u64)row * heads + index) * dim;
        for (u32 i = threadIdx.x; i < dim; i += HEAD_THREADS) out[i] = head[i] * scale;
        return;
    }
    u64 cell = ((u64)sequences[row] * kv_heads + index) * context + position;
    keep(part == 1 ? keys : values, (u64)held * kv_heads * context, cell, dim, head);
}
