// What the tests call, behind a kernel whose name is ENTRY.
extern "C" unsigned emulated_threads() { return declared_threads; }
extern "C" const char* emulated_letters() { return emulated::letters(ENTRY); }

// Runs a grid; null, or what is wrong.
extern "C" const char* emulated_run(unsigned x, unsigned y, unsigned z, unsigned threads, void** arguments) {
    auto& state = emulated::state;
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
    state.arguments = arguments;
    state.body = [](void* arguments) { emulated::call(ENTRY, (void**)arguments); };
    for (unsigned k = 0; k < z; k++)
        for (unsigned j = 0; j < y; j++)
            for (unsigned i = 0; i < x; i++) {
                state.block = {i, j, k};
                if (const char* wrong = emulated::run_block()) return wrong;
            }
    return nullptr;
}
