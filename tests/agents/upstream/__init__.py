"""A model server that speaks one dialect strictly, and follows a script."""

import dataclasses
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import chat, messages, responses
from .conversation import REASONING, Call, Conversation, Refused, Text

DIALECTS = {"chat": chat, "messages": messages, "responses": responses}


@dataclasses.dataclass(frozen=True)
class Request:
    body: dict
    conversation: Conversation


class Server(ThreadingHTTPServer):
    """Agents close their connections when they end."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Upstream:
    """A running server. `script` is called with each conversation and returns what the model says: a part, or several."""

    def __init__(self, dialect, script):
        self.dialect = DIALECTS[dialect]
        self.script = script
        self.requests = []
        # Requests of other paths and methods, and the reasons of refusals.
        self.others = []
        self.refusals = []
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def origin(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def sessions(self):
        """The conversations with tools, in their order: the last one is the longest."""
        return [request.conversation for request in self.requests if request.conversation.tools]

    def receive(self, headers, body):
        """The events of the response to one request; raises what a strict server refuses."""
        try:
            self.dialect.check(body, headers)
        except Refused as refused:
            self.refusals.append(str(refused))
            raise
        conversation = self.dialect.conversation(body)
        with self._lock:
            self.requests.append(Request(body, conversation))
            count = len(self.requests)
        said = self.script(conversation)
        return self.dialect.events(said if isinstance(said, list) else [said], body, count)

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def _handler(upstream):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.refuse(404, "Not Found")

        do_HEAD = do_GET

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            path = self.path.partition("?")[0]
            if path != upstream.dialect.PATH:
                return self.refuse(404, f"Invalid URL (POST {path})")
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                events = upstream.receive(headers, json.loads(body))
            except Refused as refused:
                return self.refuse(400, str(refused))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for event in events:
                self.event(event)
            self.wfile.write(b"0\r\n\r\n")

        def event(self, event):
            text = f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n"
            if "type" in event:
                text = f"event: {event['type']}\n{text}"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text.encode()), text.encode()))
            self.wfile.flush()

        def refuse(self, status, message):
            if status == 404:
                upstream.others.append(f"{self.command} {self.path}")
            body = json.dumps(upstream.dialect.error(message)).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
