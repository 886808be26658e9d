"""The manners of calling a method."""

from .harvest import harvest, harvest_async, harvest_raw, harvest_streaming
from .methods import method


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
