"""worker.py and session.py without a process: when to stop, what a test's name means, which tokens are used."""

import sys
import unittest

from .peer import FOLDER

sys.path.insert(0, FOLDER)
try:
    import header
    import session
    import worker
finally:
    sys.path.remove(FOLDER)


class Pure(unittest.TestCase):
    def test_the_interval_of_the_median_takes_the_binomial_ranks(self):
        """From tables of the sign test: n -> 1-based lower rank; the same table as harness/measure/src/steady.rs."""
        for n, rank in [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (50, 18), (100, 40)]:
            self.assertEqual(worker.lower_rank(n), rank - 1, n)
        self.assertIsNone(worker.lower_rank(5))
        self.assertTrue(227 <= worker.lower_rank(501) <= 230)

    def test_sampling_stops_when_the_interval_is_tight_and_not_before_the_minimum(self):
        sampling = {"min_repetitions": 8, "max_repetitions": 40, "max_seconds": 1.0, "interval": 0.02}

        def repetitions(time):
            times = []
            while not worker.enough(times, sampling):
                times.append(time(len(times)))
            return len(times)

        self.assertEqual(repetitions(lambda i: 1000), 8)
        self.assertEqual(repetitions(lambda i: 1000 + 500 * (i % 2)), 40)
        self.assertEqual(repetitions(lambda i: 400_000_000), 8)

    def test_warm_up_ends_when_two_blocks_agree_or_at_its_cap(self):
        def warmed(times, seconds):
            times = iter([{"nanoseconds": time} for time in times])
            return worker.warm_up(seconds, lambda: next(times, None))

        self.assertEqual(warmed([100, 80, 60, 59, 58, 58], 580e-9),
                         {"repetitions": 4, "nanoseconds": 299, "steady": True})
        self.assertEqual(warmed([400, 300, 200, 400, 300, 200], 1000e-9),
                         {"repetitions": 4, "nanoseconds": 1300, "steady": False})
        self.assertEqual(warmed([7], 0)["repetitions"], 1)
        with self.assertRaises(worker.Fault):
            worker.warm_up(float("nan"), lambda: None)

    def test_names_of_tests_are_parsed(self):
        for name, kind, tokens, depth in [("pp512", "pp", 512, 0), ("tg64@d512", "tg", 64, 512), ("ttft", "ttft", 512, 0),
                                          ("ttft64@d8", "ttft", 64, 8), ("load", "load", 1, 0)]:
            test = worker.Test(name)
            self.assertEqual((test.kind, test.tokens, test.depth), (kind, tokens, depth))
        for name in ["pp", "tg", "warp9", "pp-1", "tg4@", "load@d4", "", "pp8 "]:
            with self.assertRaises(worker.Fault):
                worker.Test(name)

    def test_the_prompt_is_that_of_every_device(self):
        """Values of yardstick_api::verify::prompt."""
        self.assertEqual(session.prompt(49152, 4), PROMPT)
        self.assertEqual(session.prompt(49152, 2), PROMPT[:2])

    def test_a_header_that_lies_is_a_fault(self):
        import io
        for text in [b"", b"GGUF", b"GGUF\x03\0\0\0" + b"\xff" * 16, b"GGML" + b"\0" * 20, b"GGUF\x09\0\0\0" + b"\0" * 16]:
            with self.assertRaises((ValueError, header.struct.error)):
                header.Header.__new__(header.Header).read(io.BytesIO(text))
        with self.assertRaises(worker.Fault):
            header.Header("/nonexistent/model.gguf")


PROMPT = [41123, 31448, 9833, 23023]
