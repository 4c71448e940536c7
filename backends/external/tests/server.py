"""A small completion server for tests: streams tokens as llama-server does, or misbehaves in a chosen way."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Listens on a free port of this machine. `mode` may be changed at any time; `asked` keeps what was posted."""

    def __init__(self, mode="good", models=("toy",)):
        self.mode, self.models, self.asked, self.headers = mode, models, [], []
        self.gone = threading.Event()
        handler = type("Handler", (Handler,), {"owner": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gone.set()
        self.http.shutdown()
        self.http.server_close()


class Handler(BaseHTTPRequestHandler):
    server_version = "toy/1"
    owner = None

    def log_message(self, *_):
        """Quiet."""

    def answer(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.owner.headers.append(dict(self.headers))
        mode = self.owner.mode
        if mode == "models 500":
            return self.answer(500, b"oops")
        if mode == "models html":
            return self.answer(200, b"<html>welcome</html>", "text/html")
        if mode == "models odd":
            return self.answer(200, b'{"data": "none"}')
        models = [{"id": name, "object": "model"} for name in self.owner.models]
        return self.answer(200, json.dumps({"object": "list", "data": models}).encode())

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.owner.asked.append(asked)
        self.owner.headers.append(dict(self.headers))
        mode, prompt = self.owner.mode, asked["prompt"]
        if self.path != "/v1/completions":
            return self.answer(404, b"not here")
        if mode in ("words", "uncounted words") and not isinstance(prompt, str):
            return self.answer(400, b'{"error": "prompt must be a string"}')
        if mode == "500":
            return self.answer(500, b"out of order")
        if mode == "401":
            return self.answer(401, b"who are you? " + self.headers.get("Authorization", "").encode())
        if mode == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/")
            return self.end_headers()
        if mode == "html":
            return self.answer(200, b"<html>", "text/html")
        if mode == "hang":
            self.owner.gone.wait(20)
            return None
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        try:
            self.stream(mode, prompt, asked["max_tokens"])
        except OSError:
            """The worker hung up, which is what some tests are about."""
        return None

    def stream(self, mode, prompt, n):
        say = lambda text: (self.wfile.write(text if isinstance(text, bytes) else text.encode()), self.wfile.flush())
        event = lambda value: say(f"data: {json.dumps(value)}\n\n")
        say(": a comment\n\n")
        if mode == "not json":
            say("data: {never closed\n\n")
        if mode == "not events":
            say("HTTP/1.1 200 what?\n")
        if mode == "not utf-8":
            say(b"data: \xff\xfe\n\n")
        if mode == "error":
            event({"error": {"message": "the slot was taken"}})
        if mode == "long line":
            for _ in range(40):
                say(b"x" * (1 << 16))
        if mode == "drip":
            while not self.owner.gone.wait(0.05):
                say("x")
        tokens = n - 1 if mode == "short" else n
        for i in range(tokens):
            time.sleep(0.001)
            event({"choices": [{"index": 0, "text": f" t{i}", "finish_reason": None}]})
            if mode == "cut" and i == 0:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if mode == "cut within a line":
                say("data: {")
                return
        event({"choices": [{"index": 0, "text": "", "finish_reason": "length"}]})
        if mode not in ("uncounted", "uncounted words"):
            counted = len(prompt) if isinstance(prompt, list) else len(prompt.split()) + 1
            usage = {"prompt_tokens": counted, "completion_tokens": tokens, "total_tokens": counted + tokens}
            if mode == "odd usage":
                usage = {"prompt_tokens": "many", "completion_tokens": -1}
            event({"choices": [], "usage": usage})
        if mode != "no end":
            say("data: [DONE]\n\n")


if __name__ == "__main__":
    import sys
    with Server(*sys.argv[1:2]) as server:
        print(server.url, flush=True)
        sys.stdin.read()
