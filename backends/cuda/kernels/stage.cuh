// Products of a matrix with few rows of activations. A block puts the activations into shared memory once, normalised and
// in 8 bits (or f32 for dense weights); then each warp takes two rows of the matrix at a time, which belong together: a
// rotary pair, a gate and its up, or neighbours. ROWS activations share what is read of the weights.

#ifndef ROWS
#define ROWS 1
#endif
#define THREADS 256
#define WARPS (THREADS / WARP)
// Activations of a row that are staged at once; longer rows take turns.
#define CHUNK (ROWS == 1 ? 4096 : 2048)
#define STAGED (CHUNK / 32)

// kind 0: none; 1: x / sqrt(mean(x^2) + eps) * weight; 2: (x - mean) / sqrt(variance + eps) * weight + bias.
struct Norm {
    const float* weight;
    const float* bias;
    float eps;
    u32 kind;
};

// The activations of a launch: (rows, cols) in f32.
struct Input {
    const float* x;
    u32 cols, rows;
    // Which row of x is row i; null: row i itself.
    const u32* chosen;
    Norm norm;

    METHOD u32 first_row() { return blockIdx.y * ROWS; }
    __device__ __forceinline__ const float* row(u32 r) const {
        u32 at = first_row() + r;
        if (at >= rows) return nullptr;
        return x + (u64)(chosen ? chosen[at] : at) * cols;
    }
};

template <bool WANTED>
struct Integers {
    int4 low[ROWS][STAGED], high[ROWS][STAGED];
    float scale[ROWS][STAGED], sum[ROWS][STAGED];
};
template <>
struct Integers<false> {};

// Part p holds activations 4 p to 4 p + 3 of every unit, so that neighbouring lanes read neighbouring addresses.
template <bool WANTED>
struct Floats {
    float4 part[ROWS][8][STAGED];
};
template <>
struct Floats<false> {};

// Shared memory of a block.
template <bool INT8, bool FLOAT>
struct Stage {
    Integers<INT8> integers;
    Floats<FLOAT> floats;
    float centre[ROWS], factor[ROWS], room[WARPS];
};

// What a norm takes off every row, and multiplies it by.
template <bool INT8, bool FLOAT>
DEVICE void statistics(Stage<INT8, FLOAT>& stage, const Input& in) {
    for (u32 r = 0; r < ROWS; r++) {
        const float* x = in.row(r);
        float centre = 0, factor = 1;
        if (in.norm.kind == 2) {
            float sum = 0;
            if (x)
                for (u32 i = threadIdx.x; i < in.cols; i += THREADS) sum += x[i];
            centre = block_sum<THREADS>(sum, stage.room) / (float)in.cols;
        }
        if (in.norm.kind != 0) {
            float square = 0;
            if (x)
                for (u32 i = threadIdx.x; i < in.cols; i += THREADS) square += (x[i] - centre) * (x[i] - centre);
            factor = 1.0f / sqrtf(block_sum<THREADS>(square, stage.room) / (float)in.cols + in.norm.eps);
        }
        if (threadIdx.x == 0) stage.centre[r] = centre, stage.factor[r] = factor;
    }
}

// Eight activations of a row from column c, normalised; 0 beyond the row.
template <bool INT8, bool FLOAT>
DEVICE void eight_of(const Stage<INT8, FLOAT>& stage, const Input& in, u32 r, u32 c, float out[8]) {
    const float* x = in.row(r);
#pragma unroll
    for (u32 i = 0; i < 8; i++) out[i] = 0;
    if (!x || c >= in.cols) return;
    if (in.cols % 4 == 0 && c + 8 <= in.cols) {
        float4 a = *(const float4*)(x + c), b = *(const float4*)(x + c + 4);
        out[0] = a.x, out[1] = a.y, out[2] = a.z, out[3] = a.w;
        out[4] = b.x, out[5] = b.y, out[6] = b.z, out[7] = b.w;
    } else {
        for (u32 i = 0; i < 8; i++)
            if (c + i < in.cols) out[i] = x[c + i];
    }
    if (in.norm.kind == 0) return;
    float centre = stage.centre[r], factor = stage.factor[r];
#pragma unroll
    for (u32 i = 0; i < 8; i++) {
        if (c + i >= in.cols) break;
        out[i] = (out[i] - centre) * factor * in.norm.weight[c + i] + (in.norm.bias ? in.norm.bias[c + i] : 0.0f);
    }
}

