import asyncio

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from conftest import KEY


def agent_of(base_url, kind, model):
    return Agent(kind(model, provider=OpenAIProvider(base_url=base_url, api_key=KEY)))


async def streamed(agent):
    async with agent.run_stream("How is the weather in Oslo?") as run:
        return await run.get_output()


@pytest.mark.parametrize(("kind", "model"), [(OpenAIChatModel, "chat"), (OpenAIResponsesModel, "plain/real")])
def test_a_streamed_tool_call(base_url, kind, model):
    agent = agent_of(base_url, kind, model)
    cities = []

    @agent.tool_plain
    def weather(city: str) -> str:
        cities.append(city)
        return "12 °C"

    assert asyncio.run(streamed(agent)) == "Hello thère"
    assert cities == ["Oslo"]


@pytest.mark.parametrize("model", ["plain/failing", "plain/cut-between", "up/cut-between"])
def test_a_failed_stream_of_responses_raises(base_url, model):
    with pytest.raises(ModelAPIError):
        asyncio.run(streamed(agent_of(base_url, OpenAIResponsesModel, model)))
