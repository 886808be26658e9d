"""One gateway, one upstream, and clients that differ only in base URL and key."""

import os

# The suites connect to this machine only: no proxy or base URL from the environment.
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name.startswith("OPENAI_"):
        del os.environ[name]

import openai
import pytest

from gateway import hashed, running
from realtime_server import RealtimeServer
from upstream import Upstream

KEY = "tk-python-suite"
CONFIG = """
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.python]
sha256 = "{sha256}"
[access.keys.narrow]
sha256 = "{narrow}"
models = ["chat"]
[providers.up]
base_url = "{base_url}"
api_key = "upstream-key"
stream_usage = "inject"
[providers.plain]
base_url = "{base_url}"
api_key = "upstream-key"
dialects = ["chat"]
[providers.slow]
base_url = "{base_url}"
api_key = "upstream-key"
[providers.slow.timeouts]
response_header = "1s"
[providers.live]
base_url = "{live_url}"
api_key = "upstream-key"
[models.voice]
provider = "live"
model = "real-voice"
[models.chat]
provider = "up"
model = "real"
[models.later]
provider = "groq"
model = "later"
"""


@pytest.fixture(scope="session")
def upstream():
    server = Upstream()
    yield server
    server.stop()


def text(upstream, live):
    """The configuration of the suites."""
    return CONFIG.format(base_url=upstream.base_url, live_url=live.base_url, sha256=hashed(KEY), narrow=hashed(KEY + "-narrow"))


@pytest.fixture(scope="session")
def live_server():
    server = RealtimeServer()
    yield server
    server.stop()


@pytest.fixture
def live(live_server):
    """The fake provider of WebSockets, with the records of earlier tests cleared."""
    live_server.handshakes.clear()
    live_server.events.clear()
    return live_server


@pytest.fixture(scope="session")
def base_url(upstream, live_server, tmp_path_factory):
    with running(text(upstream, live_server), tmp_path_factory.mktemp("gateway")) as origin:
        yield f"{origin}/v1"


@pytest.fixture
def mark(request):
    """The value of a header that identifies the requests of one test."""
    return request.node.name


@pytest.fixture
def client(base_url, mark):
    with openai.OpenAI(base_url=base_url, api_key=KEY, max_retries=0, default_headers={"x-test": mark}) as client:
        yield client


def ask(client, model="chat", **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], **more)
