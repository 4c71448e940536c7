"""What a session of tokens does for the protocol: bring sequences to a depth, the timed region of each test, the
verification script, logits. The same tokens and the same region as the built-in devices': harness/measure/src/timed.rs
and backends/api/src/verify. Knows no engine: one subclasses `TokenSession`. Standard library only.
"""

import struct
import time

from worker import Fault, unsupported

# The script of a verification, version 2 (backends/api/src/verify/script.rs): ranges of the script's tokens.
SCRIPT_VERSION, SCRIPT_TOKENS, SCRIPT_CONTEXT = 2, 32, 32
PREFILL = [(0, 9), (9, 14)]
STEPS = [(i, i + 1) for i in range(14, 20)]
KEEP, BRANCH = 12, [(20, 23), (23, 24)]
FORK = 7
BATCHES = [[(0, (24, 25)), (1, (27, 30))], [(1, (30, 31)), (0, (25, 26))], [(0, (26, 27)), (1, (31, 32))]]
FIRST, GENERATED = [FORK, 24], 6
# Logits held at once (16 MiB), as harness/measure/src/worker/calls/bulk.rs.
MOST_LOGITS = 1 << 22
# Tokens before the newest that a stop may begin in, as harness/measure/src/timed/complete.rs.
LOOK_BACK = 16
PATHS = {"prefill": 0, "step": 1, "truncate": 2, "batch": 3}


def prompt(vocab, length):
    """The tokens of every test: fixed, seeded by nothing but the vocabulary's size; the same for every device."""
    mask, state, tokens = (1 << 64) - 1, 0x9E37_79B9_7F4A_7C15 ^ vocab, []
    for _ in range(length):
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) & mask
        tokens.append((state >> 33) % max(vocab, 1))
    return tokens