// Stages units first to first + count of every row. Four threads make a unit.
template <bool INT8, bool FLOAT>
DEVICE void fill(Stage<INT8, FLOAT>& stage, const Input& in, u32 first, u32 count) {
    __syncthreads();
    u32 all = ROWS * count;
    for (u32 base = 0; base < all; base += THREADS / 4) {
        // Threads beyond the end take part in the exchanges: they make the last unit again, and keep it to themselves.
        u32 at = least(base + threadIdx.x / 4, all - 1), r = at / count, u = at % count, p = threadIdx.x % 4;
        bool kept = base + threadIdx.x / 4 < all;
        float x[8];
        eight_of(stage, in, r, (first + u) * 32 + p * 8, x);
        if constexpr (FLOAT) {
            if (kept) {
                stage.floats.part[r][2 * p][u] = make_float4(x[0], x[1], x[2], x[3]);
                stage.floats.part[r][2 * p + 1][u] = make_float4(x[4], x[5], x[6], x[7]);
            }
        }
        if constexpr (INT8) {
            float most = 0;
#pragma unroll
            for (u32 i = 0; i < 8; i++) most = fmaxf(most, fabsf(x[i]));
            most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 1));
            most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 2));
            float scale = most / 127.0f, inverse = most > 0 ? 127.0f / most : 0.0f;
            u32 codes[2] = {0, 0};
            int sum = 0;
#pragma unroll
            for (u32 i = 0; i < 8; i++) {
                int code = (int)rintf(x[i] * inverse);
                sum += code;
                codes[i / 4] |= (u32)(code & 255) << (i % 4 * 8);
            }
            sum += __shfl_xor_sync(ALL_LANES, sum, 1);
            sum += __shfl_xor_sync(ALL_LANES, sum, 2);
            if (!kept) continue;
            int4* half = p < 2 ? &stage.integers.low[r][u] : &stage.integers.high[r][u];
            ((uint2*)half)[p % 2] = make_uint2(codes[0], codes[1]);
            if (p == 0) stage.integers.scale[r][u] = scale, stage.integers.sum[r][u] = scale * (float)sum;
        }
    }
    __syncthreads();
}

// One unit against the staged activations of row r.
template <typename F, bool INT8, bool FLOAT>
DEVICE float unit_dot(const typename F::Unit& w, const Stage<INT8, FLOAT>& stage, u32 r, u32 u) {
    if constexpr (F::DENSE) {
        float sum = 0;
#pragma unroll
        for (u32 p = 0; p < 8; p++) {
            float4 a = F::four(w, p), x = stage.floats.part[r][p][u];
            sum += a.x * x.x + a.y * x.y + a.z * x.z + a.w * x.w;
        }
        return sum;
    } else {
        Quantised q = {stage.integers.low[r][u], stage.integers.high[r][u], stage.integers.scale[r][u],
                       stage.integers.sum[r][u]};
        return F::dot_int8(w, q);
    }
}

// A matrix: its planes, the number of its units, and of a row's.
struct Matrix {
    const u8* planes;
    u64 units;
    u32 row_units;

    static __device__ __forceinline__ Matrix of(const u8* planes, u32 rows, u32 cols) {
        u32 row_units = parts(cols, 32);
        return {planes, (u64)rows * row_units, row_units};
    }
};

// Staged units first to first + count of rows i of one matrix and j of another, added to this lane's sums.
template <typename F, typename G, bool INT8, bool FLOAT>
DEVICE void dot_pair(const Stage<INT8, FLOAT>& stage, const Matrix& a, u32 i, const Matrix& b, u32 j, u32 first,
                     u32 count, float x[ROWS], float y[ROWS]) {
    u64 at = (u64)i * a.row_units + first, bt = (u64)j * b.row_units + first;
    // Dense units fill the registers one at a time.
    const int together = F::DENSE || G::DENSE ? 1 : 2;
#pragma unroll together
    for (u32 u = lane_id(); u < count; u += WARP) {
        typename F::Unit v = F::load(a.planes, a.units, at + u);
        typename G::Unit w = G::load(b.planes, b.units, bt + u);
#pragma unroll
        for (u32 r = 0; r < ROWS; r++) {
            x[r] += unit_dot<F>(v, stage, r, u);
            y[r] += unit_dot<G>(w, stage, r, u);
        }
    }
}

// Every pair of rows a kernel is to compute. Work has dot(stage, pair, first, count, x, y) and finish(pair, row, x, y).
template <bool INT8, bool FLOAT, typename Work>
DEVICE void all_pairs(Stage<INT8, FLOAT>& stage, const Input& in, u32 count, Work& work) {
    u32 units = parts(in.cols, 32);
    statistics(stage, in);
    if (units <= STAGED) fill(stage, in, 0, units);
    for (u32 base = blockIdx.x * WARPS; base < count; base += gridDim.x * WARPS) {
        u32 pair = base + warp_id();
        float x[ROWS], y[ROWS];
#pragma unroll
        for (u32 r = 0; r < ROWS; r++) x[r] = y[r] = 0;
        for (u32 first = 0; first < units; first += STAGED) {
            u32 staged = least(STAGED, units - first);
            if (units > STAGED) fill(stage, in, first, staged);
            if (pair < count) work.dot(stage, pair, first, staged, x, y);
        }
#pragma unroll
        for (u32 r = 0; r < ROWS; r++) {
            float a = warp_sum(x[r]), b = warp_sum(y[r]);
            u32 row = Input::first_row() + r;
            if (lane_id() == r && pair < count && row < in.rows) work.finish(pair, row, a, b);
        }
    }
}
