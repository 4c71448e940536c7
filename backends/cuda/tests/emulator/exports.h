// What the tests call, behind a kernel whose name is ENTRY.
extern "C" unsigned emulated_threads() { return declared_threads; }
extern "C" const char* emulated_letters() { return emulated::letters(ENTRY); }

#ifdef CHECKED
extern char __ehdr_start[] __attribute__((visibility("hidden")));
extern char _end[] __attribute__((visibility("hidden")));
namespace checked {
__attribute__((no_sanitize("thread"))) bool own(uintptr_t address) {
    const auto& state = emulated::state;
    // Between two threads the emulator itself runs.
    if (!state.self) return true;
    auto in = [&](const void* begin, size_t bytes) { return address - (uintptr_t)begin < bytes; };
    if (in(__start_emulated_shared, __stop_emulated_shared - __start_emulated_shared)) return false;
    if (in(__ehdr_start, _end - __ehdr_start)) return true;
    if (in(state.stacks, state.stack_bytes) || in(state.lanes, state.all_lanes.size() * sizeof(emulated::Lane))) return true;
    return in(state.warps.data(), state.warps.size() * sizeof(emulated::Warp));
}
__attribute__((no_sanitize("thread"))) unsigned thread() { return emulated::state.self->thread.x; }
}  // namespace checked

// The buffers that there are, for the next run.
static const checked::Region* regions;
static size_t region_count;
extern "C" void emulated_regions(const checked::Region* now, size_t count) { regions = now, region_count = count; }
#endif

// Runs a grid in an order of the seed's; null, or what is wrong.
extern "C" const char* emulated_run(unsigned x, unsigned y, unsigned z, unsigned threads, void** arguments, unsigned long long seed) {
    auto& state = emulated::state;
    // The kernel's parameters are copies, as on a GPU.
    static unsigned long long values[64];
    static void* places[64];
    unsigned taken = (unsigned)strlen(emulated_letters());
    for (unsigned i = 0; i < taken && i < 64; i++) memcpy(&values[i], arguments[i], 8), places[i] = &values[i];
    state.all_lanes.resize(threads);
    state.warps.resize(threads / emulated::LANES);
    // Not cleared: of most stacks only the top is ever touched.
    size_t bytes = (size_t)threads * emulated::STACK;
    if (state.stack_bytes < bytes) {
        free(state.stacks);
        state.stacks = (char*)malloc(bytes);
        state.stack_bytes = bytes;
    }
    state.lanes = state.all_lanes.data();
    state.grid = {x, y, z};
    state.threads = {threads, 1, 1};
    state.arguments = places;
    state.seed = seed;
    state.body = [](void* arguments) { emulated::call(ENTRY, (void**)arguments); };
#ifdef CHECKED
    checked::begin_launch(regions, region_count, __start_emulated_shared, __stop_emulated_shared);
#endif
    std::vector<unsigned> blocks;
    emulated::shuffle(blocks, x * y * z);
    for (unsigned index : blocks) {
        state.block = {index % x, index / x % y, index / x / y};
#ifdef CHECKED
        checked::begin_block(index, threads);
#endif
        const char* wrong = emulated::run_block();
        if (wrong) return wrong;
#ifdef CHECKED
        if (const char* wrong = checked::wrong()) return wrong;
#endif
    }
    return nullptr;
}
