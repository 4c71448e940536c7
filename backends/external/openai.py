"""An OpenAI-compatible HTTP endpoint (llama-server, Ollama, vLLM) as a Yardstick device: tests `ttft` and `tg` over
streamed `/v1/completions`. It gives no logits, so nothing proves its answers or its weights: measured, never ranked.

usage: python3 openai.py [--url http://127.0.0.1:8080] [--name openai] [--model NAME] [--seconds 60]
                         [--key-env VARIABLE] [--allow-remote]

Standard library only. Talks to this machine alone unless told --allow-remote; a key comes from the named environment
variable and from nowhere else. Every read has a deadline and a cap: an endpoint is not trusted.
"""

import argparse
import os
import sys
import time

from header import Header
from http_stream import START, Endpoint, Refused
from session import prompt
from worker import Engine, Fault, Worker, unavailable, unsupported

UNTOLD = "the endpoint does not tell"


class OpenAi(Engine):
    """The one device: what answers at the URL."""

    name, version = "openai-endpoint", "1"

    def __init__(self, endpoint, backend, model):
        self.endpoint, self.backend, self.model = endpoint, backend, model
        self.device = f"{backend}:endpoint"

    def devices(self):
        try:
            self.served()
        except Fault as fault:
            return [{"missing": {"id": self.device, "reason": fault.message, "fix": fault.fix or START}}]
        # Whatever stands behind it: its speed is not ranked against hardware that is proven.
        return [{"ready": {
            "id": self.device, "name": f"endpoint {self.endpoint}", "kind": "none", "class": "software",
            "numerics": ["f32"], "memory_bytes": unavailable(UNTOLD), "preferred": True}}]

    def served(self):
        """The names of its models."""
        models = self.endpoint.get("/v1/models", min(self.endpoint.seconds, 5)).get("data")
        names = [model.get("id") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
        if not names or not all(isinstance(name, str) for name in names):
            raise Fault("device", f"{self.endpoint}/v1/models lists no models")
        return names

    def plan(self, device, model, options):
        self.choose(device, options)
        # In another process: what it takes there is not known here.
        return {"mapped_bytes": 0, "copied_bytes": 0, "kv_bytes": 0, "scratch_bytes": 0}

    def load(self, device, model, options):
        return Session(self.endpoint, device, self.choose(device, options), Header(model).vocab, options)

    def choose(self, device, options):
        """The served model that is meant."""
        if device != self.device:
            raise Fault("invalid", f"there is no device {device!r}")
        if options["sequences"] != 1:
            raise unsupported("an endpoint is asked one request at a time here", "measure it with one sequence")
        if options["profile"]:
            raise unsupported("an endpoint tells no times of single operations")
        served = self.served()
        if self.model is None and len(served) == 1:
            return served[0]
        if self.model not in served:
            raise unsupported(f"{self.endpoint} serves {', '.join(served)[:500]}", "choose one with --model NAME")
        return self.model


class Session:
    """One model of the endpoint. Prompts are the tokens of every other device where ids are accepted, else words."""

    def __init__(self, endpoint, device, model, vocab, options):
        self.endpoint, self.device, self.model, self.vocab, self.options = endpoint, device, model, vocab, options
        self.repetitions = 0
        self.words = {}
        self.ids, self.why_words = True, None
        try:
            self.ask(self.prompt_of(8), 1)
        except Refused as refused:
            if refused.status in (401, 403, 404):
                raise
            self.ids, self.why_words = False, refused.message
            self.ask(self.prompt_of(8), 1)

    def close(self):
        """Nothing is held."""

    def prompt_of(self, n):
        """n tokens, never the same beginning twice: a server that remembers prompts would skip the work."""
        self.repetitions += 1
        if self.ids:
            tokens = prompt(self.vocab, n)
            return [(tokens[0] + self.repetitions) % self.vocab] + tokens[1:]
        return " ".join([f"{self.repetitions}:"] + ["one"] * self.words.get(n, n))

    def prepare(self, test, progress, stop):
        if test.kind == "pp":
            raise unsupported("an endpoint's prefill cannot be told from its queue", "measure ttft instead")
        if test.kind == "load":
            raise unsupported("the endpoint loaded its model before")
        if test.depth:
            raise unsupported("an endpoint keeps no context between requests", "measure without a depth")
        if not self.ids and test.kind == "ttft":
            self.fit_words(test.tokens)
        progress(1, 1)

    def fit_words(self, n):
        """Finds how many words are n tokens, by the endpoint's own count."""
        for _ in range(8):
            counted = self.ask(self.prompt_of(n), 1).prompt_tokens
            if counted is None:
                raise unsupported("the endpoint takes no token ids and counts no prompt tokens (usage)")
            if counted == n:
                return
            self.words[n] = max(self.words.get(n, n) + n - counted, 0)
        raise unsupported(f"no prompt of {n} tokens was found: the nearest has {counted}")

    def repeat(self, test, epoch, stop):
        """From the request's first byte, on an open connection, to the last token's event."""
        answer = self.ask(self.prompt_of(test.tokens if test.kind == "ttft" else 1),
                          1 if test.kind == "ttft" else test.tokens, stop)
        if answer.stopped:
            return None
        stamps = answer.stamps
        if not stamps:
            raise Fault("device", f"{self.endpoint} sent no token")
        if test.kind == "ttft":
            self.check("prompt", answer.prompt_tokens, test.tokens, known=self.ids)
            stamps = stamps[:1]
        else:
            self.check("generated", answer.completion_tokens, test.tokens, known=False)
        return test.sample(epoch, answer.start, stamps[-1], 1, None, stamps)

    def check(self, what, counted, due, known):
        """Tokens are what the endpoint counts, or what was sent as ids; never the number of events."""
        if counted is None and not known:
            raise unsupported(f"{self.endpoint} reports no usage: {what} tokens cannot be counted")
        if counted is not None and counted != due:
            raise unsupported(f"{self.endpoint} counts {counted} {what} tokens, expected {due}")

    def ask(self, text, n, stop=lambda: False):
        asked = {"model": self.model, "prompt": text, "max_tokens": n, "temperature": 0, "stream": True,
                 "stream_options": {"include_usage": True},
                 # llama-server's and vLLM's; others ignore them.
                 "cache_prompt": False, "ignore_eos": True, "min_tokens": n}
        answer = Streamed(stop)
        try:
            self.endpoint.stream(asked, answer.begin, answer.event)
        except Cancelled:
            answer.stopped = True
        return answer

    def observe(self, _file):
        return {"unverifiable": {"reason": "no logits"}}

    def generate(self, tokens, n, stop):
        raise unsupported("an endpoint answers with text, not with token ids")

    def logits(self, tokens, step, file, held=0, skip=0):
        raise unsupported("an endpoint gives no logits")

    def facts(self):
        untold = unavailable(UNTOLD)
        return {
            "device": self.device, "isa": untold, "adapter": untold,
            "driver": self.endpoint.server or untold, "threads": untold,
            "context": self.options["context"] or 0, "sequences": 1, "chunk": self.options["chunk"],
            "kv": self.options["kv"], "numerics": self.options["numerics"] or "f32",
            "mapped_bytes": 0, "copied_bytes": 0, "kv_bytes": 0, "scratch_bytes": 0, "streamed_bytes": 0, "kernels": {},
            "notes": {
                "model": self.model,
                "weights": unavailable("the endpoint names its model; nothing proves that it is this file"),
                "memory": unavailable("the endpoint is another process"),
                "context, chunk, kv, numerics": unavailable("as asked: " + UNTOLD),
                "prompt": "token ids" if self.ids else f"words: {self.why_words}",
                "timing": "includes HTTP; tg includes the prefill of a prompt of one token (or word)",
            }}


class Cancelled(Exception):
    """The call was cancelled while the answer came in."""


class Streamed:
    """What one streamed answer told: when its events came, and what it counts."""

    def __init__(self, stop):
        self.stop, self.stopped, self.stamps = stop, False, []
        self.prompt_tokens = self.completion_tokens = None

    def begin(self):
        self.start = time.perf_counter_ns()

    def event(self, value):
        """Events with a choice carry tokens, but for a last one that only says why it ended."""
        now = time.perf_counter_ns() - self.start
        choices, usage = value.get("choices"), value.get("usage")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, dict) and (choice.get("text") or not choice.get("finish_reason")):
            self.stamps.append(now)
        if isinstance(usage, dict):
            self.prompt_tokens = count(usage.get("prompt_tokens"))
            self.completion_tokens = count(usage.get("completion_tokens"))
        if self.stop():
            raise Cancelled()


def count(value):
    """A count that is one, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--name", default="openai", help="the backend's name; its device is NAME:endpoint")
    parser.add_argument("--model", help="the served model's name; needed where several are served")
    parser.add_argument("--seconds", type=float, default=60, help="longest time for one request")
    parser.add_argument("--key-env", metavar="VARIABLE", help="environment variable that holds the API key")
    parser.add_argument("--allow-remote", action="store_true", help="also talk to other machines")
    options = parser.parse_args()
    key = os.environ.get(options.key_env) if options.key_env else None
    if options.key_env and not key:
        parser.error(f"the environment variable {options.key_env} is empty")
    if not 0 < options.seconds <= 86_400:
        parser.error("--seconds must be from 0 to 86400")
    try:
        endpoint = Endpoint(options.url, options.seconds, key, options.allow_remote)
    except ValueError as error:
        parser.error(str(error))
    return Worker(OpenAi(endpoint, options.name, options.model)).serve()


if __name__ == "__main__":
    sys.exit(main())
