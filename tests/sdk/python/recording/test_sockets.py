"""Every method that opens a WebSocket: the opening request, and events both ways."""

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
from .sides import CALLER, MODEL, UPSTREAM, Side

CONFIG = """
default_provider = "home1"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.recording]
sha256 = "{sha256}"
[providers.home1]
base_url = "{base_url}"
api_key = "{upstream}"
[models.chat]
provider = "home1"
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
# Chosen anew for each connection.
OWN = {"sec-websocket-key"}


class Home:
    """Says one event, echoes what it gets, and records how each connection began."""

    def __init__(self, server):
        self.base_url = "http://{}:{}/v1".format(*server.socket.getsockname())
        self.requests = []

    def talk(self, socket):
        headers = [(name.lower(), value) for name, value in socket.request.headers.raw_items() if name.lower() not in OWN]
        self.requests.append(Request("GET", socket.request.path, headers, b""))
        socket.send(EVENT)
        for message in socket:
            socket.send(message)


@contextmanager
def home():
    homes = []
    with serve(lambda socket: homes[0].talk(socket), "127.0.0.1", 0) as server:
        homes.append(Home(server))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield homes[0]


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    with home() as upstream:
        config = CONFIG.format(base_url=upstream.base_url, sha256=hashed(CALLER), upstream=UPSTREAM, model=MODEL)
        with running(config, tmp_path_factory.mktemp("gateway")) as origin:
            yield upstream, [Side(upstream.base_url, UPSTREAM, MODEL, {}), Side(f"{origin}/v1", CALLER, "chat", {})]


def test_every_method_that_connects_is_here():
    names = methods(openai.OpenAI(api_key="none"), SyncAPIResource)
    assert [name for name in names if name.endswith(".connect")] == sorted(CONNECTING)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CONNECTING)
def test_connection(name, sides):
    upstream, both = sides
    seen, gave = [], []
    for side in both:
        given = {key: side.model if value == "{model}" else value for key, value in CONNECTING[name].items()}
        with method(side.client, name)(**given) as connection:
            first = connection.recv_bytes()
            connection.send({"type": "echo", "data": "x" * 70_000})
            gave.append([first, connection.recv_bytes()])
        seen.append(upstream.requests[:])
        upstream.requests.clear()
    assert len(seen[0]) == 1
    assert differences(*seen) == []
    assert gave[0] == gave[1]
    assert gave[0][0].decode() == EVENT
