// A libcuda that is none: the driver's functions as documented, over the emulated kernels. Work is queued and done only when
// somebody asks whether it is, so that nobody gets away with reading too early or with reusing memory that is still to be
// copied. What the documentation forbids ends the process with a line: copies to memory that is not the device's or from memory
// that is not pinned, anything but launches during a recording, calls without a context, handles that are not live.
//
// FAKE_CUDA says what is wrong with the machine, words with a number: version=11080 devices=0 capability=75 memory=1000000
// mode=2 init=803 retain=46 alloc=2 (code of an allocation above `large` bytes) large=1000 fault=719 after=20 (code after so
// many launches) silent=1 (work never ends).
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

typedef unsigned Code;
typedef void* Handle;
typedef unsigned long long Address;

#define API extern "C" __attribute__((visibility("default"))) Code

static long setting(const char* name, long otherwise) {
    const char* all = getenv("FAKE_CUDA");
    std::string text = std::string(" ") + (all ? all : "");
    size_t at = text.find(std::string(" ") + name + "=");
    return at == std::string::npos ? otherwise : atol(text.c_str() + at + strlen(name) + 2);
}

static void demand(bool holds, const char* what) {
    if (holds) return;
    fprintf(stderr, "fake libcuda: %s\n", what);
    abort();
}

struct Kernel {
    void* library;
    std::string letters;
};
struct Work {
    std::function<Code()> run;
};
struct Event {
    bool recorded = false, happened = false;
    double at = 0;
};

static int context_object, stream_object;
static bool started, retained, current, capturing;
static std::map<Address, size_t> device_memory;
static std::map<char*, size_t> pinned;
static std::set<Handle> modules, graphs, executables;
static std::map<Handle, Event> events;
static std::deque<Work> queued;
static std::vector<Work> recording;
static Code sticky;
static long launches;
static double now;
static bool asked;

static void ready() {
    demand(started, "called before cuInit");
    demand(retained && current, "called without a current context");
}
static void ready_outside() {
    ready();
    demand(!capturing, "called during a recording");
}
static void device_range(Address at, size_t bytes) {
    auto found = device_memory.upper_bound(at);
    demand(found != device_memory.begin(), "an address that is not the device's");
    --found;
    demand(at + bytes <= found->first + found->second, "beyond the end of an allocation");
}
static void pinned_range(const void* at, size_t bytes) {
    auto found = pinned.upper_bound((char*)at);
    demand(found != pinned.begin(), "an asynchronous copy of memory that is not pinned");
    --found;
    demand((char*)at + bytes <= found->first + found->second, "beyond the end of pinned memory");
}
// Does what is queued, up to the first failure.
static Code work() {
    while (!queued.empty() && !sticky) {
        sticky = queued.front().run();
        queued.pop_front();
        now += 0.001;
    }
    return sticky;
}
// The first question is answered "not yet".
static Code poll(const std::function<bool()>& done) {
    if (sticky) return sticky;
    if (setting("silent", 0)) return 600;
    if (!done() && !asked) {
        asked = true;
        return 600;
    }
    asked = false;
    return work();
}
static Code add(std::function<Code()> run) {
    if (sticky) return sticky;
    if (capturing) recording.push_back({run});
    else queued.push_back({run});
    return 0;
}

