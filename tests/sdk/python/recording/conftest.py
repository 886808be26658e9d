"""One gateway before two recording upstreams, and the clients of both sides."""

import asyncio

import pytest

from gateway import hashed, running

from .fake import Fake

pytest.register_assert_rewrite("recording.sides")
from .sides import CALLER, UPSTREAM

CONFIG = """
default_provider = "home1"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.recording]
sha256 = "{sha256}"
[providers.home1]
base_url = "{one}"
api_key = "{upstream}"
[providers.home2]
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
provider = "home1"
model = "an-upstream-model"
[models.elsewhere]
provider = "home2"
model = "an-upstream-model"
[models.anywhere]
targets = [{{ provider = "home1", model = "an-upstream-model" }}, {{ provider = "home2", model = "an-upstream-model" }}]
"""


@pytest.fixture(scope="session")
def home1():
    fake = Fake("home1")
    yield fake
    fake.stop()


@pytest.fixture(scope="session")
def home2():
    fake = Fake("home2")
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def origin(home1, home2, tmp_path_factory):
    """A gateway for each file of tests: it remembers which home it saw an object at."""
    homes = {"one": home1.base_url, "two": home2.base_url, "azure": home2.origin}
    config = CONFIG.format(**homes, sha256=hashed(CALLER), upstream=UPSTREAM)
    with running(config, tmp_path_factory.mktemp("gateway")) as origin:
        yield origin


@pytest.fixture(scope="session")
def runner():
    """One event loop for all asynchronous clients, so that each is made once."""
    with asyncio.Runner() as runner:
        yield runner
