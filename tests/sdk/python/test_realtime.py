"""Realtime sessions and responses over WebSockets."""

import threading

import openai
import pytest

from conftest import KEY
from realtime_server import TEXT, USAGE

MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


def until(connection, last):
    """The events up to the first of this type."""
    events = []
    for event in connection:
        events.append(event)
        if event.type == last:
            return events
    raise AssertionError(f"closed before {last}: {events}")


def converse(connection):
    """Runs a short session; returns the events of its response."""
    assert connection.recv().type == "session.created"
    connection.session.update(session={"type": "realtime", "instructions": "Sing."})
    assert connection.recv().session.instructions == "Sing."
    connection.conversation.item.create(item=MESSAGE)
    assert connection.recv().item.id == "item_1"
    connection.response.create()
    return until(connection, "response.done")


def test_a_session(client, live):
    with client.realtime.connect(model="voice") as connection:
        events = converse(connection)
    kinds = ["response.created", "response.output_item.added", "response.output_text.delta", "response.output_text.delta",
             "response.output_text.done", "response.done"]
    assert [event.type for event in events] == kinds
    assert [event.delta for event in events if event.type.endswith(".delta")] == TEXT
    assert events[-1].response.usage.total_tokens == USAGE["total_tokens"]
    assert events[-1].response.output[0].content[0].text == "".join(TEXT)
    assert [event["type"] for event in live.events] == ["session.update", "conversation.item.create", "response.create"]
    [(path, headers)] = live.handshakes
    assert path == "/v1/realtime?model=real-voice"
    names = {name.lower(): value for name, value in headers}
    assert names["authorization"] == "Bearer upstream-key"
    assert KEY not in str(headers)


def test_concurrent_sessions(client):
    def run_session():
        with client.realtime.connect(model="voice") as connection:
            done.append(converse(connection)[-1].type)

    done = []
    threads = [threading.Thread(target=run_session) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == ["response.done"] * 8


def test_responses_over_a_websocket(client, live):
    with client.responses.connect(extra_query={"model": "voice"}) as connection:
        connection.response.create(model="real-voice", input="hi")
        assert [connection.recv().delta for _ in TEXT] == TEXT
    assert live.handshakes[0][0] == "/v1/responses?model=real-voice"
    assert live.events[0]["type"] == "response.create"


def test_azure_client(base_url, live):
    endpoint = base_url.removesuffix("/v1")
    # The class assumes TLS.
    sockets = endpoint.replace("http:", "ws:") + "/openai"
    options = {"azure_endpoint": endpoint, "websocket_base_url": sockets, "api_version": "2025-04-01-preview"}
    with openai.AzureOpenAI(api_key=KEY, **options) as client:
        with client.realtime.connect(model="voice") as connection:
            assert converse(connection)[-1].type == "response.done"
    assert live.handshakes[0][0] == "/v1/realtime?model=real-voice"
    assert KEY not in str(live.handshakes)


def test_an_unknown_model(client, live):
    with pytest.raises(Exception, match="404"):
        client.realtime.connect(model="none").enter()
    assert live.handshakes == []


def test_a_wrong_key(client, live):
    with pytest.raises(Exception, match="401"):
        client.with_options(api_key="wrong").realtime.connect(model="voice").enter()
    assert live.handshakes == []
