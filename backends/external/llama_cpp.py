"""llama.cpp as a Yardstick device, through the low-level API of PyPI's llama-cpp-python. The worked example of
backends/PROTOCOL.md: `worker.py` speaks the protocol, `session.py` times and verifies, this file runs the engine.

usage: python3 llama_cpp.py   (JSON lines on stdin and stdout; `yardstick run --devices llama.cpp` starts it)
"""

import ctypes
import os
import platform
import re
import sys

import facts
from header import Header
from session import TokenSession
from worker import Engine, Fault, Worker, unavailable, unsupported

# This folder holds a file of the package's own name; Python must not find that one.
sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != os.path.dirname(os.path.abspath(__file__))]

try:
    import llama_cpp as library
    import numpy  # comes with it
    broken = None
except Exception as error:  # a broken build fails in as many ways as a loader has
    library = None
    broken = f"llama_cpp cannot be imported: {error}"

DEVICE = "llama.cpp:cpu"
INSTALL = f"{sys.executable} -m pip install --upgrade llama-cpp-python"
# Names of KV types in ggml's numbering, and their bytes an element.
KV_TYPES = {"f32": (0, 4), "f16": (1, 2), "q8_0": (8, 34 / 32)}
# The options understood here; any other is refused, so that none is ignored.
OPTIONS = {"threads", "context", "sequences", "chunk", "kv", "numerics", "repack", "profile"}
# llama.cpp rounds a sequence's cells up to this.
CELLS = 256
# What llama_decode returns, in words (include/llama.h).
DECODE = {1: "no room in the KV cache", 2: "aborted", -1: "invalid batch", -2: "out of memory", -3: "failed to compute"}
ERROR, DEBUG = 4, 1


