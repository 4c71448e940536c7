// What every kernel stands on: number types, conversions, sums over warps and blocks, the tensor cores' instructions.
// No header is included. Where EMULATED is defined the same names come from the emulator's shim, compiled for the host.

typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define WARP 32
#define ALL_LANES 0xffffffffu
#define MINUS_INFINITY __uint_as_float(0xff800000u)
#define DEVICE __device__ __forceinline__
// Functions of a type.
#define METHOD static __device__ __forceinline__

#ifndef EMULATED

// Two blocks a processor at least: left to itself the compiler spills registers to make room for more.
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 2)
#define SHARED __shared__

// f16 bits to f32, exactly.
DEVICE float from_f16(u16 bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

// f32 to f16 bits, to nearest even.
DEVICE u16 to_f16(float value) {
    u16 bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

// Over the lanes of a warp, for all of them.
DEVICE float warp_sum(float x) {
#pragma unroll
    for (u32 step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(ALL_LANES, x, step);
    return x;
}

DEVICE float warp_max(float x) {
#pragma unroll
    for (u32 step = WARP / 2; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, step));
    return x;
}

// D += A B of 16 x 8 x 16 in bf16 with f32 sums; fragments as PTX's mma.m16n8k16 lays them out.
DEVICE void mma_bf16(float d[4], const u32 a[4], const u32 b[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// As mma_bf16, in f16.
DEVICE void mma_f16(float d[4], const u32 a[4], const u32 b[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// As mma_bf16, of 16 x 8 x 32 in 8 bits with 32-bit sums.
DEVICE void mma_int8(int d[4], const u32 a[4], const u32 b[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Four 8 x 8 matrices of 16-bit elements; lanes 8 i to 8 i + 7 give the addresses of the rows of matrix i, in shared memory.
DEVICE void load_matrices(u32 out[4], const void* row) {
    u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address) : "memory");
}

// As load_matrices, each matrix transposed.
DEVICE void load_matrices_transposed(u32 out[4], const void* row) {
    u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address) : "memory");
}

// Sixteen bytes from global to shared memory without registers, complete after copies_done.
DEVICE void copy_16(void* shared, const void* global) {
#if __CUDA_ARCH__ >= 800
    u32 address = (u32)__cvta_generic_to_shared(shared);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global) : "memory");
#else
    *(uint4*)shared = *(const uint4*)global;
#endif
}

DEVICE void copies_done() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group; \n cp.async.wait_group 0;" ::: "memory");
#endif
}

#endif

// f32 to bf16 bits, to nearest even; infinities and NaN stay.
DEVICE u32 to_bf16(float value) {
    u32 bits = __float_as_uint(value);
    if ((bits & 0x7f800000u) == 0x7f800000u) return bits >> 16 | ((bits & 0xffffu) != 0);
    return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}

DEVICE float from_bf16(u32 bits) { return __uint_as_float(bits << 16); }

// Two values in one register, the first in the lower half.
DEVICE u32 pair_bf16(float a, float b) { return to_bf16(a) | to_bf16(b) << 16; }
DEVICE u32 pair_f16(float a, float b) { return (u32)to_f16(a) | (u32)to_f16(b) << 16; }

DEVICE u32 lane_id() { return threadIdx.x % WARP; }
DEVICE u32 warp_id() { return threadIdx.x / WARP; }
DEVICE u32 least(u32 a, u32 b) { return a < b ? a : b; }
DEVICE u32 parts(u32 whole, u32 part) { return (whole + part - 1) / part; }

// The sum over a block of THREADS threads, for all of them. `room` is shared memory for one number a warp.
template <u32 THREADS>
DEVICE float block_sum(float x, float* room) {
    x = warp_sum(x);
    __syncthreads();
    if (lane_id() == 0) room[warp_id()] = x;
    __syncthreads();
    float sum = 0;
#pragma unroll
    for (u32 i = 0; i < THREADS / WARP; i++) sum += room[i];
    return sum;
}

// x, nearly, where x is small, never beyond the cap; 0 means no cap.
DEVICE float soft_cap(float x, float cap) { return cap == 0 ? x : cap * tanhf(x / cap); }

// What is done between the two products of a feed-forward block: 0 SiLU, 1 GELU by its tanh formula.
DEVICE float activate(float x, u32 kind) {
    if (kind == 0) return x / (1.0f + expf(-x));
    return 0.5f * x * (1.0f + tanhf(0.7978845608f * x * (1.0f + 0.044715f * x * x)));
}
