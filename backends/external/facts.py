"""What this machine and a build of llama.cpp tell of themselves, for the facts of llama_cpp.py. What is not told is
`unavailable`, with the reason. Standard library only.
"""

import ctypes
import mmap
import os
import re

from worker import unavailable


def system_features(lib):
    """`CPU : SSE3 = 1 | ... | REPACK = 1 |` -> the names that are on."""
    return re.findall(r"(\w+) = 1", lib.llama_print_system_info().decode())


def shared_object(lib, name):
    return os.path.join(os.path.dirname(lib.llama_cpp.__file__), "lib", name)


def ggml_version(lib):
    try:
        base = ctypes.CDLL(shared_object(lib, "libggml-base.so"))
        base.ggml_version.restype = base.ggml_commit.restype = ctypes.c_char_p
        return f"{base.ggml_version().decode()} ({base.ggml_commit().decode()})"
    except (OSError, AttributeError):
        return "of unknown version"


def compiler(lib):
    """What built the kernels, from the object's comment section."""
    try:
        with open(shared_object(lib, "libggml-cpu.so"), "rb") as file, mmap.mmap(
                file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            match = re.search(rb"GCC: \([^)]*\) [0-9.]+|clang version [0-9.]+", text)
            return match[0].decode() if match else unavailable("the library does not say")
    except OSError as error:
        return unavailable(str(error))


def amx(lib, features):
    """GCC 12 drops the stores to AMX's tile configuration: such a build crashes in prefill where the processor has AMX."""
    if not any(feature.startswith("AMX") for feature in features):
        return "not in this build, or not in this processor"
    built_by = compiler(lib)
    if isinstance(built_by, str) and re.match(r"GCC: .* 12\.", built_by):
        return ("on, built by GCC 12: prefill may crash; rebuild with a newer compiler or with "
                "CMAKE_ARGS='-DGGML_AMX_INT8=OFF -DGGML_AMX_BF16=OFF -DGGML_AMX_TILE=OFF'")
    return "on"


def usable_cores():
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def resident_bytes():
    """What this process takes now, or why it is not known."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return "an unknown number of"


def processor():
    """The processor's name as the system tells it."""
    try:
        with open("/proc/cpuinfo") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), None)
    except OSError:
        return None


def available_bytes():
    """Memory the system could give now."""
    try:
        with open("/proc/meminfo") as file:
            kib = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
            return kib * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        return unavailable("/proc/meminfo does not tell")
