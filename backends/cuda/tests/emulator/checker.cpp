// See checker.h. Compiled without the sanitizer, so that nothing here is checked in turn.
#define CHECKED
#include "checker.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

namespace checked {

const unsigned NOBODY = 0xffffffffu, PAGE = 512;

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
static Checker checker;

static void report(const char* what, uintptr_t address, const Touch* before) {
    if (checker.wrong[0]) return;
    const char* place = address >= checker.shared_begin && address < checker.shared_end ? "shared memory" : "a buffer";
    uintptr_t at = place[0] == 's' ? address - checker.shared_begin : address;
    for (size_t i = 0; i < checker.count && place[0] == 'a'; i++)
        if (address - checker.regions[i].base < checker.regions[i].length) at = address - checker.regions[i].base;
    int n = snprintf(checker.wrong, sizeof checker.wrong, "block %u thread %u %s, byte %llu of %s", checker.block, thread(), what,
                     (unsigned long long)at, place);
    if (before && n > 0)
        snprintf(checker.wrong + n, sizeof checker.wrong - n, ", which block %u thread %u touched", before->block, before->thread);
}

static Byte& byte_of(uintptr_t address) {
    uintptr_t number = address / PAGE;
    if (number != checker.at) {
        auto& page = checker.pages[number];
        if (!page) page = std::make_unique<Page>();
        checker.at = number, checker.page = page.get();
    }
    return checker.page->bytes[address % PAGE];
}

static const Region* region_of(uintptr_t address, unsigned size) {
    if (checker.last < checker.count) {
        const Region& region = checker.regions[checker.last];
        if (address - region.base < region.length && address + size - region.base <= region.length) return &region;
    }
    for (size_t i = 0; i < checker.count; i++) {
        const Region& region = checker.regions[i];
        if (address - region.base < region.length && address + size - region.base <= region.length) {
            checker.last = i;
            return &region;
        }
    }
    return nullptr;
}

// Whether a touch of before and one now are in an order that the kernel forced.
static bool ordered(const Touch& before, unsigned now, bool shared) {
    if (before.launch != checker.launch || before.block == NOBODY) return true;
    const Block& mine = checker.mine;
    if (before.block != checker.block) {
        // Shared memory is each block's own, though it lies at the same address here.
        if (shared) return true;
        auto known = mine.known.find(before.block);
        return mine.fenced[now] == mine.knowledge && known != mine.known.end() && before.released < known->second;
    }
    if (before.thread == now || before.barrier != mine.barrier) return true;
    return before.thread / 32 == now / 32 && before.in_warp != mine.in_warp[now / 32];
}

static Touch touch(unsigned now) {
    return {checker.launch, checker.block, now, checker.mine.barrier, checker.mine.in_warp[now / 32], checker.mine.releases};
}

static void access(uintptr_t address, unsigned size, bool write) {
    static bool busy = false;
    if (busy) return;
    struct Busy {
        Busy() { busy = true; }
        ~Busy() { busy = false; }
    } here;
    if (own(address)) return;
    bool shared = address >= checker.shared_begin && address + size <= checker.shared_end;
    const Region* region = shared ? nullptr : region_of(address, size);
    if (!shared && !region) {
        report(write ? "writes outside every buffer" : "reads outside every buffer", address, nullptr);
        return;
    }
    unsigned char* written = shared ? &checker.shared_written[address - checker.shared_begin]
                                    : &region->written[address - region->base];
    unsigned now = thread();
    for (unsigned i = 0; i < size; i++) {
        Byte& byte = byte_of(address + i);
        if (write) {
            if (!ordered(byte.write, now, shared)) report("writes without a barrier", address + i, &byte.write);
            if (!ordered(byte.read, now, shared)) report("writes without a barrier", address + i, &byte.read);
            if (!ordered(byte.other, now, shared)) report("writes without a barrier", address + i, &byte.other);
            byte.write = touch(now), written[i] = 1;
            if (!shared) checker.mine.unfenced[now] = 1;
        } else {
            if (!written[i]) report("reads what nothing wrote", address + i, nullptr);
            if (!ordered(byte.write, now, shared)) report("reads without a barrier", address + i, &byte.write);
            if (byte.read.thread != now && !ordered(byte.read, now, shared)) byte.other = byte.read;
            byte.read = touch(now);
        }
    }
}

void begin_launch(const Region* regions, size_t count, const void* shared_begin, const void* shared_end) {
    checker.regions = regions, checker.count = count, checker.last = 0;
    checker.shared_begin = (uintptr_t)shared_begin, checker.shared_end = (uintptr_t)shared_end;
    checker.launch++;
    checker.atomics.clear();
    checker.wrong[0] = 0;
}

void begin_block(unsigned index, unsigned threads) {
    checker.block = index;
    Block& mine = checker.mine;
    // Numbers of barriers go on, so that shared memory of the block before is never of this interval.
    mine.barrier++;
    mine.releases = mine.knowledge = 0;
    mine.known.clear();
    mine.fenced.assign(threads, 0);
    mine.in_warp.assign(threads / 32, 0);
    mine.unfenced.assign(threads, 0);
    checker.shared_written.assign(checker.shared_end - checker.shared_begin, 0);
}

const char* wrong() { return checker.wrong[0] ? checker.wrong : nullptr; }
void barrier() { checker.mine.barrier++; }
void warp_barrier(unsigned warp) { checker.mine.in_warp[warp]++; }

void fence() {
    unsigned now = thread();
    checker.mine.unfenced[now] = 0;
    checker.mine.fenced[now] = checker.mine.knowledge;
}

void touch_written(void* at, unsigned size) { access((uintptr_t)at, size, true); }

// Releases what every thread of the block wrote and fenced, and takes what others released before at the same place.
unsigned atomic_add(unsigned* at, unsigned n) {
    Block& mine = checker.mine;
    auto& seen = checker.atomics[at];
    bool fenced = true;
    for (unsigned char is : mine.unfenced) fenced &= !is;
    for (auto& other : seen) {
        unsigned& known = mine.known[other.first];
        if (known < other.second) known = other.second;
    }
    mine.knowledge++;
    if (fenced) seen[checker.block] = ++mine.releases;
    const Region* region = region_of((uintptr_t)at, 4);
    if (!region) report("counts outside every buffer", (uintptr_t)at, nullptr);
    else if (!region->written[(uintptr_t)at - region->base]) report("counts on from what nothing wrote", (uintptr_t)at, nullptr);
    unsigned old = *at;
    *at += n;
    return old;
}

}  // namespace checked

