"""The asynchronous client: concurrent requests, streams, cancellation."""

import asyncio

import openai

from conftest import KEY, ask
from upstream import WAIT_SECONDS


def run(base_url, act):
    async def main():
        async with openai.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
            return await act(client)

    return asyncio.run(main())


def test_many_at_once(base_url):
    async def act(client):
        return await asyncio.gather(*(ask(client) for _ in range(40)))

    assert {completion.choices[0].message.content for completion in run(base_url, act)} == {"Hello there"}


def test_streams_at_once(base_url):
    async def read(client):
        stream = await ask(client, stream=True)
        return "".join([part.choices[0].delta.content or "" async for part in stream])

    async def act(client):
        return await asyncio.gather(*(read(client) for _ in range(40)))

    assert set(run(base_url, act)) == {"Hello thère"}


def test_a_cancelled_task_ends_upstream(base_url, upstream):
    async def act(client):
        upstream.disconnected.clear()
        started = asyncio.Event()

        async def read():
            async for _ in await ask(client, model="up/endless", stream=True):
                started.set()

        task = asyncio.create_task(read())
        await asyncio.wait_for(started.wait(), WAIT_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await asyncio.to_thread(upstream.disconnected.wait, WAIT_SECONDS)

    assert run(base_url, act), "the upstream connection stayed open"
