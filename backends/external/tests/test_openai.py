"""openai.py against a small server: what it measures, what it refuses, and every way an endpoint can misbehave."""

import os
import sys
import tempfile
import time
import unittest

from .peer import FOLDER, Fault, Peer, write_model
from .server import Server

SCRIPT = os.path.join(FOLDER, "openai.py")
DEVICE = "openai:endpoint"


def start(url, *more, **environment):
    return Peer([sys.executable, SCRIPT, "--url", url, "--seconds", "2", *more], environment)


class OpenAi(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = write_model(os.path.join(folder.name, "model.gguf"), vocab=1000)

    def test_generation_and_first_token_are_measured(self):
        with Server() as server, start(server.url) as peer:
            ready = peer.open("openai")[0]["ready"]
            self.assertEqual((ready["id"], ready["class"], ready["kind"]), (DEVICE, "software", "none"))
            facts = peer.load(DEVICE, self.model)
            self.assertEqual(facts["notes"]["model"], "toy")
            self.assertEqual(facts["notes"]["prompt"], "token ids")
            self.assertTrue(facts["driver"].startswith("toy/1"))
            for test, tokens, emits in [("tg5", 5, 5), ("ttft16", 16, 1)]:
                samples = peer.measure(test)
                for sample in samples:
                    self.assertEqual((sample["tokens"], len(sample["emits_ns"])), (tokens, emits))
                    self.assertEqual(sample["emits_ns"], sorted(sample["emits_ns"]))
                    self.assertEqual(sample["emits_ns"][-1], sample["nanoseconds"])
                    self.assertGreaterEqual(sample["nanoseconds"], emits * 1_000_000)
                    self.assertIsNone(sample["cpu_ns"], "the work is another process's")
            asked = server.asked[-1]
            self.assertEqual((asked["temperature"], asked["stream"], asked["max_tokens"]), (0, True, 1))
            self.assertEqual(len(asked["prompt"]), 16)
            self.assertEqual(peer.call("stop"), "stopped")

    def test_no_prompt_begins_as_the_one_before(self):
        """A server that remembers prompts would answer a repeated one at once."""
        with Server() as server, start(server.url) as peer:
            peer.open("openai")
            peer.load(DEVICE, self.model)
            peer.measure("ttft8")
            first = [asked["prompt"][0] for asked in server.asked]
            self.assertEqual(len(set(first)), len(first))
            self.assertEqual({tuple(asked["prompt"][1:]) for asked in server.asked}.__len__(), 1)

    def test_it_says_that_it_cannot_be_verified(self):
        with Server() as server, start(server.url) as peer:
            peer.open("openai")
            peer.load(DEVICE, self.model)
            answer = peer.call({"observe": {"file": "/nonexistent/never-written"}})
            self.assertEqual(answer, {"unverifiable": {"reason": "no logits"}})

    def test_where_ids_are_refused_words_are_fitted(self):
        with Server("words") as server, start(server.url) as peer:
            peer.open("openai")
            facts = peer.load(DEVICE, self.model)
            self.assertIn("prompt must be a string", facts["notes"]["prompt"])
            self.assertEqual(peer.measure("ttft20")[0]["tokens"], 20)
            self.assertEqual(peer.measure("tg3")[0]["tokens"], 3)
            self.assertEqual(len(server.asked[-1]["prompt"].split()), 2)

    def test_tokens_are_never_counted_by_events(self):
        for mode, test, why in [("uncounted", "tg3", "reports no usage"), ("odd usage", "tg3", "reports no usage"),
                                ("short", "tg3", "counts 2 generated tokens, expected 3"),
                                ("uncounted words", "ttft8", "counts no prompt tokens")]:
            with self.subTest(mode), Server("words" if "words" in mode else "good") as server, start(server.url) as peer:
                peer.open("openai")
                peer.load(DEVICE, self.model)
                server.mode = mode
                with self.assertRaises(Fault) as refused:
                    peer.measure(test)
                self.assertEqual(refused.exception.kind, "unsupported")
                self.assertIn(why, str(refused.exception))
        with self.subTest("ids that were sent need no count"), Server("uncounted") as server, start(server.url) as peer:
            peer.open("openai")
            peer.load(DEVICE, self.model)
            self.assertEqual(peer.measure("ttft8")[0]["tokens"], 8)

    def test_tests_that_an_endpoint_cannot_do_are_refused(self):
        with Server() as server, start(server.url) as peer:
            peer.open("openai")
            for options in [{"sequences": 2}, {"profile": True}]:
                with self.assertRaises(Fault) as refused:
                    peer.load(DEVICE, self.model, **options)
                self.assertEqual(refused.exception.kind, "unsupported")
            peer.load(DEVICE, self.model)
            for test in ["pp8", "load", "tg4@d8"]:
                with self.assertRaises(Fault) as refused:
                    peer.call({"prepare": {"test": test}})
                self.assertEqual(refused.exception.kind, "unsupported", test)
            for call in [{"generate": {"tokens": [1], "n": 1}}, {"logits": {"tokens": [1], "step": False, "file": "x"}}]:
                with self.assertRaises(Fault) as refused:
                    peer.call(call)
                self.assertEqual(refused.exception.kind, "unsupported")

    def test_misbehaviour_is_a_fault_in_time_and_the_worker_lives_on(self):
        table = {
            "500": "answered 500: out of order", "401": "answered 401", "redirect": "answered 302",
            "html": "not with an event stream", "not json": "not JSON", "not utf-8": "not JSON",
            "not events": "a line that is no event", "error": "the slot was taken", "long line": "a line longer than",
            "drip": "did not answer in time", "hang": "did not answer in time", "cut": "ended the stream before [DONE]",
            "cut within a line": "cut off within a line", "no end": "ended the stream before [DONE]",
        }
        with Server() as server, start(server.url) as peer:
            peer.open("openai")
            peer.load(DEVICE, self.model)
            peer.call({"prepare": {"test": "tg4"}})
            for mode, why in table.items():
                with self.subTest(mode):
                    server.mode = mode
                    begun = time.monotonic()
                    with self.assertRaises(Fault) as broken:
                        peer.call({"warm_up": {"test": "tg4", "seconds": 0.01}})
                    self.assertEqual(broken.exception.kind, "device")
                    self.assertIn(why, str(broken.exception))
                    self.assertLess(time.monotonic() - begun, 15)
                    server.mode = "good"
                    self.assertEqual(peer.measure("tg4")[0]["tokens"], 4)

    def test_an_endpoint_that_is_not_there_is_a_missing_device(self):
        with Server() as server:
            url = server.url
        with start(url) as peer:
            missing = peer.open("openai")[0]["missing"]
            self.assertIn("refused", missing["reason"].lower())
            self.assertIn("llama-server", missing["fix"])
        for mode in ["models 500", "models html", "models odd"]:
            with self.subTest(mode), Server(mode) as server, start(server.url) as peer:
                self.assertIn(server.url, peer.open("openai")[0]["missing"]["reason"])

    def test_of_several_models_one_is_named(self):
        with Server(models=("a", "b")) as server:
            with start(server.url) as peer:
                peer.open("openai")
                with self.assertRaises(Fault) as refused:
                    peer.load(DEVICE, self.model)
                self.assertEqual((refused.exception.kind, refused.exception.fix),
                                 ("unsupported", "choose one with --model NAME"))
            with start(server.url, "--model", "b", "--name", "ollama") as peer:
                peer.open("ollama")
                self.assertEqual(peer.load("ollama:endpoint", self.model)["notes"]["model"], "b")

    def test_other_machines_are_asked_only_when_told(self):
        # 192.0.2.0/24 is reserved for documentation: nothing is sent there, because the refusal comes first.
        for url in ["http://192.0.2.1:9", "https://example.invalid", "http://0.0.0.0:1", "http://127.0.0.1.example.invalid"]:
            with self.subTest(url), start(url) as peer:
                missing = peer.open("openai")[0]["missing"]
                self.assertIn("not on this machine", missing["reason"])
                self.assertIn("--allow-remote", missing["fix"])

    def test_urls_that_are_none_are_refused_at_the_start(self):
        for url in ["ftp://127.0.0.1", "127.0.0.1:80", "http://", "http://me:secret@127.0.0.1", "http://127.0.0.1/?key=1"]:
            with self.subTest(url), start(url) as peer:
                self.assertEqual(peer.process.wait(10), 2)
        with start("http://127.0.0.1", "--key-env", "YARDSTICK_TEST_NO_SUCH_KEY") as peer:
            self.assertEqual(peer.process.wait(10), 2)
        with start("http://192.0.2.1", "--allow-remote", "--key-env", "KEY", KEY="secret") as peer:
            self.assertEqual(peer.process.wait(10), 2, "a key in the clear")

    def test_the_key_comes_from_the_environment_and_is_never_told(self):
        with Server() as server, start(server.url, "--key-env", "KEY", KEY="k-12345", OPENAI_API_KEY="other") as peer:
            peer.open("openai")
            peer.load(DEVICE, self.model)
            self.assertEqual(server.headers[-1]["Authorization"], "Bearer k-12345")
            peer.call({"prepare": {"test": "tg1"}})
            server.mode = "401"
            with self.assertRaises(Fault) as refused:
                peer.call({"warm_up": {"test": "tg1", "seconds": 0.01}})
            self.assertNotIn("k-12345", str(refused.exception))
            self.assertIn("***", str(refused.exception))
        with Server() as server, start(server.url, OPENAI_API_KEY="other") as peer:
            peer.open("openai")
            peer.load(DEVICE, self.model)
            self.assertNotIn("Authorization", server.headers[-1])

    def test_cancel_ends_a_stream(self):
        with Server() as server, start(server.url) as peer:
            peer.open("openai")
            peer.load(DEVICE, self.model)
            peer.call({"prepare": {"test": "tg500"}})
            id = peer.ask({"sample": {"test": "tg500", "sampling": {
                "min_repetitions": 9, "max_repetitions": 9, "max_seconds": 9, "interval": 0.0}}})
            time.sleep(0.1)
            peer.ask("cancel")
            self.assertEqual(peer.answer(id, seconds=5)["sampled"]["repetitions"], len(peer.samples))


if __name__ == "__main__":
    unittest.main()
