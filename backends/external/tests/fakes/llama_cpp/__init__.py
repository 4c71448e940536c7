"""Stands in for llama-cpp-python: its low-level calls over a model that can be checked by hand. The logits of a row are a
function of all tokens of its sequence up to it, so a wrong position, a stale row or a mixed-up sequence shows.

FAKE_LLAMA chooses how it misbehaves: "crash" or "hang" in prefill, "noise" (prints to stdout), "nan", "full", "broken".
"""

import ctypes
import os
import signal
import time
import types

__version__ = "0.0-fake"
MODE = os.environ.get("FAKE_LLAMA", "")
if MODE == "broken":
    raise RuntimeError("Failed to load shared library: libgomp.so.1")
VOCAB = 50
llama_log_callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
llama_cpp = types.SimpleNamespace(__file__=__file__)
log = None


def logit(tokens, column):
    """Of the row of the last of these tokens."""
    state = 17
    for token in tokens:
        state = (state * 31 + token + 1) % 100_003
    return float((state * (column + 3)) % 997)


class llama_model_params(ctypes.Structure):
    _fields_ = [("devices", ctypes.c_void_p), ("n_gpu_layers", ctypes.c_int), ("use_extra_bufts", ctypes.c_bool)]


class llama_context_params(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in (
        "n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_threads", "n_threads_batch", "type_k", "type_v",
        "offload_kqv", "op_offload", "kv_unified", "swa_full")]


class Context:
    def __init__(self, params):
        self.params, self.sequences, self.logits = params, [[] for _ in range(params.n_seq_max)], {}


def llama_log_set(callback, _data):
    global log
    log = callback


def say(level, text):
    log(level, text.encode(), None)


def llama_model_default_params():
    return llama_model_params(None, -1, True)


def llama_context_default_params():
    return llama_context_params(kv_unified=1)


def llama_model_load_from_file(path, params):
    assert params.n_gpu_layers == 0 and params.devices
    if b"strange" in path:
        say(4, "llama_model_load: error loading model: unknown model architecture: 'strange'\n")
        return None
    say(2, "load_tensors:   CPU_Mapped model buffer size =    3.00 MiB\n")
    if params.use_extra_bufts:
        say(1, "repack: repack tensor blk.0.attn_q.weight with q4_0_8x8\n")
        say(2, "load_tensors:   CPU_REPACK model buffer size =    0.50 MiB\n")
    return object()


def llama_init_from_model(_model, params):
    if MODE == "full":
        say(4, "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 9\n")
        return None
    say(2, "llama_kv_cache:        CPU KV buffer size =     0.25 MiB\n")
    say(2, "sched_reserve: Flash Attention enabled\n")
    say(2, "sched_reserve:        CPU compute buffer size =     1.00 MiB\n")
    return Context(params)


def llama_decode(context, batch):
    if MODE == "noise":
        os.write(1, b"llama.cpp prints what it likes\n")
    if batch.n_tokens > 1 and MODE == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if batch.n_tokens > 1 and MODE == "hang":
        time.sleep(3600)
    context.logits = {}
    for i in range(batch.n_tokens):
        sequence = context.sequences[batch.seq_id[i][0]]
        assert batch.pos[i] == len(sequence), "a position was left out or used twice"
        sequence.append(batch.token[i])
        if batch.logits[i]:
            values = [logit(sequence, column) for column in range(VOCAB)]
            context.logits[i] = (ctypes.c_float * VOCAB)(*values)
            if MODE == "nan":
                context.logits[i][7] = float("nan")
    return 0


def llama_get_logits_ith(context, i):
    return ctypes.pointer(ctypes.cast(context.logits[i], ctypes.POINTER(ctypes.c_float)).contents)


def llama_batch_init(n, _embd, _n_seq):
    rows = lambda: [0] * n
    return types.SimpleNamespace(n_tokens=0, token=rows(), pos=rows(), n_seq_id=rows(), logits=rows(),
                                 seq_id=[[0] for _ in range(n)])


def llama_memory_seq_rm(context, sequence, start, end):
    assert end == -1
    del context.sequences[sequence][max(start, 0):]
    return True


def llama_memory_seq_cp(context, source, target, start, end):
    assert (start, end) == (-1, -1)
    context.sequences[target] = list(context.sequences[source])


def llama_memory_seq_pos_max(context, sequence):
    return len(context.sequences[sequence]) - 1


def llama_get_memory(context):
    return context


def llama_model_get_vocab(model):
    return model


def llama_vocab_n_tokens(_vocab):
    return VOCAB


def llama_tokenize(_vocab, text, length, ids, most, special, parse_special):
    """A token a byte, and one before them: what a model with a begin of text does."""
    assert length == len(text) and special and not parse_special
    found = [1] + [3 + byte % (VOCAB - 3) for byte in text]
    if len(found) > most:
        return -len(found)
    ids[:len(found)] = found
    return len(found)


def llama_token_to_piece(_vocab, id, buffer, length, _lstrip, special):
    """`<7>`: no letter of its own would show which token it was."""
    assert not special
    piece = f"<{id}>".encode()
    if len(piece) > length:
        return -len(piece)
    buffer.raw = piece + buffer.raw[len(piece):]
    return len(piece)


def llama_vocab_is_eog(_vocab, id):
    return id == 2


def llama_vocab_is_control(_vocab, id):
    return id == 1


def llama_n_ctx_seq(context):
    return -(-(context.params.n_ctx // context.params.n_seq_max) // 256) * 256


def llama_n_seq_max(context):
    return context.params.n_seq_max


def llama_n_batch(context):
    return context.params.n_batch


def llama_n_ubatch(context):
    return context.params.n_ubatch


def llama_n_threads(context):
    return context.params.n_threads


def llama_synchronize(_context):
    pass


def llama_batch_free(_batch):
    pass


def llama_free(_context):
    pass


def llama_model_free(_model):
    pass


def llama_print_system_info():
    return b"CPU : AVX2 = 1 | AVX512 = 0 | AMX_INT8 = 1 | OPENMP = 1 | "
