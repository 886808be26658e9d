"""Requests without a model: sent to the provider they name, else to the one that has their object."""

import openai
import pytest

from .compare import differences
from .methods import FILE
from .sides import CLIENT_KEY, direct, through

UPLOAD = ("a.jsonl", FILE, "application/octet-stream")


@pytest.fixture(scope="module")
def client(origin):
    return through(origin).client


def at(provider):
    return {"x-trunkline-provider": provider}


def targets(*providers):
    """The requests each provider received since the last call."""
    return [[f"{request.method} {request.target}" for request in provider.take()] for provider in providers]


# How an object is created and used by its id.
OBJECTS = {
    "file": (lambda c, **m: c.files.create(file=UPLOAD, purpose="batch", **m), lambda c, id: c.files.retrieve(id)),
    "batch": (lambda c, **m: c.batches.create(completion_window="24h", endpoint="/v1/responses", input_file_id="file_7", **m),
              lambda c, id: c.batches.cancel(id)),
    "vector store": (lambda c, **m: c.vector_stores.create(name="a", **m), lambda c, id: c.vector_stores.search(id, query="x")),
    "thread": (lambda c, **m: c.beta.threads.create(**m), lambda c, id: c.beta.threads.messages.list(id)),
    "conversation": (lambda c, **m: c.conversations.create(**m), lambda c, id: c.conversations.items.list(id)),
    "response": (lambda c, **m: c.responses.create(input="hi", **m), lambda c, id: c.responses.input_items.list(id)),
    "named in a body": (lambda c, **m: c.files.create(file=UPLOAD, purpose="fine-tune", **m),
                        lambda c, id: c.batches.create(completion_window="24h", endpoint="/v1/responses", input_file_id=id)),
    "continued": (lambda c, **m: c.responses.create(input="hi", **m),
                  lambda c, id: c.responses.create(input="more", previous_response_id=id)),
    "listed in a body": (lambda c, **m: c.files.create(file=UPLOAD, purpose="assistants", **m),
                         lambda c, id: c.vector_stores.create(file_ids=[id])),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", OBJECTS)
def test_requests_follow_an_object_to_its_provider(client, provider1, provider2, kind):
    make, use = OBJECTS[kind]
    targets(provider1, provider2)
    made = make(client, extra_headers=at("provider2"))
    assert [len(requests) for requests in targets(provider1, provider2)] == [0, 1]
    use(client, made.id)
    assert [len(requests) for requests in targets(provider1, provider2)] == [0, 1]


def test_the_location_of_a_streamed_response_is_recorded(client, provider1, provider2):
    targets(provider1, provider2)
    events = list(client.responses.create(input="hi", model="elsewhere", stream=True))
    client.responses.retrieve(events[0].response.id)
    assert targets(provider1, provider2) == [[], ["POST /v1/responses", f"GET /v1/responses/{events[0].response.id}"]]


def test_the_location_of_a_stored_completion_is_recorded(client, provider1, provider2):
    targets(provider1, provider2)
    made = client.chat.completions.create(messages=[], model="elsewhere", store=True)
    client.chat.completions.messages.list(made.id)
    assert targets(provider1, provider2) == [[], ["POST /v1/chat/completions", f"GET /v1/chat/completions/{made.id}/messages"]]


def test_a_model_of_several_providers_is_pinned_to_that_of_its_object(client, provider1, provider2):
    targets(provider1, provider2)
    response = client.responses.create(input="hi", model="elsewhere")
    for _ in range(10):
        response = client.responses.create(input="more", model="anywhere", previous_response_id=response.id)
    assert targets(provider1, provider2) == [[], ["POST /v1/responses"] * 11]


def test_an_unknown_object_is_requested_from_the_default_provider(client, provider1, provider2):
    targets(provider1, provider2)
    client.files.retrieve("file_12345")
    assert targets(provider1, provider2) == [["GET /v1/files/file_12345"], []]


def test_a_named_provider_takes_precedence_over_the_model(client, provider1, provider2):
    targets(provider1, provider2)
    client.chat.completions.create(model="some/other-model", messages=[], extra_headers=at("provider2"))
    assert [request.body for request in provider2.take()] == [b'{"model":"some/other-model","messages":[]}']
    assert provider1.take() == []


def test_the_provider_header_is_not_forwarded(client, provider2):
    provider2.take()
    client.files.list(extra_headers=at("provider2"))
    assert [request.header("x-trunkline-provider") for request in provider2.take()] == [None]


@pytest.mark.parametrize("prefix", ["/v1", "/providers/unknown/v1"])
def test_an_unknown_provider(origin, provider1, provider2, prefix):
    headers = at("unknown") if prefix == "/v1" else {}
    client = openai.OpenAI(base_url=origin + prefix, api_key=CLIENT_KEY, max_retries=0, default_headers=headers)
    with pytest.raises(openai.APIStatusError) as failure:
        client.files.list()
    assert failure.value.code == "provider_not_found"
    assert targets(provider1, provider2) == [[], []]


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
def test_an_unknown_path(provider1, origin, verb):
    seen = []
    body = {} if verb == "get" else {"body": {"deep": [1, {"model": "x"}]}}
    for side in (direct(provider1), through(origin)):
        provider1.take()
        response = getattr(side.client, verb)("/new/things?a=%20b&&c=", cast_to=object, **body)
        seen.append((response, provider1.take()))
    assert seen[0][0] == seen[1][0]
    assert differences(seen[0][1], seen[1][1]) == []
