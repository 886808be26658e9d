"""A fake provider of the Realtime API and of Responses over WebSockets."""

import json
import threading

from websockets.sync.server import serve

SESSION = {
    "type": "realtime", "object": "realtime.session", "id": "sess_1", "model": "real-voice", "output_modalities": ["text"],
    "instructions": "Be brief.", "expires_at": 1756324625, "tools": [], "tool_choice": "auto", "max_output_tokens": "inf",
}
ITEM = {"id": "item_2", "object": "realtime.item", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
USAGE = {"total_tokens": 12, "input_tokens": 8, "output_tokens": 4}
TEXT = ["Hello ", "thère"]


class RealtimeServer:
    """A running server, with the handshakes and events it received."""

    def __init__(self):
        self.handshakes = []
        self.events = []
        self._server = serve(self._serve, "127.0.0.1", 0)
        self.port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def stop(self):
        self._server.shutdown()

    def _serve(self, socket):
        path = socket.request.path
        self.handshakes.append((path, list(socket.request.headers.raw_items())))
        if path.startswith("/v1/responses"):
            self._respond(socket)
        else:
            self._session(socket)

    def _session(self, socket):
        def send(kind, **more):
            socket.send(json.dumps({"type": kind, "event_id": f"event_{kind}", **more}))

        send("session.created", session=SESSION)
        for message in socket:
            event = json.loads(message)
            self.events.append(event)
            if event["type"] == "session.update":
                send("session.updated", session={**SESSION, **event["session"]})
            elif event["type"] == "conversation.item.create":
                send("conversation.item.added", previous_item_id=None, item={**event["item"], "id": "item_1"})
            elif event["type"] == "response.create":
                self._send_response(send)

    @staticmethod
    def _send_response(send):
        response = {"object": "realtime.response", "id": "resp_1", "status": "in_progress", "output": [], "usage": None}
        at = {"response_id": "resp_1", "item_id": "item_2", "output_index": 0, "content_index": 0}
        send("response.created", response=response)
        send("response.output_item.added", response_id="resp_1", output_index=0, item=ITEM)
        for delta in TEXT:
            send("response.output_text.delta", delta=delta, **at)
        text = "".join(TEXT)
        send("response.output_text.done", text=text, **at)
        content = [{"type": "output_text", "text": text}]
        done = {**ITEM, "status": "completed", "content": content}
        send("response.done", response={**response, "status": "completed", "output": [done], "usage": USAGE})

    def _respond(self, socket):
        for message in socket:
            self.events.append(json.loads(message))
            for index, delta in enumerate(TEXT):
                socket.send(json.dumps({"type": "response.output_text.delta", "sequence_number": index, "item_id": "msg1",
                                        "output_index": 0, "content_index": 0, "delta": delta, "logprobs": []}))
