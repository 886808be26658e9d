import asyncio

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from conftest import KEY


def test_a_streamed_tool_call(base_url):
    model = OpenAIChatModel("chat", provider=OpenAIProvider(base_url=base_url, api_key=KEY))
    agent = Agent(model)
    cities = []

    @agent.tool_plain
    def weather(city: str) -> str:
        cities.append(city)
        return "12 °C"

    async def act():
        async with agent.run_stream("How is the weather in Oslo?") as run:
            return await run.get_output()

    assert asyncio.run(act()) == "Hello thère"
    assert cities == ["Oslo"]
