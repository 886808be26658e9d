"""Responses at a provider that speaks Chat Completions only, and failures of native ones."""

import openai
import pydantic
import pytest

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
PATCH = {"type": "custom", "name": "apply_patch"}


class City(pydantic.BaseModel):
    city: str


def test_a_response(client):
    response = client.responses.create(model="plain/real", input="hi")
    assert response.output_text == "Hello there"
    assert response.status == "completed"
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (11, 7, 18)
    assert response.model == "plain/real"


def test_the_stream_helper(client):
    with client.responses.stream(model="plain/real", input="hi") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        response = stream.get_final_response()
    assert "".join(deltas) == response.output_text == "Hello thère"
    assert response.usage.total_tokens == 18


def test_the_parse_helper(client):
    response = client.responses.parse(model="plain/real", input="where?", text_format=City)
    assert response.output_parsed == City(city="Oslo")


def test_a_function_is_called(client):
    history = [{"role": "user", "content": "weather?"}]
    with client.responses.stream(model="plain/real", input=history, tools=[WEATHER], store=False) as stream:
        stream.until_done()
        first = stream.get_final_response()
    call = first.output[0]
    assert (call.type, call.name, call.arguments) == ("function_call", "weather", '{"city":"Oslo"}')
    history += first.output
    history.append({"type": "function_call_output", "call_id": call.call_id, "output": "12 °C"})
    second = client.responses.create(model="plain/real", input=history, tools=[WEATHER], store=False)
    assert second.output_text == "Hello there"


def test_a_custom_tool_is_called(client, upstream, mark):
    history = [{"role": "user", "content": "patch!"}]
    with client.responses.stream(model="plain/patch-1", input=history, tools=[PATCH], store=False) as stream:
        events = list(stream)
        response = stream.get_final_response()
    kinds = [item.type for item in response.output]
    assert kinds == ["reasoning", "message", "custom_tool_call"]
    assert response.output[0].summary[0].text == "Let me see."
    assert response.output[1].content[0].text == "Patching."
    call = response.output[2]
    assert (call.name, call.input) == ("apply_patch", "+café\n")
    text = "".join(event.delta for event in events if event.type == "response.custom_tool_call_input.delta")
    assert text == call.input
    history += response.output
    history.append({"type": "custom_tool_call_output", "call_id": call.call_id, "output": "Done"})
    client.responses.create(model="plain/patch-1", input=history, tools=[PATCH], store=False)
    messages = upstream.seen(mark)[-1]["body"]["messages"]
    assert messages[-1] == {"role": "tool", "tool_call_id": "call_0123456789abcdef", "content": "Done"}


def test_a_limit_makes_a_response_incomplete(client):
    with client.responses.stream(model="plain/cropped-1", input="hi") as stream:
        last = list(stream)[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "max_output_tokens"
    assert last.response.output[0].status == "incomplete"


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("plain/cut-between", "upstream_disconnected"),
        ("plain/cut-inside", "upstream_disconnected"),
        ("plain/failing", "overloaded"),
        # Not translated: its chunks are no events of Responses.
        ("up/cut-between", "upstream_disconnected"),
    ],
)
def test_a_failed_stream_raises(client, model, code):
    events = []
    with pytest.raises(openai.APIError) as caught:
        for event in client.responses.create(model=model, input="hi", stream=True):
            events.append(event)
    assert caught.value.code == code
    assert not any(event.type == "response.completed" for event in events if hasattr(event, "type"))


def test_the_stream_helper_raises_for_a_failed_stream(client):
    with pytest.raises(openai.APIError) as caught, client.responses.stream(model="plain/failing", input="hi") as stream:
        stream.until_done()
    assert caught.value.code == "overloaded"
    assert caught.value.message == "no capacity"
