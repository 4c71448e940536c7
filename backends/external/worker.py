"""The worker's side of backends/PROTOCOL.md, for engines driven from Python: stdio, calls, heartbeats, samples.

Knows no engine. An engine says what it can (`Engine`) and runs what is loaded (a session: `session.TokenSession`,
or anything with the same `prepare`, `repeat` and `observe`). Standard library only.
"""

import gc
import json
import math
import os
import queue
import re
import sys
import threading
import time
import traceback

PROTOCOL = 1
MAX_LINE = 16 << 20
HEARTBEAT_S = 0.5
# Samples are sent at most this often: sending wakes the parent, which may share the device's cores.
SEND_EVERY_NS = 1_000_000_000
# Stamps sent in one message; keeps lines far below their cap.
SEND_STAMPS = 100_000
# The fields of each call. A field beside them is an error, so that a typing error is not silence.
CALLS = {
    "hello": {"protocol"}, "devices": {"backend"}, "plan": {"device", "model", "options"},
    "load": {"device", "model", "options"}, "observe": {"file"}, "expect": {"generated", "file"},
    "prepare": {"test"}, "warm_up": {"test", "seconds"}, "sample": {"test", "sampling"},
    "ceiling": {"device", "limit", "threads"}, "generate": {"tokens", "n"}, "logits": {"tokens", "step", "file"},
    "complete": {"prompt", "n"}, "unload": set(), "profile": set(), "stop": set(),
}
# Fields that may be absent, and what they are then.
OPTIONAL = {"logits": {"held": 0, "skip": 0}, "complete": {"stop": []}}
NEEDS_MODEL = {"observe", "expect", "prepare", "warm_up", "sample", "generate", "logits", "complete",
               "profile"}


class Fault(Exception):
    """A call that failed in a worker that lives on. Kinds: PROTOCOL.md."""

    def __init__(self, kind, message, fix=None):
        super().__init__(message)
        self.kind, self.message, self.fix = kind, message, fix


def unsupported(message, fix=None):
    """The combination cannot run here: its cells are skipped."""
    return Fault("unsupported", message, fix)


def unavailable(reason):
    """In place of a value that is missing: never 0, never a guess."""
    return {"unavailable": reason}


class Test:
    """`tg64@d512`: kind, tokens, depth."""

    def __init__(self, name):
        match = re.fullmatch(r"(pp|tg|ttft)([0-9]+)?(?:@d([0-9]+))?|load", name)
        if not match or (match[2] is None and match[1] in ("pp", "tg")):
            raise Fault("invalid", f"test {name!r} is not known")
        self.name, self.kind = name, match[1] or "load"
        self.tokens = 1 if self.kind == "load" else int(match[2] or 512)
        self.depth = int(match[3] or 0)

    def sample(self, epoch, start, taken, sequences, cpu_ns, emits):
        """One repetition as PROTOCOL.md writes it."""
        tokens = 1 if self.kind == "load" else self.tokens * sequences
        return {"started_ns": start - epoch, "nanoseconds": taken, "tokens": tokens, "cpu_ns": cpu_ns,
                "emits_ns": emits, "marks": []}


class Engine:
    """What a worker is made of; subclass it."""

    name, version, backend = "unnamed", "0", "unnamed"

    def devices(self):
        """Statuses: `{"ready": DEVICE}` or `{"missing": {"id", "reason", "fix"}}`."""
        raise NotImplementedError

    def plan(self, device, model, options):
        """The footprint, or `unsupported`. Allocates nothing, does no device work."""
        raise NotImplementedError

    def load(self, device, model, options):
        """A session: facts(), prepare(test, progress, stop), repeat(test, epoch, stop), observe(file),
        generate(tokens, n, stop), logits(tokens, step, file, held, skip), close(); where it knows text,
        complete(prompt, n, stops, epoch, stop)."""
        raise NotImplementedError


