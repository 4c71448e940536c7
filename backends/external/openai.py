"""An OpenAI-compatible HTTP endpoint (llama-server, Ollama, vLLM) as a Yardstick device: tests `ttft` and `tg` over
streamed `/v1/completions`. It gives no logits, so nothing proves its answers or its weights: measured, never ranked.

usage: python3 openai.py [--url http://127.0.0.1:8080] [--name openai] [--model NAME] [--seconds 60]
                         [--key-env VARIABLE] [--allow-remote]

Standard library only. Talks to this machine alone unless told --allow-remote; a key comes from the named environment
variable and from nowhere else. Every read has a deadline and a cap: an endpoint is not trusted.
"""

import argparse
import http.client
import ipaddress
import json
import os
import socket
import sys
import time
import urllib.parse

from header import Header
from session import prompt
from worker import Engine, Fault, Worker, unavailable, unsupported

START = "start it, for example: llama-server -m MODEL.gguf --port 8080"
MAX_LINE, MAX_BODY = 1 << 20, 64 << 20
UNTOLD = "the endpoint does not tell"


class Refused(Fault):
    """The endpoint answered, but not with success."""

    def __init__(self, status, message, fix=None):
        super().__init__("device", message, fix)
        self.status = status


class Endpoint:
    """One server: requests with deadlines, streams as events."""

    def __init__(self, url, seconds, key, allow_remote):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is not a URL like http://127.0.0.1:8080")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a URL with a password is refused; put a key into the variable named by --key-env")
        self.host, self.secure, self.port = parts.hostname, parts.scheme == "https", parts.port
        self.path = parts.path.rstrip("/").removesuffix("/v1")
        self.seconds, self.key, self.allow_remote = seconds, key, allow_remote
        self.server = None
        if key and not self.secure and not is_loopback(self.host):
            raise ValueError("a key is not sent to another machine in the clear; use https")

    def __str__(self):
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port or (443 if self.secure else 80)}"

    def connect(self, seconds):
        """An open connection; outside of every clock."""
        if not self.allow_remote and not is_loopback(self.host):
            raise unsupported(f"{self} is not on this machine", "add --allow-remote to the worker's command")
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=seconds)
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            raise Fault("device", f"{self}: {error}", START) from error
        if not self.allow_remote and not is_loopback(connection.sock.getpeername()[0]):
            connection.close()
            raise unsupported(f"{self} leads to another machine", "add --allow-remote to the worker's command")
        return connection

    def get(self, path, seconds):
        """A JSON document."""
        connection = self.connect(seconds)
        try:
            body = Body(self, connection, seconds)
            body.ask("GET", path)
            return self.parse(b"".join(body.blocks()))
        finally:
            connection.close()

    def stream(self, asked, at_start, at_event):
        """One streamed completion: `at_start` when everything is ready to send, `at_event` for each event."""
        connection = self.connect(self.seconds)
        try:
            body = Body(self, connection, self.seconds)
            at_start()
            body.ask("POST", "/v1/completions", json.dumps(asked))
            kind = body.response.getheader("Content-Type", "")
            if not kind.startswith("text/event-stream"):
                raise Fault("device", f"{self} answered with {kind or 'no type'}, not with an event stream")
            for line in body.lines():
                if line == b"data: [DONE]":
                    return
                if line.startswith(b"data:"):
                    at_event(self.parse(line[5:]))
                elif line and not line.startswith((b":", b"event:", b"id:", b"retry:")):
                    raise Fault("device", f"{self} sent a line that is no event: {self.quote(line)}")
            raise Fault("device", f"{self} ended the stream before [DONE]")
        finally:
            connection.close()

    def parse(self, text):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Fault("device", f"{self} sent what is not JSON: {self.quote(text)}") from error
        if not isinstance(value, dict):
            raise Fault("device", f"{self} sent {self.quote(text)}, expected an object")
        if value.get("error"):
            raise Fault("device", f"{self} reports {self.quote(json.dumps(value['error']))}")
        return value

    def quote(self, text):
        """The beginning of what it said; never the key."""
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return (text.replace(self.key, "***") if self.key else text).strip()[:200]


class Body:
    """One exchange: a request, then its answer in blocks and lines, none after the deadline."""

    def __init__(self, endpoint, connection, seconds):
        self.endpoint, self.connection = endpoint, connection
        # Kept, because the connection lets go of it when the answer is the last one.
        self.socket = connection.sock
        self.until = time.monotonic() + seconds

    def ask(self, method, path, body=None):
        endpoint = self.endpoint
        headers = {"Accept": "text/event-stream, application/json", "Content-Type": "application/json"}
        if endpoint.key:
            headers["Authorization"] = f"Bearer {endpoint.key}"
        self.guard(lambda: self.connection.request(method, endpoint.path + path, body, headers))
        self.response = self.guard(self.connection.getresponse)
        endpoint.server = self.response.getheader("Server")
        status = self.response.status
        if status != 200:
            said = endpoint.quote(b"".join(self.blocks())[:1000])
            fix = "name the variable that holds the key: --key-env NAME" if status in (401, 403) else None
            raise Refused(status, f"{endpoint}{path} answered {status}: {said or self.response.reason}", fix)

    def blocks(self):
        """What arrives, as it arrives."""
        total = 0
        while block := self.guard(lambda: self.response.read1(1 << 16)):
            total += len(block)
            if total > MAX_BODY:
                raise Fault("device", f"{self.endpoint} sent more than {MAX_BODY} bytes")
            yield block

    def lines(self):
        rest = b""
        for block in self.blocks():
            *whole, rest = (rest + block).split(b"\n")
            if any(len(line) > MAX_LINE for line in (*whole, rest)):
                raise Fault("device", f"{self.endpoint} sent a line longer than {MAX_LINE} bytes")
            yield from (line.rstrip(b"\r") for line in whole)
        if rest:
            raise Fault("device", f"{self.endpoint} was cut off within a line: {self.endpoint.quote(rest)}")

    def guard(self, action):
        """Does it before the deadline, and words what goes wrong."""
        left = self.until - time.monotonic()
        try:
            if left <= 0:
                raise socket.timeout()
            self.socket.settimeout(left)
            return action()
        except socket.timeout as error:
            raise Fault("device", f"{self.endpoint} did not answer in time; allow more with --seconds") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Fault("device", f"{self.endpoint} broke off: {type(error).__name__}: {error}") from error


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

    def logits(self, tokens, step, file):
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


def is_loopback(host):
    """This machine: an address of the loopback network, or `localhost` (whose address is checked when connected)."""
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


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
