"""A streamed chat that calls a tool, through Trunkline.

Runs in a separate virtual environment: LlamaIndex needs an older OpenAI SDK.
"""

import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "python"))
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name.startswith("OPENAI_"):
        del os.environ[name]

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from gateway import hashed, running
from upstream import Upstream

KEY = "tk-llama-index"
CONFIG = """
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.llama]
sha256 = "{sha256}"
[providers.up]
base_url = "{base_url}"
api_key = "upstream-key"
[models.chat]
provider = "up"
model = "real"
"""


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    upstream = Upstream()
    config = CONFIG.format(sha256=hashed(KEY), base_url=upstream.base_url)
    with running(config, tmp_path_factory.mktemp("gateway")) as origin:
        yield OpenAILike(model="chat", api_base=f"{origin}/v1", api_key=KEY, max_retries=0,
                         is_chat_model=True, is_function_calling_model=True)
    upstream.stop()


def weather(city: str) -> str:
    """The weather in a city."""
    return f"12 °C in {city}"


def test_a_streamed_chat(llm):
    deltas = [chunk.delta for chunk in llm.stream_chat([ChatMessage(content="hi")])]
    assert "".join(deltas) == "Hello thère"


def test_a_streamed_tool_call(llm):
    tool = FunctionTool.from_defaults(weather)
    *_, last = llm.stream_chat_with_tools([tool], user_msg="How is the weather in Oslo?")
    [call] = llm.get_tool_calls_from_response(last)
    assert (call.tool_name, call.tool_kwargs) == ("weather", {"city": "Oslo"})
