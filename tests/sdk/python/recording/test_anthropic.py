"""Anthropic's SDK before a Messages upstream: what it sends comes through as it is."""

import anthropic
import pytest
from anthropic._resource import SyncAPIResource

from gateway import hashed, running

from . import answers
from .fake import Fake
from .methods import ANTHROPIC, methods
from .sides import CALLER, MODEL, UPSTREAM, anthropic_side, compare
from .ways import asynchronously, plainly, raw

CONFIG = """
default_provider = "claude"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.recording]
sha256 = "{sha256}"
[providers.claude]
base_url = "{base_url}"
api_key = "{upstream}"
dialect = "anthropic"
[models.opus]
provider = "claude"
model = "{model}"
"""
# The protocol and its objects. The rest of the SDK administers an organization
# and runs agents at Anthropic; its paths pass like any other.
SCOPE = tuple(beta + part for beta in ("", "beta.") for part in ("messages.", "files.", "models.", "skills."))
METHODS = [name for name in methods(anthropic.Anthropic(api_key="none"), SyncAPIResource) if name.startswith(SCOPE)]
CALLED = [name for name in METHODS if ANTHROPIC.calls(name)]


@pytest.fixture(scope="module")
def claude():
    fake = Fake("claude1", answers.anthropic)
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def sides(claude, tmp_path_factory):
    config = CONFIG.format(base_url=claude.base_url, sha256=hashed(CALLER), upstream=UPSTREAM, model=MODEL)
    with running(config, tmp_path_factory.mktemp("gateway")) as origin:
        yield anthropic_side(claude.origin, UPSTREAM, MODEL), anthropic_side(origin, CALLER, "opus")


def test_the_table_names_every_method():
    assert sorted(ANTHROPIC) == METHODS


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize("way", [plainly, asynchronously])
def test_method(way, name, sides, claude, runner, tmp_path):
    compare(sides, claude, way, name, runner, tmp_path, ANTHROPIC)


@pytest.mark.parametrize("name", ["messages.create", "messages.count_tokens"])
def test_raw_response(name, sides, claude, runner, tmp_path):
    compare(sides, claude, raw, name, runner, tmp_path, ANTHROPIC)


def test_bearer_of_the_caller(sides, claude):
    """Coding agents send their key as a bearer token."""
    client = anthropic.Anthropic(base_url=sides[1].base_url, auth_token=CALLER, max_retries=0)
    claude.take()
    client.messages.create(model="opus", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    [request] = claude.take()
    assert (request.header("x-api-key"), request.header("authorization")) == (UPSTREAM, None)


@pytest.mark.parametrize("stream", [False, True])
def test_errors_have_their_shape(sides, stream):
    with pytest.raises(anthropic.NotFoundError) as failure:
        sides[1].client.messages.create(model="nothing", max_tokens=9, messages=[], stream=stream)
    assert failure.value.body["type"] == "error"
    assert failure.value.body["error"]["type"] == "not_found_error"


def test_a_wrong_key(sides):
    client = anthropic.Anthropic(base_url=sides[1].base_url, api_key="wrong", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError) as failure:
        client.messages.create(model="opus", max_tokens=9, messages=[])
    assert failure.value.body["error"]["type"] == "authentication_error"
