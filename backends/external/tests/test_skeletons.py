"""The worker skeletons in Rust and C++ are compiled and spoken to; skipped, with the reason, where there is no compiler."""

import os
import shutil
import struct
import subprocess
import tempfile
import unittest

from .peer import FOLDER, Fault, Peer, observation, write_model


def built(command):
    """Runs a build; what it printed if it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return None if done.returncode == 0 else done.stdout.decode(errors="replace")


class Skeletons(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = write_model(os.path.join(cls.folder.name, "model.gguf"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def refused(self, peer, kind, call):
        with self.assertRaises(Fault) as fault:
            peer.call(call)
        self.assertEqual(fault.exception.kind, kind, call)
        return str(fault.exception)

    def test_the_one_in_cpp_loads_and_says_what_is_not_filled_in(self):
        compiler = shutil.which("g++") or shutil.which("clang++")
        if not compiler:
            self.skipTest("no C++ compiler")
        program = os.path.join(self.folder.name, "worker")
        source = os.path.join(FOLDER, "cpp", "worker.cpp")
        errors = built([compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", "-pthread", source, "-o", program])
        self.assertIsNone(errors)
        with Peer([program]) as peer:
            self.assertEqual(peer.open("hollow")[0]["ready"]["id"], "hollow:0")
            facts = peer.load("hollow:0", self.model, sequences=3, context=77, kv="f32")
            self.assertEqual((facts["sequences"], facts["context"], facts["kv"]), (3, 77, "f32"))
            for call in [{"observe": {"file": "x"}}, {"prepare": {"test": "tg4"}}, {"sample": {"test": "tg4", "sampling": {}}}]:
                self.assertIn("not filled in", self.refused(peer, "unsupported", call))
            self.assertEqual(self.refused(peer, "invalid", {'da"nce\\\n': {}}), 'call "da\\"nce\\\\\\u000a" is not known')
            load = {"device": "hollow:0", "model": "/nonexistent/ä.gguf", "options": {}}
            self.assertIn("/nonexistent/ä.gguf", self.unescaped(peer, load))
            self.refused(peer, "invalid", {"load": {"device": "other", "model": self.model, "options": {}}})
            self.assertIn("reached", peer.call({"ceiling": {"device": "hollow:0", "limit": "int8", "threads": None}})["ceiling"])
            self.assertEqual(peer.call("stop"), "stopped")
            self.assertEqual(peer.process.wait(10), 0)
        for garbage in [b"garbage\n", b"[1,\n", b'{"id":1,"call":"\\u00e4"}\n', b"[" * 100 + b"\n", b'{"id":1}x\n', b'"\n']:
            with self.subTest(garbage), Peer([program]) as peer:
                peer.process.stdin.write(garbage)
                peer.process.stdin.flush()
                self.assertEqual(peer.process.wait(10), 1)
        with Peer([program]) as peer:
            peer.process.stdin.close()
            self.assertEqual(peer.process.wait(10), 0, "its parent is gone")

    def unescaped(self, peer, load):
        """A path beyond ASCII as UTF-8, which is what Yardstick sends."""
        peer.id += 1
        line = '{"id":%d,"call":{"load":{"device":"%s","model":"%s","options":{}}}}\n'
        peer.process.stdin.write((line % (peer.id, load["device"], load["model"])).encode())
        peer.process.stdin.flush()
        with self.assertRaises(Fault) as fault:
            peer.answer(peer.id)
        return str(fault.exception)

    def test_the_one_in_rust_runs_every_test_and_answers_the_script(self):
        if not shutil.which("cargo"):
            self.skipTest("no cargo")
        manifest = os.path.join(FOLDER, "rust", "Cargo.toml")
        target = os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(FOLDER, "..", "..", "target"), "skeleton")
        errors = built(["cargo", "build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", target])
        self.assertIsNone(errors)
        with Peer([os.path.join(target, "debug", "unigram-worker")]) as peer:
            self.assertEqual(peer.open("unigram")[0]["ready"]["id"], "unigram:0")
            peer.load("unigram:0", self.model, sequences=2)
            for test, tokens, emits in [("tg4", 8, 4), ("pp8", 16, 0), ("ttft4@d2", 8, 1), ("load", 1, 1)]:
                for sample in peer.measure(test):
                    self.assertEqual((sample["tokens"], len(sample["emits_ns"])), (tokens, emits), test)
            file = os.path.join(self.folder.name, "observed")
            answer = peer.call({"observe": {"file": file}})["observed"]
            vocab, rows, sequences, ids = observation(file)
            self.assertEqual(answer["generated"], {"sequences": sequences, "ids": ids})
            self.assertEqual((vocab, {path: len(found) for path, found in rows.items()}), (50, {0: 14, 1: 6, 2: 4, 3: 8}))
            self.assertEqual(len({struct.pack("<50f", *row) for found in rows.values() for row in found}), 1,
                             "a unigram has one answer to everything, which verification finds out")
            self.refused(peer, "invalid", {"dance": {}})
            self.refused(peer, "invalid", {"prepare": {"test": "warp9"}})
            self.refused(peer, "unsupported", {"logits": {"tokens": [1], "step": False, "file": "x"}})
            self.refused(peer, "model", {"plan": {"device": "unigram:0", "model": "/nonexistent", "options": {}}})
            self.assertEqual(peer.call("stop"), "stopped")
            self.assertEqual(peer.process.wait(10), 0)


if __name__ == "__main__":
    unittest.main()
