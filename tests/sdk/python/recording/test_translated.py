"""A streamed tool call through a translation: each SDK with the other protocol's upstream."""

import json

import anthropic
import openai
import pytest

from gateway import hashed, running
from upstream import Upstream

from .fake import Fake, events
from .sides import CLIENT_KEY, UPSTREAM_KEY

CONFIG = """
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.recording]
sha256 = "{sha256}"
[providers.messages]
base_url = "{messages}"
api_key = "{upstream}"
auth = "x-api-key"
dialects = ["messages"]
[providers.chats]
base_url = "{chats}"
api_key = "{upstream}"
[models.opus]
provider = "messages"
model = "claude-x"
[models.gpt]
provider = "chats"
model = "real"
"""
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
QUESTION = [{"role": "user", "content": "How is the weather in Oslo?"}]


def tool_use(_name, _request):
    """A Messages stream with text and a tool call."""
    usage = {"input_tokens": 11, "output_tokens": 1}
    message = {"id": "msg_9", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}
    call = {"type": "tool_use", "id": "toolu_9", "name": "weather", "input": {}}
    stream = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Let me see."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": call},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"city\":"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "\"Oslo\"}"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]
    return 200, "text/event-stream", list(events([event["type"], event] for event in stream))


@pytest.fixture(scope="module")
def claude():
    fake = Fake("claude1", tool_use)
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def bridge(claude, tmp_path_factory):
    chats = Upstream()
    config = CONFIG.format(messages=claude.base_url, chats=chats.base_url, sha256=hashed(CLIENT_KEY), upstream=UPSTREAM_KEY)
    with running(config, tmp_path_factory.mktemp("gateway")) as origin:
        yield origin
    chats.stop()


def test_the_anthropic_sdk_with_a_chat_upstream(bridge):
    client = anthropic.Anthropic(base_url=bridge, api_key=CLIENT_KEY, max_retries=0)
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    with client.messages.stream(model="gpt", max_tokens=64, messages=QUESTION, tools=tools) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use"
    [call] = [block for block in message.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("weather", {"city": "Oslo"})


def test_the_anthropic_sdk_sends_a_tool_result(bridge):
    client = anthropic.Anthropic(base_url=bridge, api_key=CLIENT_KEY, max_retries=0)
    use = {"type": "tool_use", "id": "call1", "name": "weather", "input": {"city": "Oslo"}}
    result = {"type": "tool_result", "tool_use_id": "call1", "content": "12 °C"}
    messages = [*QUESTION, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    message = client.messages.create(model="gpt", max_tokens=64, messages=messages, tools=tools)
    assert [block.text for block in message.content] == ["Hello there"]
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 11, 7)


def test_the_openai_sdk_with_a_messages_upstream(bridge, claude):
    client = openai.OpenAI(base_url=f"{bridge}/v1", api_key=CLIENT_KEY, max_retries=0)
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}]
    claude.take()
    with client.chat.completions.stream(
        model="opus", messages=QUESTION, tools=tools, stream_options={"include_usage": True}
    ) as stream:
        completion = stream.get_final_completion()
    [choice] = completion.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me see.")
    [call] = choice.message.tool_calls
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == ("toolu_9", "weather", {"city": "Oslo"})
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (11, 7)
    [request] = claude.take()
    assert (request.target, request.header("x-api-key")) == ("/v1/messages", UPSTREAM_KEY)
    assert request.header("anthropic-version")
    body = json.loads(request.body)
    assert (body["model"], body["tools"][0]["input_schema"]) == ("claude-x", SCHEMA)


def test_an_untranslatable_field_is_rejected(bridge):
    client = openai.OpenAI(base_url=f"{bridge}/v1", api_key=CLIENT_KEY, max_retries=0)
    with pytest.raises(openai.BadRequestError) as failure:
        client.chat.completions.create(model="opus", messages=QUESTION, n=2)
    assert failure.value.param == "n"
