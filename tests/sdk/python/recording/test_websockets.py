"""Every method that opens a WebSocket: the handshake, and events in both directions."""

import threading
from contextlib import contextmanager

import openai
import pytest
from openai._resource import SyncAPIResource
from websockets.sync.server import serve

from gateway import hashed, running

from .compare import differences
from .fake import Request
from .methods import method, methods
from .sides import CLIENT_KEY, MODEL, UPSTREAM_KEY, Side

CONFIG = """
default_provider = "provider1"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.recording]
sha256 = "{sha256}"
[providers.provider1]
base_url = "{base_url}"
api_key = "{upstream}"
[models.chat]
provider = "provider1"
model = "{model}"
"""
SESSION = {"session_id": "live_1"}
CONNECTING = {
    "beta.realtime.connect": {"model": "{model}"},
    "beta.responses.connect": {},
    "live.connect": {},
    "live.forks.connect": SESSION,
    "live.sideband.connect": SESSION,
    "realtime.connect": {"model": "{model}"},
    "realtime.translations.connect": {"model": "{model}"},
    "responses.connect": {},
}
EVENT = '{"type":"some.event","note":"thé ✓"}'
# Different for each connection.
PER_CONNECTION = {"sec-websocket-key"}


class EchoServer:
    """Sends one event, echoes what it receives, and records the handshakes."""

    def __init__(self, server):
        self.base_url = "http://{}:{}/v1".format(*server.socket.getsockname())
        self.requests = []

    def serve(self, socket):
        headers = [(name.lower(), value) for name, value in socket.request.headers.raw_items() if name.lower() not in PER_CONNECTION]
        self.requests.append(Request("GET", socket.request.path, headers, b""))
        socket.send(EVENT)
        for message in socket:
            socket.send(message)


@contextmanager
def echo_server():
    servers = []
    with serve(lambda socket: servers[0].serve(socket), "127.0.0.1", 0) as server:
        servers.append(EchoServer(server))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield servers[0]


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    with echo_server() as upstream:
        config = CONFIG.format(base_url=upstream.base_url, sha256=hashed(CLIENT_KEY), upstream=UPSTREAM_KEY, model=MODEL)
        with running(config, tmp_path_factory.mktemp("gateway")) as origin:
            yield upstream, [Side(upstream.base_url, UPSTREAM_KEY, MODEL, {}), Side(f"{origin}/v1", CLIENT_KEY, "chat", {})]


def test_every_connecting_method_is_listed():
    names = methods(openai.OpenAI(api_key="none"), SyncAPIResource)
    assert [name for name in names if name.endswith(".connect")] == sorted(CONNECTING)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CONNECTING)
def test_connection(name, sides):
    upstream, both = sides
    seen, results = [], []
    for side in both:
        given = {key: side.model if value == "{model}" else value for key, value in CONNECTING[name].items()}
        with method(side.client, name)(**given) as connection:
            first = connection.recv_bytes()
            connection.send({"type": "echo", "data": "x" * 70_000})
            results.append([first, connection.recv_bytes()])
        seen.append(upstream.requests[:])
        upstream.requests.clear()
    assert len(seen[0]) == 1
    assert differences(*seen) == []
    assert results[0] == results[1]
    assert results[0][0].decode() == EVENT
