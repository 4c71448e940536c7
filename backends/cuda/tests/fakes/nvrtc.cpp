// An NVRTC that compiles for the emulator: what it calls machine code names a library for this processor, which the fake libcuda
// loads. Options are checked as the real one would.
// FAKE_NVRTC: version=14 (major), without=90 (a compute capability it does not know), broken=1 (nothing compiles).
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <unistd.h>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) int

static long setting(const char* name, long otherwise) {
    const char* all = getenv("FAKE_NVRTC");
    std::string text = std::string(" ") + (all ? all : "");
    size_t at = text.find(std::string(" ") + name + "=");
    return at == std::string::npos ? otherwise : atol(text.c_str() + at + strlen(name) + 2);
}

struct Program {
    std::string source, name, log, code;
};

static const int KNOWN[] = {75, 80, 86, 89, 90, 100, 120};

API nvrtcVersion(int* major, int* minor) { return *major = (int)setting("version", 13), *minor = 5, 0; }
API nvrtcGetNumSupportedArchs(int* count) { return *count = 7, 0; }
API nvrtcGetSupportedArchs(int* list) {
    for (int i = 0; i < 7; i++) list[i] = KNOWN[i] == setting("without", 0) ? 1 : KNOWN[i];
    return 0;
}
API nvrtcCreateProgram(void** made, const char* source, const char* name, int headers, const char* const*, const char* const*) {
    if (headers != 0) return 3;
    return *made = new Program{source, name, "", ""}, 0;
}
API nvrtcDestroyProgram(void** program) { return delete (Program*)*program, *program = nullptr, 0; }

API nvrtcCompileProgram(void* handle, int count, const char* const* options) {
    Program& program = *(Program*)handle;
    std::string defines, arch;
    for (int i = 0; i < count; i++) {
        std::string option = options[i];
        if (option.rfind("-D", 0) == 0) defines += " " + option;
        else if (option.rfind("-arch=sm_", 0) == 0) arch = option.substr(9);
        else if (option != "-std=c++17" && option != "-default-device") return program.log = "unrecognized option " + option, 5;
    }
    bool known = false;
    for (int one : KNOWN) known |= std::to_string(one) == arch && one != setting("without", 0);
    if (!known) return program.log = "invalid value for --gpu-architecture", 5;
    if (setting("broken", 0)) return program.log = "error: broken on purpose", 6;
    std::string entry = program.name.substr(0, program.name.find('.'));
    std::ifstream shim(FOLDER "/shim.h"), exports(FOLDER "/exports.h");
    std::string text((std::istreambuf_iterator<char>(shim)), {}), tail((std::istreambuf_iterator<char>(exports)), {});
    text += "\n" + program.source + "\n" + tail;
    std::string name = entry + "-" + std::to_string(std::hash<std::string>()(text + defines));
    std::string base = std::string(OUT) + "/" + name, part = base + "." + std::to_string(getpid());
    if (access((base + ".so").c_str(), F_OK) != 0) {
        std::ofstream(part + ".cpp") << text;
        std::string command = "g++ -std=c++17 -O1 -fPIC -w -shared -I" FOLDER + defines + " -DENTRY=" + entry + " -o " + part + ".so " +
                              part + ".cpp 2>" + part + ".log && mv " + part + ".so " + base + ".so && rm " + part + ".cpp " + part + ".log";
        if (system(command.c_str()) != 0) return program.log = "see " + part + ".log", 6;
    }
    program.code = std::string("\x7f" "ELFfake:") + base + ".so";
    return 0;
}
// Sizes count the zero at the end.
API nvrtcGetProgramLogSize(void* program, size_t* size) { return *size = ((Program*)program)->log.size() + 1, 0; }
API nvrtcGetProgramLog(void* program, char* log) { return strcpy(log, ((Program*)program)->log.c_str()), 0; }
API nvrtcGetCUBINSize(void* program, size_t* size) { return *size = ((Program*)program)->code.size() + 1, 0; }
API nvrtcGetCUBIN(void* program, char* code) { return strcpy(code, ((Program*)program)->code.c_str()), 0; }
