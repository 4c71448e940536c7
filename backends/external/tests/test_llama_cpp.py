"""llama_cpp.py over a stand-in for its library: the protocol, the script, refusals, misbehaviour. Where the real package
is installed it runs a real file as well (YARDSTICK_TEST_GGUF=FILE), else that test is skipped and says so."""

import importlib.util
import os
import sys
import tempfile
import types
import unittest

from .fakes import llama_cpp as fake
from .peer import FOLDER, SAMPLE, Fault, Lost, Peer, observation, write_model

DEVICE = "llama.cpp:cpu"
FACTS = os.path.join(FOLDER, "facts.py")
SCRIPT = os.path.join(FOLDER, "llama_cpp.py")
TESTS = os.path.dirname(os.path.abspath(__file__))


def environment(mode=""):
    """Puts the stand-ins before what is installed."""
    folders = [os.path.join(TESTS, "fakes")]
    if importlib.util.find_spec("numpy") is None:
        folders.append(os.path.join(TESTS, "fakes_numpy"))
    return {"PYTHONPATH": os.pathsep.join(folders), "FAKE_LLAMA": mode}


def start(mode=""):
    return Peer([sys.executable, SCRIPT], environment(mode))


class LlamaCpp(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.model = write_model(os.path.join(folder.name, "model.gguf"))

    def test_a_missing_package_is_a_missing_device_with_the_install_line(self):
        with Peer([sys.executable, "-S", "-E", SCRIPT]) as peer:
            missing = peer.open("llama.cpp")[0]["missing"]
            self.assertEqual(missing["id"], DEVICE)
            self.assertIn("No module named", missing["reason"])
            self.assertIn("pip install", missing["fix"])
            with self.assertRaises(Fault) as refused:
                peer.load(DEVICE, self.model)
            self.assertEqual(refused.exception.kind, "unsupported")

    def test_a_broken_package_is_a_missing_device(self):
        with start("broken") as peer:
            self.assertIn("libgomp", peer.open("llama.cpp")[0]["missing"]["reason"])

    def test_every_test_is_measured_and_its_samples_fit(self):
        with start() as peer:
            ready = peer.open("llama.cpp")[0]["ready"]
            self.assertEqual((ready["id"], ready["class"], ready["numerics"]), (DEVICE, "hardware", ["a8"]))
            facts = peer.load(DEVICE, self.model, sequences=2, threads=3)
            self.assertEqual((facts["threads"], facts["context"], facts["sequences"]), (3, 256, 2))
            for test, tokens, emits in [("tg4", 8, 4), ("pp9", 18, 0), ("ttft6", 12, 1), ("tg3@d20", 6, 3), ("load", 1, 1)]:
                samples = peer.measure(test)
                self.assertGreaterEqual(len(samples), 3)
                end = 0
                for sample in samples:
                    self.assertEqual((sample["tokens"], len(sample["emits_ns"])), (tokens, emits), test)
                    self.assertEqual(sample["emits_ns"], sorted(sample["emits_ns"]))
                    self.assertTrue(all(stamp <= sample["nanoseconds"] for stamp in sample["emits_ns"]))
                    self.assertGreaterEqual(sample["started_ns"], end)
                    end = sample["started_ns"] + sample["nanoseconds"]
            self.assertEqual(peer.call("stop"), "stopped")
            self.assertEqual(peer.process.wait(10), 0)

    def test_the_script_answers_what_each_sequence_holds(self):
        """Every row of the file against the stand-in's formula over the tokens it should have seen."""
        with start() as peer:
            peer.open("llama.cpp")
            peer.load(DEVICE, self.model, sequences=2)
            file = os.path.join(self.folder, "observed")
            answer = peer.call({"observe": {"file": file}})["observed"]
            vocab, rows, sequences, ids = observation(file)
            self.assertEqual(answer, {"numerics": "a8", "generated": {"sequences": sequences, "ids": ids}})
            t = tokens_of(32)
            one = t[:12] + t[20:24]
            other = t[:7]
            expected = {0: [t[:i] for i in range(1, 15)], 1: [t[:i] for i in range(15, 21)],
                        2: [(t[:12] + t[20:24])[:i] for i in range(13, 17)],
                        3: [one + t[24:25], *(other + t[27:i] for i in (28, 29, 30)), other + t[27:31], one + t[24:26],
                            one + t[24:27], other + t[27:32]]}
            self.assertEqual({path: len(found) for path, found in rows.items()}, {0: 14, 1: 6, 2: 4, 3: 8})
            for path, histories in expected.items():
                for history, row in zip(histories, rows[path]):
                    self.assertEqual(list(row), [fake.logit(history, column) for column in range(vocab)], path)
            grown = [t[:7] + [t[7]], other + t[27:32] + [t[24]]]
            for step in range(6):
                for sequence in range(2):
                    values = [fake.logit(grown[sequence], column) for column in range(vocab)]
                    self.assertEqual(ids[step * 2 + sequence], values.index(max(values)))
                    grown[sequence].append(ids[step * 2 + sequence])

    def test_a_text_is_answered_with_a_text(self):
        """Against the stand-in's formula: what is encoded, what ends an answer, what a record gets of it."""
        def greedy(prompt, n):
            held, ids = [1] + [3 + byte % (fake.VOCAB - 3) for byte in prompt.encode()], []
            while len(ids) < n and not (ids and ids[-1] in (1, 2)):
                values = [fake.logit(held + ids, column) for column in range(fake.VOCAB)]
                ids.append(values.index(max(values)))
            return ids

        piece = lambda ids: "".join(f"<{id}>" for id in ids if id not in (1, 2))
        with start() as peer:
            peer.open("llama.cpp")
            peer.load(DEVICE, self.model)
            ended = set()
            for prompt in ["a", "zwölf", "what?", *(f"question {i}" for i in range(40))]:
                expected = greedy(prompt, 6)
                answer = peer.call({"complete": {"prompt": prompt, "n": 6}})["completed"]
                ended.add(answer["ended"])
                self.assertEqual((answer["text"], answer["tokens"]), (piece(expected), len(expected)), prompt)
                self.assertEqual(answer["ended"], "end" if expected[-1] in (1, 2) else "length", prompt)
                self.assertEqual(answer["prompt_tokens"], 1 + len(prompt.encode()))
                sample = answer["sample"]
                self.assertEqual((set(sample), sample["tokens"], len(sample["emits_ns"])),
                                 (set(SAMPLE), len(expected), len(expected)))
                self.assertLessEqual(sample["emits_ns"][-1], sample["nanoseconds"])
            self.assertEqual(ended, {"end", "length"}, "the prompts reach both")
            ids = greedy("a", 6)
            stop = f"{ids[2]}>"
            answer = peer.call({"complete": {"prompt": "a", "n": 6, "stop": ["never", stop]}})["completed"]
            cut = piece(ids)[:piece(ids).index(stop)]
            self.assertEqual((answer["text"], answer["ended"]), (cut, "stop"))
            for call in [{"prompt": "", "n": 1}, {"prompt": "a", "n": 0}, {"prompt": "a" * 300, "n": 1}]:
                with self.assertRaises(Fault) as refused:
                    peer.call({"complete": call})
                self.assertEqual(refused.exception.kind, "invalid", call)

    def test_facts_tell_sizes_layouts_and_the_compiler_trap(self):
        with start() as peer:
            peer.open("llama.cpp")
            facts = peer.load(DEVICE, self.model)
            self.assertEqual((facts["copied_bytes"], facts["kv_bytes"], facts["scratch_bytes"]), (1 << 19, 1 << 18, 1 << 20))
            self.assertEqual(facts["kernels"]["Q4_0"], "repacked q4_0_8x8")
            self.assertEqual(facts["isa"], "avx2 amx_int8")
            self.assertEqual(facts["notes"]["flash_attention"], "enabled")
            # The head is read whole in each step, the embedding is not.
            self.assertEqual(facts["streamed_bytes"], 32 * 32 // 32 * 18 + 50 * 34)
            self.assertEqual(peer.load(DEVICE, self.model, repack=False)["copied_bytes"], 0)

    def test_gcc_12_with_amx_is_told(self):
        module = load_facts()
        for comment, word in [(b"GCC: (Debian 12.2.0-14) 12.2.0", "may crash"), (b"GCC: (x) 13.1.0", "on"),
                              (b"clang version 19.1", "on")]:
            with open(os.path.join(self.folder, "libggml-cpu.so"), "wb") as file:
                file.write(b"\x7fELF..." + comment + b"\0")
            os.makedirs(os.path.join(self.folder, "lib"), exist_ok=True)
            os.replace(file.name, os.path.join(self.folder, "lib", "libggml-cpu.so"))
            library = types.SimpleNamespace(llama_cpp=types.SimpleNamespace(__file__=os.path.join(self.folder, "x.py")))
            self.assertIn(word, module.amx(library, ["AMX_INT8"]))
            self.assertNotIn("crash", module.amx(library, ["AVX2"]))

    def test_what_it_cannot_do_is_refused(self):
        with start() as peer:
            peer.open("llama.cpp")
            table = [({"numerics": "f32"}, "unsupported"), ({"kv": "q3"}, "unsupported"),
                     ({"profile": True}, "unsupported"), ({"warp": 9}, "unsupported"),
                     ({"context": 1 << 40}, "unsupported")]
            for options, kind in table:
                with self.assertRaises(Fault) as refused:
                    call = {"device": DEVICE, "model": self.model,
                            "options": {"threads": None, "context": 64, "sequences": 1, "chunk": 512, "kv": "f16",
                                        "numerics": None, "repack": True, "profile": False, **options}}
                    peer.call({"plan": call})
                self.assertEqual(refused.exception.kind, kind, options)
            with open(os.path.join(self.folder, "bad.gguf"), "wb") as file:
                file.write(b"GGUF" + b"\xff" * 60)
            for model, kind in [(file.name, "model"), (self.folder + "/none.gguf", "model")]:
                with self.assertRaises(Fault) as refused:
                    peer.load(DEVICE, model)
                self.assertEqual(refused.exception.kind, kind, model)
            strange = write_model(os.path.join(self.folder, "strange.gguf"))
            with self.assertRaises(Fault) as refused:
                peer.load(DEVICE, strange)
            self.assertEqual(refused.exception.kind, "unsupported")
            self.assertIn("unknown model architecture", str(refused.exception))
            peer.load(DEVICE, self.model)
            for call in [{"generate": {"tokens": [50], "n": 1}}, {"generate": {"tokens": [], "n": 1}},
                         {"generate": {"tokens": [1] * 300, "n": 1}}, {"sample": {"test": "tg1@d9", "sampling": {}}},
                         {"prepare": {"test": "warp9"}}, {"expect": {"generated": {}, "file": "x"}}, {"dance": {}},
                         {"prepare": {"test": "tg1", "faster": True}}]:
                with self.assertRaises(Fault) as refused:
                    peer.call(call)
                self.assertIn(refused.exception.kind, ("invalid", "device"), call)
            self.assertEqual(peer.call({"generate": {"tokens": [1], "n": 3}})["generated"]["ids"].__len__(), 3)

    def test_memory_that_is_full_is_out_of_memory(self):
        with start("full") as peer:
            peer.open("llama.cpp")
            with self.assertRaises(Fault) as refused:
                peer.load(DEVICE, self.model)
            self.assertEqual(refused.exception.kind, "out_of_memory")

    def test_what_the_library_prints_breaks_no_line(self):
        with start("noise") as peer:
            peer.open("llama.cpp")
            peer.load(DEVICE, self.model)
            self.assertEqual(len(peer.measure("tg2")[0]["emits_ns"]), 2)

    def test_nan_is_never_the_largest(self):
        with start("nan") as peer:
            peer.open("llama.cpp")
            peer.load(DEVICE, self.model)
            ids = peer.call({"generate": {"tokens": [1, 2], "n": 4}})["generated"]["ids"]
            self.assertNotIn(7, ids)

    def test_a_crash_in_prefill_ends_the_process_and_nothing_else(self):
        with start("crash") as peer:
            peer.open("llama.cpp")
            peer.load(DEVICE, self.model)
            peer.measure("tg2")
            with self.assertRaises(Lost):
                peer.measure("pp8")
            self.assertEqual(peer.process.wait(10), -11)

    def test_a_hanging_engine_still_beats_and_leaves_with_its_parent(self):
        with start("hang") as peer:
            peer.open("llama.cpp")
            peer.load(DEVICE, self.model)
            peer.ask({"generate": {"tokens": [1, 2, 3], "n": 1}})
            self.assertIn(b"heartbeat", peer.lines.get(timeout=10))
            peer.process.stdin.close()
            self.assertEqual(peer.process.wait(10), 0)

    def test_cancel_ends_a_call_early_and_keeps_what_it_has(self):
        with start() as peer:
            peer.open("llama.cpp")
            peer.load(DEVICE, self.model)
            peer.call({"prepare": {"test": "tg4"}})
            sampling = {"min_repetitions": 10**9, "max_repetitions": 10**9, "max_seconds": 1e6, "interval": 0.0}
            id = peer.ask({"sample": {"test": "tg4", "sampling": sampling}})
            peer.at_samples = lambda: peer.ask("cancel")
            answer = peer.answer(id)["sampled"]
            self.assertGreater(answer["repetitions"], 0)
            self.assertEqual(answer["repetitions"], len(peer.samples))

    def test_a_line_that_is_no_request_ends_the_worker(self):
        with start() as peer:
            peer.process.stdin.write(b"garbage\n")
            peer.process.stdin.flush()
            self.assertEqual(peer.process.wait(10), 1)

    @unittest.skipUnless(os.environ.get("YARDSTICK_TEST_GGUF"), "names no file: YARDSTICK_TEST_GGUF")
    def test_the_real_library_answers(self):
        with Peer([sys.executable, SCRIPT]) as peer:
            self.assertIn("ready", peer.open("llama.cpp")[0])
            peer.load(DEVICE, os.environ["YARDSTICK_TEST_GGUF"], sequences=2)
            file = os.path.join(self.folder, "observed")
            peer.call({"observe": {"file": file}}, seconds=120)
            self.assertEqual(observation(file)[2], 2)
            self.assertEqual(len(peer.measure("tg2@d5")[0]["emits_ns"]), 2)


def tokens_of(n):
    """The prompt of the stand-in's vocabulary, by its definition in backends/api/src/verify/script.rs."""
    state, tokens = 0x9E3779B97F4A7C15 ^ fake.VOCAB, []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        tokens.append((state >> 33) % fake.VOCAB)
    return tokens


def load_facts():
    """facts.py as a module."""
    path = list(sys.path)
    spec = importlib.util.spec_from_file_location("yardstick_facts", FACTS)
    module = importlib.util.module_from_spec(spec)
    try:
        sys.path.insert(0, FOLDER)
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = path
    return module


if __name__ == "__main__":
    unittest.main()