class TokenSession:
    """A model resident on a device. A subclass gives `vocab`, `sequences`, `context`, `numerics` and the calls below."""

    vocab, sequences, context, numerics = 0, 1, 0, "f32"
    # Positions of sequence 0 that hold the tests' filler.
    filled = 0

    def fill(self, spans, rows):
        """Writes the next batch: spans are (sequence, tokens), appended at each sequence's end; rows that need logits:
        "none", "last" of each span or "all"."""
        raise NotImplementedError

    def run(self):
        """Runs the batch; may return before the device has finished."""
        raise NotImplementedError

    def synchronize(self):
        """Returns when the device is idle."""
        raise NotImplementedError

    def argmax(self, row):
        """Index of the largest of a row's logits, the lowest among equals. Rows count those asked for; synchronizes."""
        raise NotImplementedError

    def row(self, row):
        """A row's logits as little-endian f32; synchronizes."""
        raise NotImplementedError

    def truncate(self, sequence, length):
        """Shortens a sequence; 0 empties it."""
        raise NotImplementedError

    def copy(self, source, target):
        """Makes one sequence a copy of another."""
        raise NotImplementedError

    def length(self, sequence):
        """Positions a sequence holds, as the device tells it."""
        raise NotImplementedError

    def reload(self):
        """Closes, then opens the model again; inside the clock of `load`. `close` was called before."""
        raise NotImplementedError

    def encode(self, text):
        """Ids of a text, with the begin of text where the model asks for it; control tokens in it stay text."""
        raise unsupported("this worker has no tokenizer")

    def decode(self, ids):
        """Bytes of ids."""
        raise unsupported("this worker has no tokenizer")

    def ends(self, id):
        """Whether an answer ends with this id: the end of text, or another control token."""
        raise unsupported("this worker has no tokenizer")

    # What the protocol asks for.

    def prepare(self, test, progress, stop):
        """Brings every sequence to the test's depth."""
        depth, tokens = test.depth, self.tokens(test)
        at = min(self.filled, depth, self.length(0))
        self.filled = 0
        self.truncate(0, at)
        while at < depth:
            end = min(at + 512, depth)
            self.forward([(0, tokens[at:end])], "none")
            self.synchronize()
            at = end
            progress(at, depth)
            if stop():
                return
        for sequence in range(1, self.sequences):
            self.truncate(sequence, 0)
            if depth:
                self.copy(0, sequence)
        self.synchronize()
        self.filled = depth

    def repeat(self, test, epoch, stop):
        """One timed repetition as a sample, None if `stop` said so."""
        if test.kind == "load":
            return self.load_again(test, epoch)
        if self.filled < test.depth:
            raise Fault("invalid", f"{test.name} was not prepared")
        self.filled = test.depth
        for sequence in range(self.sequences):
            self.truncate(sequence, test.depth)
        self.synchronize()
        if test.kind == "tg":
            sample = self.generate_timed(test, epoch, stop)
        else:
            sample = self.prefill_timed(test, epoch)
        if sample is not None:
            self.check_lengths(test)
        return sample

    def prefill_timed(self, test, epoch):
        """`pp`: until the device is idle, the last logits computed. `ttft`: until the first id is at the host."""
        tokens = self.tokens(test)[test.depth:test.depth + test.tokens]
        self.fill([(sequence, tokens) for sequence in range(self.sequences)], "last")
        cpu = time.process_time_ns()
        start = time.perf_counter_ns()
        self.run()
        if test.kind == "ttft":
            for row in range(self.sequences):
                self.argmax(row)
            taken = time.perf_counter_ns() - start
        else:
            self.synchronize()
            taken = time.perf_counter_ns() - start
        cpu = time.process_time_ns() - cpu
        emits = [taken] if test.kind == "ttft" else []
        return test.sample(epoch, start, taken, self.sequences, cpu, emits)

    def generate_timed(self, test, epoch, stop):
        """`tg`: greedy steps; the ids of each step are stamped when they reach the host."""
        first = self.tokens(test)[test.depth]
        stamps = []

        def emit(_ids):
            stamps.append(time.perf_counter_ns() - start)
            return stop()

        cpu = time.process_time_ns()
        start = time.perf_counter_ns()
        self.steps([(sequence, first) for sequence in range(self.sequences)], test.tokens, emit)
        self.synchronize()
        taken = time.perf_counter_ns() - start
        cpu = time.process_time_ns() - cpu
        if len(stamps) < test.tokens:
            return None
        return test.sample(epoch, start, taken, self.sequences, cpu, stamps)

    def load_again(self, test, epoch):
        """`load`: from a closed file to one token answered."""
        self.close()
        self.filled = 0
        cpu = time.process_time_ns()
        start = time.perf_counter_ns()
        self.reload()
        self.forward([(0, [0])], "last")
        self.argmax(0)
        taken = time.perf_counter_ns() - start
        return test.sample(epoch, start, taken, 1, time.process_time_ns() - cpu, [taken])

    def generate(self, tokens, n, stop):
        """Greedy ids after a prompt, from an empty sequence."""
        if not tokens:
            raise Fault("invalid", "generate takes at least one token")
        self.filled = 0
        self.truncate(0, 0)
        if tokens[:-1]:
            self.forward([(0, tokens[:-1])], "none")
        ids = []

        def emit(new):
            ids.extend(new)
            return stop()

        self.steps([(0, tokens[-1])], n, emit)
        return ids

    def complete(self, prompt, n, stops, epoch, stop):
        """The greedy answer to a text, from an empty sequence. Inside the clock: encoding to decoding."""
        if not prompt or n < 1:
            raise Fault("invalid", "complete takes a prompt and at least one token")
        self.filled = 0
        self.truncate(0, 0)
        self.synchronize()
        ids, stamps, reason = [], [], "length"
        look_back = max([LOOK_BACK] + [len(end.encode()) for end in stops])

        def emit(new):
            nonlocal reason
            stamps.append(time.perf_counter_ns() - start)
            ids.extend(new)
            if self.ends(ids[-1]):
                reason = "end"
            elif stops and any(end in self.text(ids[-look_back:]) for end in stops):
                reason = "stop"
            return reason != "length" or len(ids) >= n or stop()

        cpu = time.process_time_ns()
        start = time.perf_counter_ns()
        tokens = self.encode(prompt)
        if not tokens:
            raise Fault("invalid", "the prompt has no tokens")
        if len(tokens) + n > self.context:
            raise Fault("invalid", f"a prompt of {len(tokens)} tokens and an answer of up to {n} do not fit into "
                                   f"{self.context} positions")
        if tokens[:-1]:
            self.forward([(0, tokens[:-1])], "none")
        self.steps([(0, tokens[-1])], n, emit)
        self.synchronize()
        text = self.text(ids[:-1] if reason == "end" else ids)
        text = text[:min([text.find(end) for end in stops if end in text], default=None)]
        taken = time.perf_counter_ns() - start
        sample = {"started_ns": start - epoch, "nanoseconds": taken, "tokens": len(ids),
                  "cpu_ns": time.process_time_ns() - cpu, "emits_ns": stamps, "marks": []}
        return {"text": text, "prompt_tokens": len(tokens), "tokens": len(ids), "ended": reason, "sample": sample}

    def text(self, ids):
        return self.decode(ids).decode("utf-8", "replace")

    def logits(self, tokens, step, file, held=0, skip=0):
        """Writes the logits of all tokens but the first `skip`, of which sequence 0 still holds `held`."""
        if not tokens:
            raise Fault("invalid", "logits takes at least one token")
        if not 0 <= held <= skip < len(tokens) or held > self.length(0):
            raise Fault("invalid", f"logits of {len(tokens)} tokens: found held {held} and skip {skip}")
        self.filled = 0
        self.truncate(0, held)
        if held < skip:
            self.forward([(0, tokens[held:skip])], "none")
        most = 1 if step else max(1, MOST_LOGITS // self.vocab)
        with open(file, "wb") as out:
            for start in range(skip, len(tokens), most):
                out.writelines(self.all_rows([(0, tokens[start:start + most])]))
        return {"rows": len(tokens) - skip, "vocab": self.vocab}

    def observe(self, file):
        """Runs the verification script and writes what was answered (backends/api/src/verify/{observe,file}.rs)."""
        if self.context < SCRIPT_CONTEXT:
            raise unsupported(f"verification takes {SCRIPT_CONTEXT} positions, the context holds {self.context}",
                              f"set context to at least {SCRIPT_CONTEXT}")
        self.filled = 0
        two = self.sequences >= 2
        self.empty(two)
        tokens = prompt(self.vocab, SCRIPT_TOKENS)
        part = lambda span: tokens[span[0]:span[1]]
        alone = lambda spans: [row for span in spans for row in self.all_rows([(0, part(span))])]
        groups = {"prefill": alone(PREFILL), "step": alone(STEPS)}
        self.truncate(0, KEEP)
        groups["truncate"] = alone(BRANCH)
        if two:
            self.copy(0, 1)
            self.truncate(1, FORK)
            groups["batch"] = [row for batch in BATCHES
                               for row in self.all_rows([(sequence, part(span)) for sequence, span in batch])]
        self.truncate(0, FORK)
        ids = []
        first = [(sequence, tokens[FIRST[sequence]]) for sequence in range(2 if two else 1)]
        self.steps(first, GENERATED, ids.extend)
        self.empty(two)
        with open(file, "wb") as out:
            out.write(b"YVER" + struct.pack("<4I", SCRIPT_VERSION, 0, self.vocab, len(groups)))
            for path, rows in groups.items():
                out.write(struct.pack("<2I", PATHS[path], len(rows) * self.vocab))
                out.writelines(rows)
            out.write(struct.pack(f"<{2 + len(ids)}I", len(first), len(ids), *ids))
        generated = {"sequences": len(first), "ids": ids}
        return {"observed": {"numerics": self.numerics, "generated": generated}}

    # Steps of the above.

    def tokens(self, test):
        """(depth + tokens): the depth's filler, then the prompt."""
        return prompt(self.vocab, test.depth + test.tokens + (test.kind == "ttft"))

    def forward(self, spans, rows):
        self.fill(spans, rows)
        self.run()

    def all_rows(self, spans):
        """One call with the logits of every row."""
        self.forward(spans, "all")
        return [self.row(row) for row in range(sum(len(tokens) for _, tokens in spans))]

    def steps(self, first, n, emit):
        """Greedy generation; `emit` gets the ids of each step and may end it."""
        spans = [(sequence, [token]) for sequence, token in first]
        for _ in range(n):
            self.forward(spans, "last")
            ids = [self.argmax(row) for row in range(len(spans))]
            if emit(ids):
                return
            spans = [(sequence, [id]) for (sequence, _), id in zip(spans, ids)]

    def empty(self, two):
        for sequence in range(2 if two else 1):
            self.truncate(sequence, 0)

    def check_lengths(self, test):
        """A device that dropped tokens would look fast."""
        for sequence in range(self.sequences):
            if self.length(sequence) != test.depth + test.tokens:
                raise Fault("device", f"sequence {sequence} holds {self.length(sequence)} positions after {test.name}, "
                                      f"expected {test.depth + test.tokens}")
