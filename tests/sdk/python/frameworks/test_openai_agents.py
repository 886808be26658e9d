import asyncio

import openai
import pytest
from agents import (
    Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled)

from conftest import KEY

# Traces would be sent to OpenAI.
set_tracing_disabled(True)


def run(base_url, kind, model, tools=()):
    """Runs an agent in a stream; nothing is stored by Trunkline."""
    async def act():
        async with openai.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
            agent = Agent(
                name="Weather", model=kind(model=model, openai_client=client), tools=list(tools),
                model_settings=ModelSettings(store=False) if kind is OpenAIResponsesModel else ModelSettings())
            result = Runner.run_streamed(agent, "How is the weather in Oslo?")
            async for _ in result.stream_events():
                pass
            return result.final_output

    return asyncio.run(act())


@pytest.mark.parametrize(("kind", "model"), [(OpenAIChatCompletionsModel, "chat"), (OpenAIResponsesModel, "plain/real")])
def test_a_streamed_tool_call(base_url, kind, model):
    cities = []

    @function_tool
    def weather(city: str) -> str:
        """The weather in a city."""
        cities.append(city)
        return "12 °C"

    assert run(base_url, kind, model, [weather]) == "Hello thère"
    assert cities == ["Oslo"]


@pytest.mark.parametrize("model", ["plain/failing", "plain/cut-between", "up/cut-between"])
def test_a_failed_stream_of_responses_raises(base_url, model):
    with pytest.raises(openai.APIError):
        run(base_url, OpenAIResponsesModel, model)
