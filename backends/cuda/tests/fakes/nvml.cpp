// An NVIDIA management library of one board that draws 250 W, is held back by its power limit, and whose memory another process
// shares. Its energy counter moves every 100 ms, as the real one's.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <unistd.h>

#define API extern "C" __attribute__((visibility("default"))) int

static int board;
static unsigned long long milliseconds() {
    using namespace std::chrono;
    return (unsigned long long)duration_cast<std::chrono::milliseconds>(steady_clock::now().time_since_epoch()).count();
}

struct Process {
    unsigned pid;
    unsigned long long bytes;
    unsigned instance, compute;
};
struct Memory {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

API nvmlInit_v2() { return 0; }
API nvmlShutdown() { return 0; }
extern "C" const char* nvmlErrorString(int) { return "an error of the fake"; }
API nvmlSystemGetDriverVersion(char* text, unsigned length) { return snprintf(text, length, "580.65.06"), 0; }
API nvmlDeviceGetCount_v2(unsigned* count) { return *count = 1, 0; }
API nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) { return *handle = &board, index == 0 ? 0 : 2; }
API nvmlDeviceGetHandleByUUID(const char* uuid, void** handle) {
    *handle = &board;
    return strcmp(uuid, "GPU-11111111-1111-1111-1111-111111111111") == 0 ? 0 : 6;
}
API nvmlDeviceGetName(void*, char* name, unsigned length) { return snprintf(name, length, "fake GPU"), 0; }
API nvmlDeviceGetTotalEnergyConsumption(void*, unsigned long long* mj) { return *mj = milliseconds() / 100 * 100 * 250, 0; }
API nvmlDeviceGetPowerUsage(void*, unsigned* mw) { return *mw = 250000, 0; }
API nvmlDeviceGetEnforcedPowerLimit(void*, unsigned* mw) { return *mw = 700000, 0; }
API nvmlDeviceGetPowerManagementDefaultLimit(void*, unsigned* mw) { return *mw = 700000, 0; }
API nvmlDeviceGetTemperature(void*, int, unsigned* degrees) { return *degrees = 55, 0; }
API nvmlDeviceGetClockInfo(void*, int, unsigned* mhz) { return *mhz = 1980, 0; }
API nvmlDeviceGetMaxClockInfo(void*, int, unsigned* mhz) { return *mhz = 1980, 0; }
API nvmlDeviceGetUtilizationRates(void*, unsigned* rates) { return rates[0] = 90, rates[1] = 40, 0; }
API nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* reasons) { return *reasons = 4, 0; }
API nvmlDeviceGetEccMode(void*, unsigned* now, unsigned* pending) { return *now = *pending = 1, 0; }
API nvmlDeviceGetMigMode(void*, unsigned* now, unsigned* pending) { return *now = *pending = 0, 0; }
API nvmlDeviceGetMemoryInfo_v2(void*, Memory* memory) {
    memory->total = 1ull << 32, memory->reserved = 0, memory->used = 1ull << 20, memory->free = memory->total - memory->used;
    return 0;
}
API nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned* count, Process* processes) {
    if (*count < 2 || !processes) return *count = 2, 7;
    processes[0] = {(unsigned)getpid(), 1ull << 30, ~0u, ~0u};
    processes[1] = {1, 1ull << 20, ~0u, ~0u};
    return *count = 2, 0;
}
API nvmlDeviceGetGraphicsRunningProcesses_v3(void*, unsigned* count, Process*) { return *count = 0, 0; }
