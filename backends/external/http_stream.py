"""HTTP requests of an endpoint that is not trusted: deadlines on every read, caps on lines and bodies, this machine only
unless allowed otherwise. For openai.py. Standard library only.
"""

import http.client
import ipaddress
import json
import socket
import time
import urllib.parse

from worker import Fault, unsupported

START = "start it, for example: llama-server -m MODEL.gguf --port 8080"
MAX_LINE, MAX_BODY = 1 << 20, 64 << 20


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


def is_loopback(host):
    """This machine: an address of the loopback network, or `localhost` (whose address is checked when connected)."""
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