class Worker:
    """Serves the protocol on stdin and stdout. One thread answers calls in order, one reads requests (so that a cancel
    and the parent's end are noticed during a call), one sends heartbeats."""

    def __init__(self, engine):
        self.engine, self.session = engine, None
        self.epoch = time.perf_counter_ns()
        self.requests = queue.Queue()
        self.cancelled = -1
        self.sending = threading.Lock()
        self.incoming, self.outgoing = take_stdio()

    def serve(self):
        """Until told to stop or until the parent is gone; the exit status."""
        threading.Thread(target=self.read, daemon=True).start()
        threading.Thread(target=self.beat, daemon=True).start()
        while True:
            id, call = self.requests.get()
            if id is None:
                print(f"worker: not a request: {call}", file=sys.stderr)
                return 1
            self.send(self.message(id, call))
            if call == "stop":
                return 0

    def read(self):
        """Puts requests into the queue. The parent's end ends the process, also during a call."""
        while True:
            line = self.incoming.readline(MAX_LINE + 1)
            if not line.endswith(b"\n"):
                if len(line) <= MAX_LINE:
                    os._exit(0)
                return self.requests.put((None, f"a line longer than {MAX_LINE} bytes"))
            try:
                request = json.loads(line)
                id, call = request["id"], request["call"]
                if call == "cancel":
                    self.cancelled = id
                else:
                    self.requests.put((id, call))
            except (ValueError, TypeError, KeyError) as error:
                return self.requests.put((None, repr(error)))

    def beat(self):
        """A sign of life twice a second, also during a call: engines must release the interpreter while they compute."""
        beat = 0
        while True:
            time.sleep(HEARTBEAT_S)
            beat += 1
            self.send({"heartbeat": {"beat": beat}})

    def send(self, message):
        """One message is one line; threads take turns."""
        line = json.dumps(message, allow_nan=False).encode() + b"\n"
        with self.sending:
            try:
                self.outgoing.write(line)
                self.outgoing.flush()
            except OSError:
                os._exit(0)

    def message(self, id, call):
        """The answer to a call, or the fault in place of one."""
        try:
            return {"reply": {"id": id, "answer": self.answer(id, call)}}
        except Fault as fault:
            kind, message, fix = fault.kind, fault.message, fault.fix
        except MemoryError:
            kind, message, fix = "out_of_memory", "the interpreter found no memory", None
        except OSError as error:
            kind, message, fix = "io", str(error), None
        except Exception as error:  # a mistake in the worker: the cell fails, the worker lives on
            traceback.print_exc()
            kind, message, fix = "device", f"{type(error).__name__}: {error}", None
        return {"fault": {"id": id, "kind": kind, "message": message, "fix": fix}}

    def answer(self, id, call):
        """Does what is asked: each call is the method of its name, its fields are the arguments."""
        name, asked = (call, {}) if isinstance(call, str) else next(iter(call.items()))
        asked = {**OPTIONAL.get(name, {}), **asked}
        if name not in CALLS or CALLS[name] | set(OPTIONAL.get(name, {})) != set(asked):
            raise Fault("invalid", f"call {name!r} with fields {sorted(asked)} is not known")
        if name in NEEDS_MODEL and self.session is None:
            raise Fault("invalid", "no model is loaded")
        if "test" in asked:
            asked["test"] = Test(asked["test"])
        return getattr(self, name)(Call(self, id), **asked)

    def hello(self, _call, protocol):
        if protocol != PROTOCOL:
            raise Fault("invalid", f"protocol {protocol} is not spoken here, only {PROTOCOL}")
        return {"hello": {"protocol": PROTOCOL, "name": self.engine.name, "version": self.engine.version,
                          "backends": [self.engine.backend]}}

    def devices(self, _call, backend):
        if backend != self.engine.backend:
            raise Fault("invalid", f"there is no backend {backend!r} here, only {self.engine.backend}")
        return {"devices": {"devices": self.engine.devices()}}

    def plan(self, _call, device, model, options):
        return {"planned": {"footprint": self.engine.plan(device, model, options)}}

    def load(self, _call, device, model, options):
        self.drop()
        start = time.perf_counter_ns()
        self.session = self.engine.load(device, model, options)
        taken = time.perf_counter_ns() - start
        return {"loaded": {"facts": self.session.facts(), "load_ns": taken}}

    def observe(self, _call, file):
        return self.session.observe(file)

    def expect(self, _call, generated, file):
        raise Fault("invalid", f"expect is answered by the reference, not by {self.engine.name}")

    def prepare(self, call, test):
        self.session.prepare(test, call.progress, call.stop)
        return "prepared"

    def warm_up(self, call, test, seconds):
        repeat = lambda: None if call.stop() else self.session.repeat(test, self.epoch, call.stop)
        return {"warmed_up": {"warm_up": warm_up(seconds, repeat)}}

    def sample(self, call, test, sampling):
        """Repeats the test; every sample is sent once, before the answer."""
        times, pending, sent = [], [], time.perf_counter_ns()
        gc.collect()
        gc.disable()  # a collection within the clock would be the interpreter's time, not the engine's
        try:
            while not call.stop() and not enough(times, sampling):
                sample = self.session.repeat(test, self.epoch, call.stop)
                if sample is None:
                    break
                times.append(sample["nanoseconds"])
                pending.append(sample)
                stamps = sum(len(sample["emits_ns"]) for sample in pending)
                if time.perf_counter_ns() - sent >= SEND_EVERY_NS or stamps >= SEND_STAMPS:
                    call.samples(pending)
                    pending, sent = [], time.perf_counter_ns()
        finally:
            gc.enable()
        if pending:
            call.samples(pending)
        return {"sampled": {"repetitions": len(times), "facts": self.session.facts()}}

    def ceiling(self, _call, device, limit, threads):
        return {"ceiling": {"reached": unavailable(f"{device} measures no limits")}}

    def generate(self, call, tokens, n):
        return {"generated": {"ids": self.session.generate(tokens, n, call.stop)}}

    def logits(self, _call, tokens, step, held, skip, file):
        return {"logits": self.session.logits(tokens, step, file, held, skip)}

    def complete(self, call, prompt, n, stop):
        if not hasattr(self.session, "complete"):
            raise unsupported(f"{self.engine.name} answers token ids, no text")
        return {"completed": self.session.complete(prompt, n, stop, self.epoch, call.stop)}

    def unload(self, _call):
        self.drop()
        return "unloaded"

    def profile(self, _call):
        return {"profile": {"profile": None}}

    def stop(self, _call):
        self.drop()
        return "stopped"

    def drop(self):
        if self.session is not None:
            self.session.close()
            self.session = None


