"""Every endpoint, as the SDK calls it."""

import openai
import pytest

from conftest import KEY, ask
from upstream import EMBEDDING, SOUND


def test_chat(client, upstream, mark):
    answer = ask(client, temperature=0.5, extra_body={"x_unknown": {"deep": [1, 2]}})
    assert answer.choices[0].message.content == "Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 18
    [seen] = upstream.seen(mark)
    assert seen["body"]["model"] == "real"
    assert seen["body"]["x_unknown"] == {"deep": [1, 2]}
    assert seen["headers"]["authorization"] == "Bearer upstream-key"
    assert KEY not in str(seen)
    assert seen["headers"]["user-agent"].startswith("OpenAI/Python")


def test_chat_with_tools(client):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    answer = ask(client, tools=tools)
    assert answer.choices[0].finish_reason == "tool_calls"
    [call] = answer.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city":"Oslo"}')


def test_any_model_of_a_provider(client, upstream, mark):
    assert ask(client, model="up/some/model").choices[0].message.content == "Hello there"
    assert upstream.seen(mark)[0]["body"]["model"] == "some/model"


@pytest.mark.parametrize("more", [{}, {"encoding_format": "float"}])
def test_embeddings(client, more):
    answer = client.embeddings.create(model="chat", input="words", **more)
    assert answer.data[0].embedding == EMBEDDING
    assert answer.usage.prompt_tokens == 2


def test_responses(client):
    answer = client.responses.create(model="chat", input="hi")
    assert answer.output_text == "Hello there"
    assert answer.usage.output_tokens_details.reasoning_tokens == 2


def test_moderations(client):
    answer = client.moderations.create(model="chat", input="words")
    assert answer.results[0].flagged


def test_images(client):
    answer = client.images.generate(model="chat", prompt="a picture")
    assert answer.data[0].b64_json == "cGljdHVyZQ=="


def test_speech(client, tmp_path):
    assert client.audio.speech.create(model="chat", voice="alloy", input="words").content == SOUND
    with client.audio.speech.with_streaming_response.create(model="chat", voice="alloy", input="words") as answer:
        answer.stream_to_file(tmp_path / "sound")
    assert (tmp_path / "sound").read_bytes() == SOUND


def test_legacy_completions(client):
    answer = client.completions.create(model="chat", prompt="hi")
    assert answer.choices[0].text == "Hello there"


def test_models(client):
    model, voice = client.models.list().data
    assert (voice.id, voice.owned_by) == ("voice", "live")
    assert (model.id, model.object, model.owned_by) == ("chat", "model", "up")
    assert client.models.retrieve("chat") == model
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nothing")
    assert caught.value.code == "model_not_found"


def test_request_ids(client):
    answer = ask(client)
    assert answer._request_id == "req_upstream"
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=[])
    assert raw.headers["x-request-id"] == "req_upstream"
    assert raw.headers["x-trunkline-request-id"]
    assert raw.parse().choices[0].message.content == "Hello there"


def test_many_requests_over_one_connection(client):
    assert {ask(client).choices[0].message.content for _ in range(50)} == {"Hello there"}
