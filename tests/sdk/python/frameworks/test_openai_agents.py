import asyncio

import openai
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled

from conftest import KEY

# Traces would be sent to OpenAI.
set_tracing_disabled(True)


def test_a_streamed_tool_call(base_url):
    cities = []

    @function_tool
    def weather(city: str) -> str:
        """The weather in a city."""
        cities.append(city)
        return "12 °C"

    async def act():
        async with openai.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
            model = OpenAIChatCompletionsModel(model="chat", openai_client=client)
            run = Runner.run_streamed(Agent(name="Weather", model=model, tools=[weather]), "How is the weather in Oslo?")
            async for _ in run.stream_events():
                pass
            return run.final_output

    assert asyncio.run(act()) == "Hello thère"
    assert cities == ["Oslo"]
