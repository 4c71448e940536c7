"""The parent's side of the protocol, for tests: starts a worker, calls it, checks the grammar of what comes back."""

import json
import os
import queue
import struct
import subprocess
import threading

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OPTIONS = {"threads": None, "context": 64, "sequences": 1, "chunk": 512, "kv": "f16", "numerics": None, "repack": True,
           "profile": False}
SAMPLING = {"min_repetitions": 3, "max_repetitions": 4, "max_seconds": 0.05, "interval": 0.01, "warm_up_seconds": 0.01}
FACTS = {"device", "isa", "adapter", "driver", "threads", "context", "sequences", "chunk", "kv", "numerics",
         "mapped_bytes", "copied_bytes", "kv_bytes", "scratch_bytes", "streamed_bytes", "kernels", "notes"}
SAMPLE = {"started_ns", "nanoseconds", "tokens", "cpu_ns", "emits_ns", "marks"}


class Lost(Exception):
    """The worker is gone."""


class Fault(Exception):
    """The call failed."""

    def __init__(self, fault):
        super().__init__(fault["message"])
        self.kind, self.fix = fault["kind"], fault["fix"]


class Peer:
    """One worker process."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, **(environment or {})})
        self.lines, self.id, self.samples, self.beats = queue.Queue(), 0, [], 0
        # Called when samples arrive.
        self.at_samples = lambda: None
        # Both are drained, so that a talkative engine never blocks.
        self.errors = []
        self.readers = [threading.Thread(target=self.read, daemon=True),
                        threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True)]
        for reader in self.readers:
            reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join()
        for end in (self.process.stdin, self.process.stdout, self.process.stderr):
            end.close()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def ask(self, call):
        """Sends a call without waiting; its id."""
        self.id += 1
        self.process.stdin.write(json.dumps({"id": self.id, "call": call}).encode() + b"\n")
        self.process.stdin.flush()
        return self.id

    def call(self, call, seconds=20):
        """The answer to a call."""
        return self.answer(self.ask(call), seconds)

    def answer(self, id, seconds=20):
        """The answer to the call of this id, its events noted."""
        while True:
            try:
                line = self.lines.get(timeout=seconds)
            except queue.Empty:
                raise TimeoutError(f"no line in {seconds} s") from None
            if line is None:
                raise Lost(f"exit status {self.process.wait()}")
            message = json.loads(line)
            (kind, body), = message.items()
            if kind == "heartbeat":
                self.beats += 1
                continue
            assert body["id"] == id, message
            if kind == "reply":
                assert set(body) == {"id", "answer"}, message
                return body["answer"]
            if kind == "fault":
                assert set(body) == {"id", "kind", "message", "fix"}, message
                raise Fault(body)
            if kind == "samples":
                self.samples += body["samples"]
                self.at_samples()
            else:
                assert kind == "progress" and set(body) == {"id", "done", "total"}, message

    def open(self, backend):
        """Says hello and lists devices."""
        hello = self.call({"hello": {"protocol": 1}})["hello"]
        assert set(hello) == {"protocol", "name", "version", "backends"} and backend in hello["backends"], hello
        return self.call({"devices": {"backend": backend}})["devices"]["devices"]

    def load(self, device, model, **options):
        """Loads a model; the facts."""
        answer = self.call({"load": {"device": device, "model": model, "options": {**OPTIONS, **options}}})["loaded"]
        assert set(answer["facts"]) == FACTS, answer
        return answer["facts"]

    def measure(self, test, **sampling):
        """Prepares, warms up and samples; the samples."""
        assert self.call({"prepare": {"test": test}}) == "prepared"
        warm_up = self.call({"warm_up": {"test": test, "seconds": 0.005}})["warmed_up"]["warm_up"]
        assert set(warm_up) == {"repetitions", "nanoseconds", "steady"} and warm_up["repetitions"] >= 1, warm_up
        self.samples = []
        answer = self.call({"sample": {"test": test, "sampling": {**SAMPLING, **sampling}}})["sampled"]
        assert answer["repetitions"] == len(self.samples) and set(answer["facts"]) == FACTS, answer
        assert all(set(sample) == SAMPLE for sample in self.samples)
        return self.samples


def observation(path):
    """A verification file, read strictly: vocab, {path: rows}, sequences, ids."""
    with open(path, "rb") as file:
        data = file.read()
    magic, version, kind, vocab, groups = struct.unpack_from("<4s4I", data)
    assert (magic, version, kind) == (b"YVER", 2, 0), data[:16]
    at, rows = 20, {}
    for _ in range(groups):
        name, count = struct.unpack_from("<2I", data, at)
        values = struct.unpack_from(f"<{count}f", data, at + 8)
        rows[name] = [values[i:i + vocab] for i in range(0, count, vocab)]
        at += 8 + 4 * count
    sequences, count = struct.unpack_from("<2I", data, at)
    ids = list(struct.unpack_from(f"<{count}I", data, at + 8))
    assert at + 8 + 4 * count == len(data), "bytes beyond the end"
    return vocab, rows, sequences, ids


def write_model(path, vocab=50, architecture="llama"):
    """A GGUF file with a header and no weights worth the name: enough for what reads headers."""
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    def number(key, value):
        return text(f"{architecture}.{key}") + struct.pack("<II", 4, value)

    keys = [text("general.architecture") + struct.pack("<I", 8) + text(architecture)]
    keys += [number(*pair) for pair in [("vocab_size", vocab), ("block_count", 2), ("embedding_length", 32),
                                        ("attention.head_count", 4), ("attention.head_count_kv", 2)]]
    keys.append(text("tokenizer.ggml.merges") + struct.pack("<IIQ", 9, 8, 2) + text("a b") + text("c d"))
    tensors = [text("token_embd.weight") + struct.pack("<IQQIQ", 2, 32, vocab, 8, 0),
               text("blk.0.attn_q.weight") + struct.pack("<IQQIQ", 2, 32, 32, 2, 0),
               text("output.weight") + struct.pack("<IQQIQ", 2, 32, vocab, 8, 0)]
    with open(path, "wb") as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys)) + b"".join(keys + tensors))
    return path