#define HOOK(name, size, write) \
    extern "C" void name(void* at) { checked::access((uintptr_t)at, size, write); }
HOOK(__tsan_read1, 1, false)
HOOK(__tsan_read2, 2, false)
HOOK(__tsan_read4, 4, false)
HOOK(__tsan_read8, 8, false)
HOOK(__tsan_read16, 16, false)
HOOK(__tsan_write1, 1, true)
HOOK(__tsan_write2, 2, true)
HOOK(__tsan_write4, 4, true)
HOOK(__tsan_write8, 8, true)
HOOK(__tsan_write16, 16, true)
HOOK(__tsan_unaligned_read2, 2, false)
HOOK(__tsan_unaligned_read4, 4, false)
HOOK(__tsan_unaligned_read8, 8, false)
HOOK(__tsan_unaligned_read16, 16, false)
HOOK(__tsan_unaligned_write2, 2, true)
HOOK(__tsan_unaligned_write4, 4, true)
HOOK(__tsan_unaligned_write8, 8, true)
HOOK(__tsan_unaligned_write16, 16, true)
extern "C" void __tsan_read_range(void* at, size_t size) { checked::access((uintptr_t)at, (unsigned)size, false); }
extern "C" void __tsan_write_range(void* at, size_t size) { checked::access((uintptr_t)at, (unsigned)size, true); }
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
