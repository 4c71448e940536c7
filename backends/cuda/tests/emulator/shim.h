// The kernels' world on a host: every thread of a block is a coroutine with a stack of its own, barriers and exchanges
// between lanes yield to the next, and the tensor cores' instructions are computed by their definitions. Blocks run one
// after the other, in an order that a seed chooses, as it does for the warps between two barriers and the lanes between two
// exchanges. Shared memory begins as NaN. What hangs or breaks a GPU is an error here: lanes that end or wait elsewhere while
// others exchange, threads at different barriers, copies that nobody waits for. With CHECKED, see checker.h too.
#pragma once
#define EMULATED 1
#include "checker.h"
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
// In a section of its own, so that it is known where it lies.
#define SHARED static __attribute__((section("emulated_shared")))
// The launch is checked against the number the kernel was written for.
#define KERNEL(threads) static const unsigned declared_threads = threads; extern "C" void

struct uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct Three { unsigned x, y, z; };
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

extern char __start_emulated_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_emulated_shared[] __attribute__((weak, visibility("hidden")));

namespace emulated {

#ifdef CHECKED
const bool IS_CHECKED = true;
const unsigned STACK = 64 << 10;
#else
const bool IS_CHECKED = false;
const unsigned STACK = 32 << 10;
#endif
const unsigned LANES = 32;

struct Exchange {
    unsigned a[4], b[2];
    const void* pointer;
};

// Sixteen bytes on their way to shared memory.
struct Copy {
    uint4 value;
    void* to;
};

struct Lane {
    void* stack_pointer;
    bool done, waiting;
    Three thread;
    // The line of the barrier it waits at.
    unsigned line;
    Copy copies[16];
    unsigned copied;
};

struct Warp {
    unsigned arrived, generation;
    Exchange slots[2][LANES];
};

struct State {
    Lane* lanes;
    std::vector<Lane> all_lanes;
    std::vector<Warp> warps;
    char* stacks;
    size_t stack_bytes;
    void* scheduler;
    Lane* self;
    Three block, grid, threads;
    unsigned long long events, seed;
    void (*body)(void*);
    void* arguments;
};
static State state;

#if defined(__x86_64__)
// Saves what a called function must keep, and takes up another stack where it left off.
extern "C" void emulated_switch(void** from, void* to);
asm(R"(
.text
.hidden emulated_switch
.globl emulated_switch
.type emulated_switch, @function
emulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulated_switch, .-emulated_switch
)");

static inline void yield() { emulated_switch(&state.self->stack_pointer, state.scheduler); }

static void begin() {
    state.body(state.arguments);
    state.self->done = true;
    state.events++;
    yield();
    abort();
}

static void prepare(Lane& lane, char* top) {
    void** sp = (void**)((uintptr_t)top & ~(uintptr_t)15);
    *--sp = nullptr;
    *--sp = (void*)begin;
    for (int i = 0; i < 6; i++) *--sp = nullptr;
    lane.stack_pointer = sp;
}

static inline void resume(Lane& lane) {
    state.self = &lane;
    emulated_switch(&state.scheduler, lane.stack_pointer);
    state.self = nullptr;
}
#else
#error "the emulator switches stacks on x86-64 only"
#endif

// The next number of the schedule; 0 always, where its seed is 0.
static inline unsigned draw() {
    state.seed ^= state.seed << 13, state.seed ^= state.seed >> 7, state.seed ^= state.seed << 17;
    return (unsigned)(state.seed >> 32);
}

// An order of the numbers below count.
static inline void shuffle(std::vector<unsigned>& order, unsigned count) {
    order.resize(count);
    for (unsigned i = 0; i < count; i++) order[i] = i;
    for (unsigned i = count; state.seed && i > 1; i--) std::swap(order[i - 1], order[draw() % i]);
}

// Gives what this lane has to all lanes of its warp; returns the slots, filled. Of the exchanges only __syncwarp orders memory.
static inline const Exchange* exchange(const Exchange& mine, bool orders = false) {
    unsigned id = state.self->thread.x;
    Warp& warp = state.warps[id / LANES];
    unsigned generation = warp.generation;
    Exchange* slots = warp.slots[generation & 1];
    slots[id % LANES] = mine;
    state.events++;
    if (++warp.arrived == LANES) {
        warp.arrived = 0;
        warp.generation++;
        if (IS_CHECKED && orders) checked::warp_barrier(id / LANES);
    } else {
        while (warp.generation == generation) yield();
    }
    return slots;
}

template <typename T>
static inline T from_lane(T value, unsigned source) {
    static_assert(sizeof(T) == 4, "one register");
    Exchange mine;
    memcpy(&mine.a[0], &value, 4);
    const Exchange* slots = exchange(mine);
    memcpy(&value, &slots[source % LANES].a[0], 4);
    return value;
}

// Runs one block; null, or what is wrong with the kernel.
static const char* run_block() {
    unsigned count = state.threads.x;
    for (unsigned i = 0; i < count; i++) {
        Lane& lane = state.lanes[i];
        lane.done = lane.waiting = false;
        lane.thread = {i, 0, 0};
        lane.copied = 0;
        prepare(lane, state.stacks + (size_t)(i + 1) * STACK);
    }
    for (Warp& warp : state.warps) warp.arrived = warp.generation = 0;
    // A reader of what nobody wrote computes with NaN.
    memset(__start_emulated_shared, 0xff, __stop_emulated_shared - __start_emulated_shared);
    std::vector<unsigned> warps;
    for (;;) {
        shuffle(warps, count / LANES);
        for (unsigned w : warps) {
            Lane* lanes = state.lanes + w * LANES;
            unsigned turn = draw() % LANES;
            for (;;) {
                unsigned idle = 0;
                unsigned long long before = state.events;
                for (unsigned i = 0; i < LANES; i++) {
                    Lane& lane = lanes[i ^ turn];
                    if (lane.done || lane.waiting) idle++;
                    else resume(lane);
                }
                if (idle == LANES) break;
                if (state.events == before) return "lanes of a warp exchange while others ended or wait at a barrier";
            }
        }
        const Lane* first = nullptr;
        for (unsigned i = 0; i < count; i++) {
            Lane& lane = state.lanes[i];
            if (lane.done && lane.copied) return "a thread ends without waiting for its copies";
            if (!lane.waiting) continue;
            if (!first) first = &lane;
            if (lane.line != first->line) return "threads of a block wait at different barriers";
            lane.waiting = false;
        }
        if (!first) return nullptr;
        if (IS_CHECKED) checked::barrier();
    }
}

template <typename... A, size_t... I>
static void apply(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*(A*)arguments[I]...);
}

