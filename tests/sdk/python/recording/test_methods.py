"""Every method of the SDK, in every manner of calling it, reaches the upstream as a direct call does."""

import openai
import pytest
from openai._resource import AsyncAPIResource, SyncAPIResource

from .compare import differences
from .harvest import harvest, harvest_async, harvest_raw, harvest_streaming
from .methods import TABLE, arguments, filled, methods
from .sides import direct, through

KEYS = {"api_key": "none", "admin_api_key": "none"}
METHODS = methods(openai.OpenAI(**KEYS), SyncAPIResource)
CALLED = [name for name in METHODS if name in TABLE and arguments(name)]


def test_the_table_names_every_method():
    assert [name for name in METHODS if name not in TABLE] == []


def test_both_clients_have_the_same_methods():
    assert methods(openai.AsyncOpenAI(**KEYS), AsyncAPIResource) == METHODS


def method(client, name, *, of=None):
    """A method by its dotted name; `of` is the wrapper of its resource to take it from."""
    *path, last = name.split(".")
    for part in path:
        client = getattr(client, part)
    return getattr(getattr(client, of) if of else client, last, None)


def plainly(side, name, given, _runner):
    return harvest(method(side.client, name)(**given))


def raw(side, name, given, _runner):
    return harvest_raw(method(side.client, name, of="with_raw_response")(**given))


def streaming(side, name, given, _runner):
    return harvest_streaming(method(side.client, name, of="with_streaming_response")(**given))


def asynchronously(side, name, given, runner):
    async def act():
        return await harvest_async(method(side.async_client, name)(**given))

    return runner.run(act())


def wrapped(of):
    """The methods that this wrapper has as well."""
    client = openai.OpenAI(**KEYS)
    return [name for name in CALLED if method(client, name, of=of)]


def compare(sides, fake, call, name, runner, directory):
    """Calls a method on both sides; the first is the direct one."""
    for given in arguments(name):
        seen, gave = [], []
        for side in sides:
            fake.take()
            gave.append(call(side, name, filled(given, side.model, directory), runner))
            seen.append(fake.take())
        assert seen[0], "the method sends nothing, or not to its base URL"
        assert differences(*seen) == []
        assert gave[0] == gave[1]


@pytest.fixture(scope="module")
def default_sides(home1, origin):
    return direct(home1), through(origin)


@pytest.fixture(scope="module")
def header_sides(home2, origin):
    return direct(home2), through(origin, model="elsewhere", x_trunkline_provider="home2")


@pytest.fixture(scope="module")
def path_sides(home2, origin):
    return direct(home2), through(origin, "/providers/home2/v1", model="elsewhere")


@pytest.mark.parametrize("name", CALLED)
def test_plain(name, default_sides, home1, runner, tmp_path):
    compare(default_sides, home1, plainly, name, runner, tmp_path)


@pytest.mark.parametrize("name", wrapped("with_raw_response"))
def test_raw_response(name, default_sides, home1, runner, tmp_path):
    compare(default_sides, home1, raw, name, runner, tmp_path)


@pytest.mark.parametrize("name", wrapped("with_streaming_response"))
def test_streaming_response(name, default_sides, home1, runner, tmp_path):
    compare(default_sides, home1, streaming, name, runner, tmp_path)


@pytest.mark.parametrize("name", CALLED)
def test_async(name, default_sides, home1, runner, tmp_path):
    compare(default_sides, home1, asynchronously, name, runner, tmp_path)


@pytest.mark.parametrize("name", CALLED)
def test_provider_by_header(name, header_sides, home2, runner, tmp_path):
    compare(header_sides, home2, plainly, name, runner, tmp_path)


@pytest.mark.parametrize("name", CALLED)
def test_provider_by_path(name, path_sides, home2, runner, tmp_path):
    compare(path_sides, home2, plainly, name, runner, tmp_path)