class Call:
    """The call under way: whether it was cancelled, and its events."""

    def __init__(self, worker, id):
        self.worker, self.id = worker, id

    def stop(self):
        """A cancel's id is above that of the call it means."""
        return self.worker.cancelled > self.id

    def progress(self, done, total):
        self.worker.send({"progress": {"id": self.id, "done": done, "total": total}})

    def samples(self, samples):
        self.worker.send({"samples": {"id": self.id, "samples": samples}})


def take_stdio():
    """Moves the protocol to private descriptors: what a library prints goes to stderr and can break no line."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return incoming, outgoing


def warm_up(seconds, repeat):
    """Repeats until two consecutive blocks agree within 5 % or the time is up; at least once. A block is as many
    repetitions as take a tenth of the time. `repeat` gives a sample, or None to end early."""
    if not (isinstance(seconds, (int, float)) and math.isfinite(seconds) and seconds >= 0):
        raise Fault("invalid", "warm-up seconds must be a duration")
    cap, repetitions, total, steady = seconds * 1e9, 0, 0, False
    previous, block = None, []
    while not steady and (repetitions == 0 or total < cap) and repetitions < 1_000_000:
        sample = repeat()
        if sample is None:
            break
        repetitions += 1
        total += sample["nanoseconds"]
        block.append(sample["nanoseconds"])
        if sum(block) >= cap / 10:
            mean = sum(block) / len(block)
            steady = previous is not None and abs(previous - mean) <= 0.05 * min(previous, mean)
            previous, block = mean, []
    return {"repetitions": repetitions, "nanoseconds": total, "steady": steady}


def enough(times, sampling):
    """No further repetition is needed or allowed."""
    n = len(times)
    if n < sampling["min_repetitions"]:
        return False
    if n >= sampling["max_repetitions"] or sum(times) >= sampling["max_seconds"] * 1e9:
        return True
    width = half_width(times)
    return width is not None and width <= sampling["interval"]


def half_width(times):
    """Half the width of the median's 95 % interval as a fraction of the median, from order statistics; None below six
    values, where no such interval exists. Decides when to stop and nothing else."""
    n, ordered = len(times), sorted(times)
    rank = lower_rank(n)
    if rank is None:
        return None
    median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return (ordered[n - 1 - rank] - ordered[rank]) / 2 / median if median > 0 else 0.0


def lower_rank(n):
    """Index of the interval's lower end: the largest k with P(at most k of n fair coins are heads) <= 2.5 %."""
    if n > 500:
        return int(n / 2 - 0.98 * math.sqrt(n))
    total, rank = 0.0, None
    for k in range(n // 2):
        total += math.comb(n, k) / 2 ** n
        if total > 0.025:
            break
        rank = k
    return rank
