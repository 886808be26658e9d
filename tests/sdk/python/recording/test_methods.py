"""Every method of the SDK, in every calling style, sends the upstream the same request as a direct call."""

import openai
import pytest
from openai._resource import AsyncAPIResource, SyncAPIResource

from .methods import OPENAI, method, methods
from .sides import compare, direct, through
from .call_styles import asynchronous, plain, raw, streaming

KEYS = {"api_key": "none", "admin_api_key": "none"}
METHODS = methods(openai.OpenAI(**KEYS), SyncAPIResource)
CALLED = [name for name in METHODS if OPENAI.calls(name)]


def test_the_table_names_every_method():
    assert [name for name in METHODS if name not in OPENAI] == []


def test_the_table_names_no_others():
    assert [name for name in OPENAI if name not in METHODS] == ["chat.completions.run_tools"], "which only Node has"


def test_both_clients_have_the_same_methods():
    assert methods(openai.AsyncOpenAI(**KEYS), AsyncAPIResource) == METHODS


def wrapped(of):
    """The methods that this wrapper also has, with one of the many administration methods."""
    client = openai.OpenAI(**KEYS)
    names = [name for name in CALLED if not name.startswith("admin.") or name == "admin.organization.users.list"]
    return [name for name in names if method(client, name, of=of)]


@pytest.fixture(scope="module")
def default_sides(provider1, origin):
    return direct(provider1), through(origin)


@pytest.mark.parametrize("name", CALLED)
def test_plain(name, default_sides, provider1, runner, tmp_path):
    compare(default_sides, provider1, plain, name, runner, tmp_path)


@pytest.mark.parametrize("name", wrapped("with_raw_response"))
def test_raw_response(name, default_sides, provider1, runner, tmp_path):
    compare(default_sides, provider1, raw, name, runner, tmp_path)


@pytest.mark.parametrize("name", wrapped("with_streaming_response"))
def test_streaming_response(name, default_sides, provider1, runner, tmp_path):
    compare(default_sides, provider1, streaming, name, runner, tmp_path)


@pytest.mark.parametrize("name", CALLED)
def test_async(name, default_sides, provider1, runner, tmp_path):
    compare(default_sides, provider1, asynchronous, name, runner, tmp_path)
