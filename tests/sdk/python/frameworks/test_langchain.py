from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from conftest import KEY
from upstream import EMBEDDING


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"12 °C in {city}"


def test_a_streamed_tool_call(base_url):
    model = ChatOpenAI(model="chat", base_url=base_url, api_key=KEY, max_retries=0).bind_tools([weather])
    messages = [HumanMessage("How is the weather in Oslo?")]
    message = None
    for chunk in model.stream(messages):
        message = chunk if message is None else message + chunk
    [call] = message.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Oslo"})
    messages += [message, ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])]
    assert "".join(chunk.content for chunk in model.stream(messages)) == "Hello thère"


def test_embeddings(base_url):
    model = OpenAIEmbeddings(model="chat", base_url=base_url, api_key=KEY, max_retries=0, check_embedding_ctx_length=False)
    assert model.embed_query("text") == EMBEDDING