API cuInit(unsigned flags) {
    demand(flags == 0, "cuInit with flags");
    if (long code = setting("init", 0)) return (Code)code;
    started = true;
    return 0;
}
API cuDriverGetVersion(int* version) { return *version = (int)setting("version", 13000), 0; }
API cuGetErrorName(Code code, const char** text) {
    static std::string name;
    if (code == 12345) return *text = nullptr, 1;
    name = "CUDA_ERROR_" + std::to_string(code);
    return *text = name.c_str(), 0;
}
API cuGetErrorString(Code code, const char** text) {
    if (code == 12345) return *text = nullptr, 1;
    return *text = "words of the driver", 0;
}
API cuDeviceGetCount(int* count) {
    demand(started, "called before cuInit");
    return *count = (int)setting("devices", 1), 0;
}
API cuDeviceGet(int* device, int ordinal) {
    demand(started, "called before cuInit");
    if (ordinal < 0 || ordinal >= setting("devices", 1)) return 101;
    return *device = ordinal, 0;
}
API cuDeviceGetName(char* name, int length, int) { return snprintf(name, (size_t)length, "fake GPU"), 0; }
API cuDeviceGetUuid(unsigned char* uuid, int) { return memset(uuid, 0x11, 16), 0; }
API cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = (size_t)setting("memory", 1L << 32), 0; }
API cuDeviceGetAttribute(int* value, int attribute, int) {
    long capability = setting("capability", 90);
    switch (attribute) {
        case 75: *value = (int)(capability / 10); return 0;
        case 76: *value = (int)(capability % 10); return 0;
        case 16: *value = 2; return 0;
        case 20: *value = (int)setting("mode", 0); return 0;
        default: return 1;
    }
}
API cuDevicePrimaryCtxRetain(Handle* context, int) {
    if (long code = setting("retain", 0)) return (Code)code;
    demand(!retained, "retained twice");
    retained = true;
    return *context = &context_object, 0;
}
API cuDevicePrimaryCtxRelease_v2(int) {
    demand(retained, "released without being retained");
    demand(queued.empty(), "released with work that is not done");
    retained = current = false;
    return 0;
}
API cuCtxSetCurrent(Handle context) {
    demand(retained && context == &context_object, "a context that is not live");
    current = true;
    return 0;
}
API cuMemGetInfo_v2(size_t* free, size_t* total) {
    ready();
    *total = (size_t)setting("memory", 1L << 32), *free = *total;
    for (auto& one : device_memory) *free -= one.second;
    return 0;
}
API cuMemAlloc_v2(Address* address, size_t bytes) {
    ready_outside();
    if (sticky) return sticky;
    demand(bytes > 0, "nothing to be allocated");
    size_t used = 0;
    for (auto& one : device_memory) used += one.second;
    if (used + bytes > (size_t)setting("memory", 1L << 32)) return 2;
    if (long code = setting("alloc", 0); code && (long)bytes > setting("large", 0)) return (Code)code;
    // Whatever was there before.
    void* made = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(made, 0xff, (bytes + 255) / 256 * 256);
    device_memory[(Address)made] = bytes;
    return *address = (Address)made, 0;
}
API cuMemFree_v2(Address address) {
    ready_outside();
    demand(device_memory.count(address) && queued.empty(), "freed what is not live, or still used");
    device_memory.erase(address);
    return free((void*)address), 0;
}
API cuMemHostAlloc(void** at, size_t bytes, unsigned) {
    ready_outside();
    *at = malloc(bytes);
    return pinned[(char*)*at] = bytes, 0;
}
API cuMemFreeHost(void* at) {
    ready_outside();
    demand(pinned.erase((char*)at) && queued.empty(), "freed what is not pinned, or still used");
    return free(at), 0;
}
API cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, Handle stream) {
    ready_outside();
    demand(stream == &stream_object, "a stream that is not live");
    device_range(to, bytes), pinned_range(from, bytes);
    return add([=] { return memcpy((void*)to, from, bytes), 0u; });
}
API cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, Handle stream) {
    ready_outside();
    demand(stream == &stream_object, "a stream that is not live");
    device_range(from, bytes), pinned_range(to, bytes);
    return add([=] { return memcpy(to, (void*)from, bytes), 0u; });
}
API cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, Handle stream) {
    ready_outside();
    demand(stream == &stream_object, "a stream that is not live");
    device_range(from, bytes), device_range(to, bytes);
    return add([=] { return memcpy((void*)to, (void*)from, bytes), 0u; });
}
API cuStreamCreate(Handle* stream, unsigned flags) {
    ready_outside();
    demand(flags == 1, "a stream that waits for the default one");
    return *stream = &stream_object, 0;
}
API cuStreamDestroy_v2(Handle stream) {
    ready_outside();
    demand(stream == &stream_object && queued.empty(), "destroyed a stream that works");
    return 0;
}
API cuStreamQuery(Handle stream) {
    ready_outside();
    demand(stream == &stream_object, "a stream that is not live");
    return poll([] { return queued.empty(); });
}
API cuStreamBeginCapture_v2(Handle stream, unsigned mode) {
    ready_outside();
    demand(stream == &stream_object && mode == 1, "a recording of other threads too");
    capturing = true;
    recording.clear();
    return 0;
}
API cuStreamEndCapture(Handle stream, Handle* graph) {
    demand(capturing && stream == &stream_object, "the end of no recording");
    capturing = false;
    *graph = new std::vector<Work>(recording);
    graphs.insert(*graph);
    return 0;
}
API cuModuleLoadData(Handle* module, const void* image) {
    ready_outside();
    if (sticky) return sticky;
    const char* text = (const char*)image;
    if (strncmp(text, "\x7f" "ELFfake:", 9) != 0) return 200;
    void* library = dlopen(text + 9, RTLD_NOW | RTLD_LOCAL);
    if (!library) return fprintf(stderr, "fake libcuda: %s\n", dlerror()), 200;
    modules.insert(library);
    return *module = library, 0;
}
API cuModuleUnload(Handle module) {
    ready_outside();
    demand(modules.count(module), "a module that is not live");
    return 0;
}
API cuModuleGetFunction(Handle* function, Handle module, const char* name) {
    ready_outside();
    demand(modules.count(module), "a module that is not live");
    if (!dlsym(module, name)) return 500;
    auto letters = (const char* (*)())dlsym(module, "emulated_letters");
    return *function = new Kernel{module, letters()}, 0;
}
API cuFuncGetAttribute(int* value, int attribute, Handle) {
    ready_outside();
    return attribute == 4 ? (*value = 64, 0) : 1;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Handle, int threads, size_t shared) {
    ready_outside();
    demand(threads > 0 && shared == 0, "a kernel of no threads");
    return *blocks = 3, 0;
}
API cuLaunchKernel(Handle function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned b, unsigned c, unsigned shared,
                   Handle stream, void** arguments, void** extra) {
    ready();
    demand(stream == &stream_object, "a stream that is not live");
    demand(b == 1 && c == 1 && shared == 0 && !extra, "a launch of another shape than ours");
    if (!x || !y || !z || x > 0x7fffffff || y > 65535 || z > 65535 || !threads || threads > 1024) return 1;
    Kernel* kernel = (Kernel*)function;
    // The driver reads as many bytes of a parameter as it has, and before it returns.
    std::vector<unsigned long long> values(kernel->letters.size());
    for (size_t i = 0; i < values.size(); i++) memcpy(&values[i], arguments[i], kernel->letters[i] == 'p' ? 8 : 4);
    for (size_t i = 0; i < values.size(); i++)
        if (kernel->letters[i] == 'p' && values[i]) device_range(values[i], 1);
    return add([=]() mutable -> Code {
        if (long code = setting("fault", 0); code && launches >= setting("after", 0)) return (Code)code;
        launches++;
        std::vector<void*> places;
        for (auto& value : values) places.push_back(&value);
        typedef const char* Run(unsigned, unsigned, unsigned, unsigned, void**, unsigned long long);
        const char* wrong = ((Run*)dlsym(kernel->library, "emulated_run"))(x, y, z, threads, places.data(), 0);
        if (wrong) fprintf(stderr, "fake libcuda: %s\n", wrong);
        return wrong ? 719 : 0;
    });
}
API cuGraphInstantiateWithFlags(Handle* made, Handle graph, unsigned long long flags) {
    ready_outside();
    demand(graphs.count(graph) && flags == 0, "a graph that is not live");
    *made = new std::vector<Work>(*(std::vector<Work>*)graph);
    executables.insert(*made);
    return 0;
}
API cuGraphUpload(Handle graph, Handle stream) {
    ready_outside();
    demand(executables.count(graph) && stream == &stream_object, "a graph that is not live");
    return 0;
}
API cuGraphLaunch(Handle graph, Handle stream) {
    ready_outside();
    demand(executables.count(graph) && stream == &stream_object, "a graph that is not live");
    for (Work& one : *(std::vector<Work>*)graph)
        if (Code code = add(one.run)) return code;
    return 0;
}
API cuGraphDestroy(Handle graph) {
    ready_outside();
    demand(graphs.erase(graph), "a graph that is not live");
    return delete (std::vector<Work>*)graph, 0;
}
API cuGraphExecDestroy(Handle graph) {
    ready_outside();
    demand(executables.erase(graph), "a graph that is not live");
    return delete (std::vector<Work>*)graph, 0;
}
API cuEventCreate(Handle* event, unsigned) {
    ready_outside();
    *event = new int;
    return events[*event] = {}, 0;
}
API cuEventRecord(Handle event, Handle stream) {
    ready_outside();
    demand(events.count(event) && stream == &stream_object, "an event that is not live");
    events[event] = {true, false, 0};
    return add([=] { return events[event].happened = true, events[event].at = now, 0u; });
}
API cuEventQuery(Handle event) {
    ready_outside();
    demand(events.count(event), "an event that is not live");
    return poll([=] { return !events[event].recorded || events[event].happened; });
}
API cuEventElapsedTime(float* milliseconds, Handle begin, Handle end) {
    ready_outside();
    demand(events.count(begin) && events.count(end), "an event that is not live");
    if (!events[begin].recorded || !events[end].recorded) return 400;
    if (!events[begin].happened || !events[end].happened) return 600;
    return *milliseconds = (float)(events[end].at - events[begin].at), 0;
}
API cuEventDestroy_v2(Handle event) {
    ready_outside();
    demand(events.erase(event), "an event that is not live");
    return delete (int*)event, 0;
}
