"""Anthropic's SDK with a Messages upstream: requests are forwarded unchanged."""

import anthropic
import pytest
from anthropic._resource import SyncAPIResource

from gateway import hashed, running

from . import responses
from .fake import Fake
from .methods import ANTHROPIC, methods
from .sides import CLIENT_KEY, MODEL, UPSTREAM_KEY, anthropic_side, compare
from .call_styles import asynchronous, plain, raw

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
dialects = ["messages"]
[providers.keyed]
base_url = "{base_url}"
api_key = "{upstream}"
auth = "x-api-key"
dialects = ["messages"]
[models.opus]
provider = "claude"
model = "{model}"
[models.keyed-opus]
provider = "keyed"
model = "{model}"
"""
# Only methods of the protocol and its objects. The rest of the SDK administers an
# organization and runs agents at Anthropic; its paths are forwarded like any other.
SCOPE = tuple(beta + part for beta in ("", "beta.") for part in ("messages.", "files.", "models.", "skills."))
METHODS = [name for name in methods(anthropic.Anthropic(api_key="none"), SyncAPIResource) if name.startswith(SCOPE)]
CALLED = [name for name in METHODS if ANTHROPIC.calls(name)]


@pytest.fixture(scope="module")
def claude():
    fake = Fake("claude1", responses.anthropic)
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def sides(claude, tmp_path_factory):
    config = CONFIG.format(base_url=claude.base_url, sha256=hashed(CLIENT_KEY), upstream=UPSTREAM_KEY, model=MODEL)
    with running(config, tmp_path_factory.mktemp("gateway")) as origin:
        yield anthropic_side(claude.origin, UPSTREAM_KEY, MODEL), anthropic_side(origin, CLIENT_KEY, "opus")


def test_the_table_names_every_method():
    assert sorted(ANTHROPIC) == METHODS


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize("style", [plain, asynchronous])
def test_method(style, name, sides, claude, runner, tmp_path):
    compare(sides, claude, style, name, runner, tmp_path, ANTHROPIC)


@pytest.mark.parametrize("name", ["messages.create", "messages.count_tokens"])
def test_raw_response(name, sides, claude, runner, tmp_path):
    compare(sides, claude, raw, name, runner, tmp_path, ANTHROPIC)


@pytest.mark.parametrize("own", ["authorization", "x-api-key"])
@pytest.mark.parametrize("model, theirs", [("opus", "authorization"), ("keyed-opus", "x-api-key")])
def test_each_side_has_its_own_authentication_header(sides, claude, own, model, theirs):
    """Older SDKs send `x-api-key`, newer ones and coding agents a bearer token."""
    client, value = sides[1].client, {"authorization": f"Bearer {CLIENT_KEY}", "x-api-key": CLIENT_KEY}
    others = {"Authorization": anthropic.Omit()} if own == "x-api-key" else {}
    claude.take()
    question = [{"role": "user", "content": "hi"}]
    client.messages.create(model=model, max_tokens=9, messages=question, extra_headers={own: value[own], **others})
    [request] = claude.take()
    sent = {name: request.header(name) for name in value if request.header(name)}
    assert sent == {theirs: value[theirs].replace(CLIENT_KEY, UPSTREAM_KEY)}


@pytest.mark.parametrize("stream", [False, True])
def test_errors_have_the_protocols_shape(sides, stream):
    base_url = f"{sides[1].base_url}/providers/nothing"
    client = anthropic.Anthropic(base_url=base_url, api_key=CLIENT_KEY, max_retries=0)
    with pytest.raises(anthropic.NotFoundError) as failure:
        client.messages.create(model="opus", max_tokens=9, messages=[], stream=stream)
    assert failure.value.body["type"] == "error"
    assert failure.value.body["error"]["type"] == "not_found_error"


def test_a_wrong_key(sides):
    client = anthropic.Anthropic(base_url=sides[1].base_url, api_key="wrong", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError) as failure:
        client.messages.create(model="opus", max_tokens=9, messages=[])
    assert failure.value.body["error"]["type"] == "authentication_error"
