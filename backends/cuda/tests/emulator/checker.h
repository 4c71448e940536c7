// What the checked build of a kernel reports to: every read and write that the compiler sees (it calls the names of its thread
// sanitizer, which are defined here instead), with the thread that does it. Found are: addresses outside every buffer, memory read
// before anything wrote it, and two threads that touch the same byte, one of them writing, with no barrier between them, or, in
// different blocks, no fence and atomic.
//
// Known gaps: of several readers of a byte in one interval two are remembered, and of atomics only atomicAdd is known.
#pragma once
#include <cstddef>
#include <cstdint>

namespace checked {

// A buffer of the device: where, how long, and one flag a byte: something was put there.
struct Region {
    uintptr_t base, length;
    unsigned char* written;
};

// Whether this address is on a stack or in the emulator's own memory, and the running thread.
bool own(uintptr_t address);
unsigned thread();

// The buffers and the shared memory that there are.
void begin_launch(const Region* regions, size_t count, const void* shared_begin, const void* shared_end);
void begin_block(unsigned index, unsigned threads);
// What is wrong, or null.
const char* wrong();
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
