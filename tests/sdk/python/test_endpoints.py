"""Every endpoint, as the SDK calls it."""

import openai
import pytest

from conftest import KEY, ask
from upstream import EMBEDDING, SOUND


def test_chat(client, upstream, mark):
    response = ask(client, temperature=0.5, extra_body={"x_unknown": {"deep": [1, 2]}})
    assert response.choices[0].message.content == "Hello there"
    assert response.choices[0].finish_reason == "stop"
    assert response.usage.total_tokens == 18
    [request] = upstream.seen(mark)
    assert request["body"]["model"] == "real"
    assert request["body"]["x_unknown"] == {"deep": [1, 2]}
    assert request["headers"]["authorization"] == "Bearer upstream-key"
    assert KEY not in str(request)
    assert request["headers"]["user-agent"].startswith("OpenAI/Python")


def test_chat_with_tools(client):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    response = ask(client, tools=tools)
    assert response.choices[0].finish_reason == "tool_calls"
    [call] = response.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Oslo"}')


def test_any_model_of_a_provider(client, upstream, mark):
    assert ask(client, model="up/some/model").choices[0].message.content == "Hello there"
    assert upstream.seen(mark)[0]["body"]["model"] == "some/model"


@pytest.mark.parametrize("more", [{}, {"encoding_format": "float"}])
def test_embeddings(client, more):
    response = client.embeddings.create(model="chat", input="text", **more)
    assert response.data[0].embedding == EMBEDDING
    assert response.usage.prompt_tokens == 2


def test_responses(client):
    response = client.responses.create(model="chat", input="hi")
    assert response.output_text == "Hello there"
    assert response.usage.output_tokens_details.reasoning_tokens == 2


def test_moderations(client):
    response = client.moderations.create(model="chat", input="text")
    assert response.results[0].flagged


def test_images(client):
    response = client.images.generate(model="chat", prompt="a picture")
    assert response.data[0].b64_json == "cGljdHVyZQ=="


def test_speech(client, tmp_path):
    assert client.audio.speech.create(model="chat", voice="alloy", input="text").content == SOUND
    with client.audio.speech.with_streaming_response.create(model="chat", voice="alloy", input="text") as response:
        response.stream_to_file(tmp_path / "sound")
    assert (tmp_path / "sound").read_bytes() == SOUND


def test_legacy_completions(client):
    response = client.completions.create(model="chat", prompt="hi")
    assert response.choices[0].text == "Hello there"


def test_models(client):
    model, voice = client.models.list().data
    assert (voice.id, voice.owned_by) == ("voice", "live")
    assert (model.id, model.object, model.owned_by) == ("chat", "model", "up")
    assert client.models.retrieve("chat") == model
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nothing")
    assert caught.value.code == "model_not_found"


def test_request_ids(client):
    response = ask(client)
    assert response._request_id == "req_upstream"
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=[])
    assert raw.headers["x-request-id"] == "req_upstream"
    assert raw.headers["x-trunkline-request-id"]
    assert raw.parse().choices[0].message.content == "Hello there"


def test_many_requests_over_one_connection(client):
    assert {ask(client).choices[0].message.content for _ in range(50)} == {"Hello there"}
