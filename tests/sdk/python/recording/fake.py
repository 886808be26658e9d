"""An upstream that records requests byte for byte and responds to any path."""

import json
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import responses


@dataclass
class Request:
    """A received request: the target as in the request line, the headers in order."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name):
        values = [value for field, value in self.headers if field == name]
        return values[0] if values else None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """A client may close its connection after the response."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*_)


class Fake:
    """A running upstream. `respond` takes a request and returns status, content type and chunks of the body."""

    def __init__(self, name="one", respond=responses.openai):
        self.name = name
        self.requests = []
        self.respond = respond
        self._server = Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def origin(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def base_url(self):
        return f"{self.origin}/v1"

    def take(self):
        """The requests since the last call."""
        seen, self.requests = self.requests, []
        return seen

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def _handler(fake):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_):
            pass

        def serve(self):
            headers = [(name.lower(), value) for name, value in self.headers.items()]
            request = Request(self.command, self.path, headers, self.body())
            fake.requests.append(request)
            status, kind, chunks = fake.respond(fake.name, request)
            head = [f"HTTP/1.1 {status} Fine", "Date: Sun, 06 Nov 1994 08:49:37 GMT", "X-Request-Id: req_upstream",
                    "OpenAI-Processing-Ms: 7", "OpenAI-Poll-After-Ms: 1"]
            if kind:
                head.append(f"Content-Type: {kind}")
            single = len(chunks) == 1
            head.append(f"Content-Length: {len(chunks[0])}" if single else "Transfer-Encoding: chunked")
            self.wfile.write("\r\n".join([*head, "", ""]).encode())
            for chunk in chunks:
                self.wfile.write(chunk if single else b"%x\r\n%s\r\n" % (len(chunk), chunk))
            if not single:
                self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

        def body(self):
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

    return Handler


def events(items):
    """Server-sent events: a pair is name and data, anything else only data."""
    for item in items:
        name, data = item if isinstance(item, list) else (None, item)
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        yield (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
