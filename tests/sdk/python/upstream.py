"""A fake model server on the standard library.

The model's name in the body selects the behaviour, such as `status-503`. Requests
are recorded.
"""

import base64
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAIT_SECONDS = 30
EMBEDDING = [0.25, -1.5, 3.0]
SOUND = bytes(range(256)) * 40


class Server(ThreadingHTTPServer):
    """Accepts a burst of connections without dropping any."""

    daemon_threads = True
    request_queue_size = 128


class Upstream:
    """A running server and the requests it received."""

    def __init__(self):
        self.requests = []
        self.disconnected = threading.Event()
        self._server = Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def seen(self, mark):
        """The requests that carry this mark in their `x-test` header."""
        return [request for request in list(self.requests) if request["headers"].get("x-test") == mark]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def chunk(delta, finish=None, **more):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "real", "choices": [choice], **more}


def completion(message, finish="stop"):
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "real", "choices": [choice], "usage": usage}


def tool_call(arguments, **more):
    return {"index": 0, "function": {"arguments": arguments, **more}}


def calls_a_tool(body):
    """Only once: after the tool's result the completion is text."""
    return "tools" in body and body["messages"][-1]["role"] != "tool"


def response(status="completed"):
    text = {"type": "output_text", "text": "Hello there", "annotations": []}
    message = {"id": "msg1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    return {
        "id": "r1", "object": "response", "created_at": 1, "status": status, "model": "real",
        "output": [message], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "usage": {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 3,
                  "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 8},
    }


def _handler(upstream):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            body = json.loads(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            upstream.requests.append({"path": self.path, "headers": headers, "body": body})
            kind, _, value = body["model"].partition("-")
            special = getattr(self, f"special_{kind}", None)
            if special:
                special(value, body)
            else:
                getattr(self, self.path.removeprefix("/v1/").replace("/", "_"))(body)

        # One method for each endpoint.

        def chat_completions(self, body):
            if body.get("stream"):
                self.stream_chat(body)
            elif calls_a_tool(body):
                function = {"name": "weather", "arguments": '{"city":"Oslo"}'}
                call = {"id": "call1", "type": "function", "function": function}
                self.send_json(completion({"content": None, "tool_calls": [call]}, "tool_calls"))
            elif "response_format" in body:
                self.send_json(completion({"content": '{"city":"Oslo"}'}))
            else:
                self.send_json(completion({"content": "Hello there"}))

        def stream_chat(self, body):
            if calls_a_tool(body):
                first = {**tool_call("", name="weather"), "id": "call1", "type": "function"}
                deltas = [first, tool_call('{"city":'), tool_call('"Oslo"}')]
                events = [chunk({"tool_calls": [delta]}) for delta in deltas] + [chunk({}, "tool_calls")]
            else:
                events = [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hello "}),
                          chunk({"content": "thère"}), chunk({}, "stop")]
            if (body.get("stream_options") or {}).get("include_usage"):
                usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
                events.append({**chunk({}), "choices": [], "usage": usage})
            self.events([json.dumps(event) for event in events] + ["[DONE]"])

        def completions(self, _body):
            choice = {"index": 0, "text": "Hello there", "finish_reason": "stop", "logprobs": None}
            self.send_json({"id": "c1", "object": "text_completion", "created": 1, "model": "real", "choices": [choice]})

        def embeddings(self, body):
            vector = EMBEDDING
            if body.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
            item = {"object": "embedding", "index": 0, "embedding": vector}
            self.send_json({"object": "list", "data": [item], "model": "real", "usage": {"prompt_tokens": 2, "total_tokens": 2}})

        def responses(self, body):
            if not body.get("stream"):
                return self.send_json(response())
            created = {"type": "response.created", "sequence_number": 0, "response": response("in_progress")}
            deltas = [{"type": "response.output_text.delta", "sequence_number": index, "item_id": "msg1", "output_index": 0,
                       "content_index": 0, "delta": text, "logprobs": []} for index, text in enumerate(["Hello ", "there"], 1)]
            completed = {"type": "response.completed", "sequence_number": 3, "response": response()}
            events = [created, *deltas, completed]
            self.events([json.dumps(event) for event in events], [event["type"] for event in events])

        def moderations(self, _body):
            result = {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}
            self.send_json({"id": "m1", "model": "real", "results": [result]})

        def images_generations(self, _body):
            self.send_json({"created": 1, "data": [{"b64_json": base64.b64encode(b"picture").decode()}]})

        def audio_speech(self, _body):
            self.send("200 OK", "audio/mpeg", SOUND)

        # One method for each special model.

        def special_status(self, value, _body):
            error = {"message": f"status {value}", "type": "some_error", "param": "p", "code": "some_code"}
            self.send(f"{value} Status", "application/json", json.dumps({"error": error}).encode())

        def special_recovers(self, value, body):
            failures = int(value)
            if len(upstream.seen(self.headers["x-test"])) <= failures:
                self.special_status("503", body)
            else:
                self.chat_completions({})

        def special_page(self, value, _body):
            self.send(f"{value} Status", "text/html", b"<html>oops</html>")

        def special_silent(self, _value, _body):
            self.wait_for_disconnect()

        def special_cut(self, value, _body):
            self.start_stream()
            self.chunk("data: " + json.dumps(chunk({"content": "Hello"})) + "\n\n")
            if value == "inside":
                self.chunk("data: {\"choices\":[{\"del")
            self.close_connection = True
            self.connection.shutdown(2)

        def special_failing(self, _value, _body):
            error = {"message": "no capacity", "type": "server_error", "param": None, "code": "overloaded"}
            self.events([json.dumps(chunk({"content": "Hello"})), json.dumps({"error": error})])

        def special_patch(self, _value, body):
            """Thinks, and calls a custom tool, which is a function with the argument `input`."""
            if not calls_a_tool(body):
                return self.chat_completions(body)
            first = {**tool_call("", name="apply_patch"), "id": "call_0123456789abcdef", "type": "function"}
            parts = [tool_call('{"inp'), tool_call('ut": "+caf\\u00'), tool_call('e9\\'), tool_call('n"}')]
            events = [chunk({"reasoning_content": "Let me "}), chunk({"reasoning_content": "see."}), chunk({"content": "Patching."})]
            events += [chunk({"tool_calls": [part]}) for part in [first, *parts]] + [chunk({}, "tool_calls")]
            self.events([json.dumps(event) for event in events] + ["[DONE]"])

        def special_cropped(self, _value, _body):
            """A limit ends the response."""
            self.events([json.dumps(event) for event in [chunk({"content": "Hello"}), chunk({}, "length")]] + ["[DONE]"])

        def special_endless(self, _value, _body):
            self.start_stream()
            self.chunk("data: " + json.dumps(chunk({"content": "Hello"})) + "\n\n")
            self.wait_for_disconnect()

        # HTTP.

        def send_json(self, body):
            self.send("200 OK", "application/json", json.dumps(body).encode())

        def send(self, status, kind, body):
            head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nX-Request-Id: req_upstream\r\n\r\n"
            self.wfile.write(head.encode() + body)

        def start_stream(self):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")

        def chunk(self, text):
            data = text.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def events(self, events, names=None):
            self.start_stream()
            for index, event in enumerate(events):
                name = f"event: {names[index]}\n" if names else ""
                self.chunk(f"{name}data: {event}\n\n")
            self.wfile.write(b"0\r\n\r\n")

        def wait_for_disconnect(self):
            self.connection.settimeout(WAIT_SECONDS)
            self.close_connection = True
            try:
                if self.connection.recv(1) == b"":
                    upstream.disconnected.set()
            except ConnectionError:
                upstream.disconnected.set()

    return Handler
