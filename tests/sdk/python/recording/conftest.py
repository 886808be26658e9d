"""One gateway with two recording upstreams, and the clients of both sides."""

import asyncio

import pytest

from gateway import hashed, running

from .fake import Fake

pytest.register_assert_rewrite("recording.sides")
from .sides import CLIENT_KEY, UPSTREAM_KEY

CONFIG = """
default_provider = "provider1"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.recording]
sha256 = "{sha256}"
[providers.provider1]
base_url = "{one}"
api_key = "{upstream}"
[providers.provider2]
base_url = "{two}"
api_key = "{upstream}"
[providers.azure]
base_url = "{azure}/openai"
api_key = "{upstream}"
auth = "api-key"
stream_usage = "observe"
api_version = "2025-04-01-preview"
[models.deployed]
provider = "azure"
model = "an-upstream-model"
[models.chat]
provider = "provider1"
model = "an-upstream-model"
[models.elsewhere]
provider = "provider2"
model = "an-upstream-model"
[models.anywhere]
targets = [{{ provider = "provider1", model = "an-upstream-model" }}, {{ provider = "provider2", model = "an-upstream-model" }}]
"""


@pytest.fixture(scope="session")
def provider1():
    fake = Fake("provider1")
    yield fake
    fake.stop()


@pytest.fixture(scope="session")
def provider2():
    fake = Fake("provider2")
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def origin(provider1, provider2, tmp_path_factory):
    """A gateway for each test file, since it records which provider has an object."""
    urls = {"one": provider1.base_url, "two": provider2.base_url, "azure": provider2.origin}
    config = CONFIG.format(**urls, sha256=hashed(CLIENT_KEY), upstream=UPSTREAM_KEY)
    with running(config, tmp_path_factory.mktemp("gateway")) as origin:
        yield origin


@pytest.fixture(scope="session")
def runner():
    """One event loop for all asynchronous clients, so that each is created once."""
    with asyncio.Runner() as runner:
        yield runner