template <typename... A>
static void call(void (*kernel)(A...), void** arguments) {
    apply(kernel, arguments, std::index_sequence_for<A...>{});
}

template <typename T> struct Letter { static const char value = sizeof(T) == 4 ? 'u' : '?'; };
template <typename T> struct Letter<T*> { static const char value = 'p'; };
template <> struct Letter<float> { static const char value = 'f'; };

// One letter a parameter: p address, u count, f real.
template <typename... A>
static const char* letters(void (*)(A...)) {
    static const char text[] = {Letter<A>::value..., 0};
    return text;
}

}  // namespace emulated

#define threadIdx (emulated::state.self->thread)
#define blockIdx (emulated::state.block)
#define gridDim (emulated::state.grid)
#define blockDim (emulated::state.threads)

namespace emulated {
static inline void barrier(unsigned line) {
    state.self->line = line;
    state.self->waiting = true;
    state.events++;
    yield();
}
}  // namespace emulated
#define __syncthreads() emulated::barrier(__LINE__)
template <typename T>
static inline T __shfl_xor_sync(unsigned, T value, unsigned mask) {
    return emulated::from_lane(value, threadIdx.x % 32 ^ mask);
}
template <typename T>
static inline T __shfl_sync(unsigned, T value, unsigned lane) { return emulated::from_lane(value, lane); }
// Both add in the order of the GPU's butterfly, of one exchange instead of five.
namespace emulated {
template <typename Join>
static inline float over_lanes(float x, Join join) {
    Exchange mine;
    memcpy(&mine.a[0], &x, 4);
    const Exchange* slots = exchange(mine);
    float values[LANES];
    for (unsigned i = 0; i < LANES; i++) memcpy(&values[i], &slots[i].a[0], 4);
    for (unsigned step = LANES / 2; step > 0; step /= 2)
        for (unsigned i = 0; i < step; i++) values[i] = join(values[i], values[i + step]);
    return values[0];
}
}  // namespace emulated
static inline float warp_sum(float x) { return emulated::over_lanes(x, [](float a, float b) { return a + b; }); }
static inline float warp_max(float x) { return emulated::over_lanes(x, [](float a, float b) { return fmaxf(a, b); }); }
static inline void __syncwarp() { emulated::exchange({}, true); }
static inline void __threadfence() {
    if (emulated::IS_CHECKED) checked::fence();
}
static inline unsigned atomicAdd(unsigned* at, unsigned n) { return checked::atomic_add(at, n); }
template <typename T> static inline T __ldcg(const T* at) { return *at; }
static inline unsigned __float_as_uint(float x) { unsigned u; memcpy(&u, &x, 4); return u; }
static inline float __uint_as_float(unsigned u) { float x; memcpy(&x, &u, 4); return x; }
static inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; i++) c += (int)(signed char)(a >> 8 * i) * (int)(signed char)(b >> 8 * i);
    return c;
}