class LlamaCpp(Engine):
    """The one device: llama.cpp on the processor."""

    backend = "llama.cpp"

    def __init__(self):
        self.library, self.missing = find_library()
        self.name = "llama-cpp-python"
        self.version = getattr(self.library, "__version__", "not installed")

    def devices(self):
        if self.missing:
            return [{"missing": {"id": DEVICE, "reason": self.missing, "fix": INSTALL}}]
        return [{"ready": {
            "id": DEVICE, "name": facts.processor() or platform.machine(), "kind": "cpu", "class": "hardware",
            "numerics": ["a8"], "memory_bytes": facts.available_bytes(), "preferred": True}}]

    def plan(self, device, model, options):
        self.check(device, options)
        header = Header(model)
        element = KV_TYPES[options["kv"]][1]
        cells = -(-(options["context"] or CELLS) // CELLS) * CELLS * options["sequences"]
        kv = int(header.kv_bytes(element) * cells)
        # The logits of a whole chunk are llama.cpp's largest buffer.
        scratch = options["chunk"] * (header.vocab + 16 * header.get("embedding_length", 0)) * 4
        memory = facts.available_bytes()
        if isinstance(memory, int) and kv + scratch > memory:
            raise unsupported(f"the KV cache takes {kv} bytes and buffers {scratch}, {memory} are available",
                              "lower --context or the number of sequences")
        # Which tensors are re-laid is decided while loading; this is the most.
        copied = header.streamed_bytes if options["repack"] else 0
        return {"mapped_bytes": header.weight_bytes, "copied_bytes": copied, "kv_bytes": kv, "scratch_bytes": scratch}

    def load(self, device, model, options):
        self.check(device, options)
        return Session(self.library, model, options)

    def check(self, device, options):
        """Refuses what llama.cpp cannot do as asked."""
        if device != DEVICE:
            raise Fault("invalid", f"there is no device {device!r}")
        if self.missing:
            raise unsupported(self.missing, INSTALL)
        unknown = set(options) - OPTIONS
        if unknown:
            raise unsupported(f"option {sorted(unknown)[0]!r} is not known to this worker")
        if options["kv"] not in KV_TYPES:
            raise unsupported(f"a KV cache of {options['kv']} is not known here; known: {', '.join(KV_TYPES)}")
        if options["numerics"] not in (None, "a8"):
            raise unsupported(f"llama.cpp has no switch for numerics {options['numerics']}", "leave numerics unset")
        if options["profile"]:
            raise unsupported("llama.cpp tells no times of single operations", "run it without --profile")


class Session(TokenSession):
    """A model and a context of llama.cpp."""

    def __init__(self, library, path, options):
        self.lib, self.path, self.options = library, path, options
        self.header = Header(path)
        self.before = facts.resident_bytes()
        self.model = self.context_pointer = self.batch = None
        self.log = Log(library)
        with self.log:
            self.reload()
        lib, context = self.lib, self.context_pointer
        self.vocab = lib.llama_vocab_n_tokens(self.words)
        self.row_type = ctypes.c_float * self.vocab
        self.context, self.sequences = lib.llama_n_ctx_seq(context), lib.llama_n_seq_max(context)
        self.numerics = options["numerics"] or self.effective_numerics()

    def reload(self):
        """Opens the file, makes a context: what `load` times."""
        lib = self.lib
        self.model = lib.llama_model_load_from_file(os.fsencode(self.path), self.model_params())
        if not self.model:
            reason = self.log.reason("llama.cpp gave no reason")
            kind = "unsupported" if "unknown model architecture" in reason or "unknown pre-tok" in reason else "model"
            raise Fault(kind, f"{self.path}: {reason}")
        self.context_pointer = lib.llama_init_from_model(self.model, self.context_params())
        if not self.context_pointer:
            reason = self.log.reason("llama.cpp made no context and gave no reason")
            self.close()
            raise Fault("out_of_memory" if "alloc" in reason else "device", reason)
        self.words = lib.llama_model_get_vocab(self.model)
        self.memory = lib.llama_get_memory(self.context_pointer)
        self.batch = lib.llama_batch_init(lib.llama_n_batch(self.context_pointer), 0, 1)
        self.lengths = [0] * self.options["sequences"]
        self.rows = []

    def model_params(self):
        params = self.lib.llama_model_default_params()
        # On the processor and nowhere else, also where the build knows a GPU: an empty list of devices.
        self.no_devices = (ctypes.c_void_p * 1)(None)
        params.devices = ctypes.cast(self.no_devices, ctypes.c_void_p)
        params.n_gpu_layers = 0
        params.use_extra_bufts = self.options["repack"]
        return params

    def context_params(self):
        options, params = self.options, self.lib.llama_context_default_params()
        positions = (options["context"] or CELLS) * options["sequences"]
        params.n_ctx = params.n_batch = positions
        params.n_ubatch = min(options["chunk"], positions)
        params.n_seq_max = options["sequences"]
        params.n_threads = params.n_threads_batch = options["threads"] or facts.usable_cores()
        params.type_k = params.type_v = KV_TYPES[options["kv"]][0]
        params.offload_kqv = params.op_offload = False
        # Every sequence its own cells, and all positions kept where the model has a window: sequences are cut back.
        params.kv_unified, params.swa_full = False, True
        return params

    def close(self):
        if self.batch:
            self.lib.llama_batch_free(self.batch)
        if self.context_pointer:
            self.lib.llama_free(self.context_pointer)
        if self.model:
            self.lib.llama_model_free(self.model)
        self.model = self.context_pointer = self.batch = None

    # The calls of TokenSession.

    def fill(self, spans, rows):
        batch, at = self.batch, 0
        self.check_batch(spans)
        self.rows, self.pending = [], spans
        for sequence, tokens in spans:
            position, last = self.lengths[sequence], len(tokens) - 1
            for i, token in enumerate(tokens):
                batch.token[at], batch.pos[at] = token, position + i
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, sequence
                wanted = rows == "all" or (rows == "last" and i == last)
                batch.logits[at] = wanted
                if wanted:
                    self.rows.append(at)
                at += 1
        batch.n_tokens = at

    def check_batch(self, spans):
        """Before anything is touched: llama.cpp's answer to a bad batch may be to abort the process."""
        for sequence, tokens in spans:
            if not 0 <= sequence < self.sequences or not tokens:
                raise Fault("invalid", f"{len(tokens)} tokens for sequence {sequence} of {self.sequences}")
            if self.lengths[sequence] + len(tokens) > self.context:
                raise Fault("invalid", f"sequence {sequence} would hold {self.lengths[sequence] + len(tokens)} "
                                       f"positions, the context holds {self.context}")
            if max(tokens) >= self.vocab:
                raise Fault("invalid", f"token {max(tokens)} is not in the vocabulary of {self.vocab}")

    def run(self):
        status = self.lib.llama_decode(self.context_pointer, self.batch)
        if status != 0:
            kind = "out_of_memory" if status == -2 else "device"
            raise Fault(kind, f"llama_decode returned {status}: {DECODE.get(status, 'unknown')}")
        for sequence, tokens in self.pending:
            self.lengths[sequence] += len(tokens)

    def synchronize(self):
        self.lib.llama_synchronize(self.context_pointer)

    def argmax(self, row):
        values = numpy.frombuffer(self.row_type.from_address(self.address(row)), dtype=numpy.float32)
        best = int(values.argmax())
        # numpy calls NaN the largest; to us it never is.
        return best if values[best] == values[best] else int(numpy.nanargmax(values))

    def row(self, row):
        return ctypes.string_at(self.address(row), self.vocab * 4)

    def address(self, row):
        """Where a row's logits lie; waits for them."""
        pointer = self.lib.llama_get_logits_ith(self.context_pointer, self.rows[row])
        if not pointer:
            raise Fault("device", f"llama.cpp has no logits of row {self.rows[row]}")
        return ctypes.addressof(pointer.contents)

    def truncate(self, sequence, length):
        start, end = (length, -1) if length else (-1, -1)
        if not self.lib.llama_memory_seq_rm(self.memory, sequence, start, end):
            raise unsupported("llama.cpp cannot shorten a sequence of this model: its state is not one of positions")
        self.lengths[sequence] = min(length, self.lengths[sequence])

    def copy(self, source, target):
        self.truncate(target, 0)
        self.lib.llama_memory_seq_cp(self.memory, source, target, -1, -1)
        self.lengths[target] = self.lengths[source]

    def length(self, sequence):
        return self.lib.llama_memory_seq_pos_max(self.memory, sequence) + 1

    def encode(self, text):
        text = text.encode()
        # A token has a byte or more, and there are two that mark the ends.
        ids = (ctypes.c_int32 * (len(text) + 2))()
        n = self.lib.llama_tokenize(self.words, text, len(text), ids, len(ids), True, False)
        if n < 0:
            raise Fault("model", f"{self.path}: llama_tokenize returned {n}")
        return list(ids[:n])

    def decode(self, ids):
        text = b""
        for id in ids:
            buffer = ctypes.create_string_buffer(256)
            n = self.lib.llama_token_to_piece(self.words, id, buffer, len(buffer), 0, False)
            if n < 0:  # what is missing, negative
                buffer = ctypes.create_string_buffer(-n)
                n = self.lib.llama_token_to_piece(self.words, id, buffer, len(buffer), 0, False)
            text += buffer.raw[:max(n, 0)]
        return text

    def ends(self, id):
        return bool(self.lib.llama_vocab_is_eog(self.words, id) or self.lib.llama_vocab_is_control(self.words, id))

    # What really runs.

    def effective_numerics(self):
        """Activations go to 8 bits for quantised weights, to bf16 for such; attention is f16, whatever the cache is."""
        formats = {label for label, _ in self.header.tensors.values()}
        if formats - {"F32", "F16", "BF16"} or self.options["kv"] == "q8_0":
            return "a8"
        return "bf16" if "BF16" in formats else "f16"

    def facts(self):
        lib, context, sizes = self.lib, self.context_pointer, self.log.sizes()
        features = facts.system_features(lib)
        flags = {"LLAMAFILE", "OPENMP", "REPACK", "ACCELERATE", "KLEIDIAI"}
        relaid = self.log.relaid()
        embedding = self.header.tensors.get("token_embd.weight", ("", 0))[1]
        kept = embedding if "token_embd.weight" in relaid else 0  # looked up in the file's layout all the same
        return {
            "device": DEVICE, "isa": " ".join(f.lower() for f in features if f not in flags) or unavailable("not told"),
            "adapter": facts.processor() or unavailable("the system names no processor"),
            "driver": f"llama.cpp, ggml {facts.ggml_version(lib)}, llama-cpp-python {lib.__version__}",
            "threads": lib.llama_n_threads(context), "context": self.context, "sequences": self.sequences,
            "chunk": lib.llama_n_ubatch(context), "kv": self.options["kv"], "numerics": self.numerics,
            "mapped_bytes": max(self.header.weight_bytes - sizes["copied"], 0) + kept,
            "copied_bytes": sizes["copied"], "kv_bytes": sizes["kv"], "scratch_bytes": sizes["scratch"],
            "streamed_bytes": self.header.streamed_bytes, "kernels": self.kernels(relaid),
            "notes": {
                "build": " ".join(f.lower() for f in features if f in flags) or "plain",
                "compiler": facts.compiler(lib), "amx": facts.amx(lib, features),
                "flash_attention": self.log.find(r"(?i)flash.?att\w*.*?\b(enabled|disabled)", "not told"),
                "sizes": "copied, KV and scratch as llama.cpp logs them, to 0.01 MiB; mapped is what was not copied",
                "interpreter": f"{self.before} bytes were resident before loading: Python, numpy, the library",
                "timing": "logits of the last token are computed, not read back; the batch is written before the clock",
            }}

    def kernels(self, relaid):
        """Format -> how its weights lie in memory, which decides the kernel."""
        kernels = {}
        for name, (label, _) in self.header.tensors.items():
            layout = relaid.get(name)
            if layout or label not in kernels:
                kernels[label] = f"repacked {layout}" if layout else "vec_dot, the file's layout"
        return kernels


class Log:
    """What llama.cpp says while it loads: the only place where it tells sizes and layouts. Silent otherwise: a callback
    into Python within the clock would be our time."""

    def __init__(self, library):
        self.library, self.lines = library, []
        self.callback = library.llama_log_callback(self.keep)
        # A callback that does nothing, in C: it may be called with more arguments than it takes.
        libc = ctypes.CDLL(None) if os.name == "posix" else ctypes.cdll.msvcrt
        self.silence = ctypes.cast(libc.abs, library.llama_log_callback)
        library.llama_log_set(self.silence, ctypes.c_void_p(0))

    def keep(self, level, text, _data):
        self.lines.append((level, text.decode("utf-8", "replace").rstrip()))

    def __enter__(self):
        self.lines.clear()
        self.library.llama_log_set(self.callback, ctypes.c_void_p(0))

    def __exit__(self, *_):
        self.library.llama_log_set(self.silence, ctypes.c_void_p(0))
        wanted = re.compile(r"buffer size|repack tensor|(?i:flash.?att)")
        self.lines = [(level, text) for level, text in self.lines if level == ERROR or wanted.search(text)]

    def reason(self, otherwise):
        """The errors in one line."""
        return "; ".join(text.split(": ", 1)[-1] for level, text in self.lines if level == ERROR) or otherwise

    def find(self, pattern, otherwise):
        return next((match[1] for _, text in self.lines if (match := re.search(pattern, text))), otherwise)

    def sizes(self):
        """Bytes of weights copied, of the KV cache and of scratch, summed over buffers."""
        sizes = {"copied": 0, "kv": 0, "scratch": 0}
        for _, text in self.lines:
            match = re.search(r"(\S+) +(model|KV|compute|output) buffer size = *([0-9.]+) MiB", text)
            if match and not match[1].endswith("_Mapped"):
                kind = {"model": "copied", "KV": "kv"}.get(match[2], "scratch")
                sizes[kind] += round(float(match[3]) * (1 << 20))
        return sizes

    def relaid(self):
        """Tensor -> layout, of those re-laid for speed."""
        matches = (re.search(r"repack tensor (\S+) with (\S+)", text) for _, text in self.lines)
        return {match[1]: match[2] for match in matches if match}


def find_library():
    """The package, or why it cannot be used."""
    if broken:
        return None, broken
    needed = {"llama_model_params": {"use_extra_bufts", "devices"},
              "llama_context_params": {"kv_unified", "swa_full", "op_offload"}}
    for structure, fields in needed.items():
        lacking = fields - {field[0] for field in getattr(library, structure)._fields_}
        if lacking:
            return None, f"llama-cpp-python {library.__version__} is too old: no {structure}.{sorted(lacking)[0]}"
    return library, None


if __name__ == "__main__":
    sys.exit(Worker(LlamaCpp()).serve())
