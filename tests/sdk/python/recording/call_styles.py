"""The styles of calling a method."""

from .results import result_of, result_of_async, result_of_raw, result_of_streaming
from .methods import method


def plain(side, name, given, _runner):
    return result_of(method(side.client, name)(**given))


def raw(side, name, given, _runner):
    return result_of_raw(method(side.client, name, of="with_raw_response")(**given))


def streaming(side, name, given, _runner):
    return result_of_streaming(method(side.client, name, of="with_streaming_response")(**given))


def asynchronous(side, name, given, runner):
    async def act():
        return await result_of_async(method(side.async_client, name)(**given))

    return runner.run(act())