// By the format's definition, bit by bit.
static inline float from_f16(unsigned short bits) {
    unsigned sign = (unsigned)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) return __uint_as_float(sign | __float_as_uint((float)fraction * 5.9604644775390625e-8f));
    return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
}
static inline unsigned short to_f16(float x) {
    unsigned bits = __float_as_uint(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    if (rest > 0x7f800000) return (unsigned short)(sign | 0x7e00);
    if (rest >= 0x477ff000) return (unsigned short)(sign | 0x7c00);
    if (rest < 0x38800000) return (unsigned short)(sign | (unsigned)nearbyintf(__uint_as_float(rest) * 16777216.0f));
    return (unsigned short)(sign | (rest + 0xfff + (rest >> 13 & 1) - 0x38000000) >> 13);
}

namespace emulated {
template <typename Widen>
static inline void mma(float d[4], const unsigned a[4], const unsigned b[2], Widen widen) {
    Exchange mine;
    memcpy(mine.a, a, 16);
    memcpy(mine.b, b, 8);
    const Exchange* slots = exchange(mine);
    unsigned group = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
    for (unsigned i = 0; i < 4; i++) {
        unsigned row = group + i / 2 * 8, column = 2 * member + i % 2;
        float sum = 0;
        for (unsigned k = 0; k < 16; k++) {
            // Fragments as PTX ISA's figures of mma.m16n8k16 have them.
            const Exchange& of_a = slots[row % 8 * 4 + k % 8 / 2];
            const Exchange& of_b = slots[column * 4 + k % 8 / 2];
            unsigned x = of_a.a[row / 8 + k / 8 * 2] >> k % 2 * 16, y = of_b.b[k / 8] >> k % 2 * 16;
            sum += widen((unsigned short)x) * widen((unsigned short)y);
        }
        d[i] += sum;
    }
}
static inline void matrices(unsigned out[4], const void* row, bool transposed) {
    Exchange mine;
    mine.pointer = row;
    const Exchange* slots = exchange(mine);
    unsigned lane = threadIdx.x % 32;
    for (unsigned m = 0; m < 4; m++) {
        if (!transposed) {
            memcpy(&out[m], (const char*)slots[m * 8 + lane / 4].pointer + lane % 4 * 4, 4);
        } else {
            const unsigned short* first = (const unsigned short*)slots[m * 8 + lane % 4 * 2].pointer;
            const unsigned short* second = (const unsigned short*)slots[m * 8 + lane % 4 * 2 + 1].pointer;
            out[m] = first[lane / 4] | (unsigned)second[lane / 4] << 16;
        }
    }
}
}  // namespace emulated

static inline void mma_bf16(float d[4], const unsigned a[4], const unsigned b[2]) {
    emulated::mma(d, a, b, [](unsigned short x) { return __uint_as_float((unsigned)x << 16); });
}
static inline void mma_f16(float d[4], const unsigned a[4], const unsigned b[2]) {
    emulated::mma(d, a, b, [](unsigned short x) { return from_f16(x); });
}
static inline void mma_int8(int d[4], const unsigned a[4], const unsigned b[2]) {
    emulated::Exchange mine;
    memcpy(mine.a, a, 16);
    memcpy(mine.b, b, 8);
    const emulated::Exchange* slots = emulated::exchange(mine);
    unsigned group = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 32; k += 4) {
            const emulated::Exchange& of_a = slots[group * 4 + k % 16 / 4];
            const emulated::Exchange& of_b = slots[(2 * member + i % 2) * 4 + k % 16 / 4];
            d[i] = __dp4a((int)of_a.a[i / 2 + k / 16 * 2], (int)of_b.b[k / 16], d[i]);
        }
}
static inline void load_matrices(unsigned out[4], const void* row) { emulated::matrices(out, row, false); }
static inline void load_matrices_transposed(unsigned out[4], const void* row) { emulated::matrices(out, row, true); }
// The bytes arrive when they are waited for, no sooner.
static inline void copy_16(void* shared, const void* global) {
    emulated::Lane& lane = *emulated::state.self;
    if (lane.copied == 16) abort();
    lane.copies[lane.copied++] = {*(const uint4*)global, shared};
#ifdef CHECKED
    // They may as well arrive at once, and overwrite what others still read.
    checked::touch_written(shared, 16);
#endif
}
static inline void copies_done() {
    emulated::Lane& lane = *emulated::state.self;
    for (unsigned i = 0; i < lane.copied; i++) *(uint4*)lane.copies[i].to = lane.copies[i].value;
    lane.copied = 0;
}
