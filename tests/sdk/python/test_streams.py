"""Streams: complete, with tools, with usage, cut, failing, closed early."""

import openai
import pytest

from conftest import ask
from upstream import WAIT_SECONDS


def contents(stream):
    return [part.choices[0].delta.content for part in stream if part.choices and part.choices[0].delta.content]


def test_stream(client):
    parts = list(ask(client, stream=True))
    assert contents(parts) == ["Hello ", "thère"]
    assert parts[-1].choices[0].finish_reason == "stop"
    assert all(part.usage is None for part in parts), "usage that was not requested"


def test_stream_with_usage(client):
    parts = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert parts[-1].choices == []
    assert parts[-1].usage.total_tokens == 18


def test_stream_with_tools(client):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    parts = [part.choices[0].delta for part in ask(client, stream=True, tools=tools)]
    calls = [call for part in parts for call in part.tool_calls or []]
    assert calls[0].function.name == "weather"
    assert "".join(call.function.arguments for call in calls) == '{"city":"Oslo"}'


def test_the_stream_helper(client):
    messages = [{"role": "user", "content": "hi"}]
    with client.chat.completions.stream(model="chat", messages=messages) as stream:
        stream.until_done()
        assert stream.get_final_completion().choices[0].message.content == "Hello thère"


def test_responses_stream(client):
    events = list(client.responses.create(model="chat", input="hi", stream=True))
    assert [event.type for event in events] == [
        "response.created", "response.output_text.delta", "response.output_text.delta", "response.completed"]
    assert events[-1].response.output_text == "Hello there"
    assert events[-1].response.usage.total_tokens == 8


def test_a_stream_cut_between_events_raises(client):
    got = []
    with pytest.raises(openai.APIError) as caught:
        got.extend(part.choices[0].delta.content for part in ask(client, model="up/cut-between", stream=True))
    assert got == ["Hello"]
    assert caught.value.code == "upstream_disconnected"
    assert caught.value.type == "server_error"


def test_a_stream_cut_inside_an_event_raises(client):
    got = []
    with pytest.raises(openai.APIConnectionError):
        got.extend(part.choices[0].delta.content for part in ask(client, model="up/cut-inside", stream=True))
    assert got == ["Hello"]


def test_an_upstream_error_in_a_stream_raises(client):
    got = []
    with pytest.raises(openai.APIError) as caught:
        got.extend(part.choices[0].delta.content for part in ask(client, model="up/failing", stream=True))
    assert got == ["Hello"]
    assert caught.value.code == "overloaded"


def test_a_closed_stream_ends_upstream(client, upstream):
    upstream.disconnected.clear()
    stream = ask(client, model="up/endless", stream=True)
    assert next(stream).choices[0].delta.content == "Hello"
    stream.close()
    assert upstream.disconnected.wait(WAIT_SECONDS), "the upstream connection stayed open"
