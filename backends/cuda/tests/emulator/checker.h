// What the checked build of a kernel reports to: every read and write that the compiler sees (it calls the names of its thread
// sanitizer, which are defined here instead), with the thread that does it. Found are: addresses outside every buffer, memory read
// before anything wrote it, and two threads that touch the same byte, one of them writing, with no barrier between them, or, in
// different blocks, no fence and atomic.
//
// Known gaps: of several readers of a byte in one interval two are remembered, and of atomics only atomicAdd is known.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

namespace checked {

const unsigned NOBODY = 0xffffffffu, PAGE = 512;

// A buffer of the device: where, how long, and one flag a byte: something was put there.
struct Region {
    uintptr_t base, length;
    unsigned char* written;
};

// Who touched a byte last, in this launch.
struct Touch {
    unsigned launch = 0, block = NOBODY, thread = NOBODY, barrier = 0, in_warp = 0, released = 0;
};
struct Byte {
    Touch write, read;
    // Another thread of the block read it in the same interval.
    Touch other;
};
struct Page {
    Byte bytes[PAGE];
};

// What a block knows of others through atomics: up to which release each one's writes are seen.
struct Block {
    unsigned barrier = 0, releases = 0, knowledge = 0;
    std::unordered_map<unsigned, unsigned> known;
    std::vector<unsigned> fenced, in_warp;
    std::vector<unsigned char> unfenced;
};

struct Checker {
    const Region* regions = nullptr;
    size_t count = 0, last = 0;
    uintptr_t shared_begin = 0, shared_end = 0;
    std::vector<unsigned char> shared_written;
    std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages;
    uintptr_t at = ~(uintptr_t)0;
    Page* page = nullptr;
    unsigned launch = 0, block = 0;
    Block mine;
    std::unordered_map<const void*, std::unordered_map<unsigned, unsigned>> atomics;
    char wrong[256] = {0};
};
extern Checker checker;

// Whether this address is on a stack or in the emulator's own memory, and the running thread.
bool own(uintptr_t address);
unsigned thread();

void begin_launch();
void begin_block(unsigned index, unsigned threads);
void barrier();
void warp_barrier(unsigned warp);
void fence();
#ifdef CHECKED
unsigned atomic_add(unsigned* at, unsigned n);
// A copy that may write at any time from now.
void touch_written(void* at, unsigned size);
#else
static inline unsigned atomic_add(unsigned* at, unsigned n) { return (*at += n) - n; }
#endif

}  // namespace checked
