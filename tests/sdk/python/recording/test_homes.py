"""Where a call without a model goes: to the home that it names, else to where its object was made."""

import openai
import pytest

from .compare import differences
from .methods import FILE
from .sides import CALLER, direct, through

UPLOAD = ("a.jsonl", FILE, "application/octet-stream")


@pytest.fixture(scope="module")
def client(origin):
    return through(origin).client


def at(home):
    return {"x-trunkline-provider": home}


def targets(*homes):
    """What each home was asked since the last look."""
    return [[f"{request.method} {request.target}" for request in home.take()] for home in homes]


# How an object is made and read, and by which id.
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
def test_an_object_goes_back_to_its_home(client, home1, home2, kind):
    make, use = OBJECTS[kind]
    targets(home1, home2)
    made = make(client, extra_headers=at("home2"))
    assert [len(asked) for asked in targets(home1, home2)] == [0, 1]
    use(client, made.id)
    assert [len(asked) for asked in targets(home1, home2)] == [0, 1]


def test_a_response_that_was_streamed_is_remembered(client, home1, home2):
    targets(home1, home2)
    events = list(client.responses.create(input="hi", model="elsewhere", stream=True))
    client.responses.retrieve(events[0].response.id)
    assert targets(home1, home2) == [[], ["POST /v1/responses", f"GET /v1/responses/{events[0].response.id}"]]


def test_a_stored_completion_is_remembered(client, home1, home2):
    targets(home1, home2)
    made = client.chat.completions.create(messages=[], model="elsewhere", store=True)
    client.chat.completions.messages.list(made.id)
    assert targets(home1, home2) == [[], ["POST /v1/chat/completions", f"GET /v1/chat/completions/{made.id}/messages"]]


def test_a_model_of_several_homes_stays_at_the_one_of_its_object(client, home1, home2):
    targets(home1, home2)
    response = client.responses.create(input="hi", model="elsewhere")
    for _ in range(10):
        response = client.responses.create(input="more", model="anywhere", previous_response_id=response.id)
    assert targets(home1, home2) == [[], ["POST /v1/responses"] * 11]


def test_an_unknown_object_goes_to_the_default(client, home1, home2):
    targets(home1, home2)
    client.files.retrieve("file_12345")
    assert targets(home1, home2) == [["GET /v1/files/file_12345"], []]


def test_a_named_home_comes_before_the_model(client, home1, home2):
    targets(home1, home2)
    client.chat.completions.create(model="some/other-model", messages=[], extra_headers=at("home2"))
    assert [request.body for request in home2.take()] == [b'{"model":"some/other-model","messages":[]}']
    assert home1.take() == []


def test_the_header_of_the_home_is_not_sent_upstream(client, home2):
    home2.take()
    client.files.list(extra_headers=at("home2"))
    assert [request.header("x-trunkline-provider") for request in home2.take()] == [None]


@pytest.mark.parametrize("door", ["/v1", "/providers/nobody/v1"])
def test_a_home_that_is_not_there(origin, home1, home2, door):
    headers = at("nobody") if door == "/v1" else {}
    client = openai.OpenAI(base_url=origin + door, api_key=CALLER, max_retries=0, default_headers=headers)
    with pytest.raises(openai.APIStatusError) as failure:
        client.files.list()
    assert failure.value.code == "provider_not_found"
    assert targets(home1, home2) == [[], []]


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
def test_a_path_of_tomorrow(home1, origin, verb):
    seen = []
    body = {} if verb == "get" else {"body": {"deep": [1, {"model": "x"}]}}
    for side in (direct(home1), through(origin)):
        home1.take()
        answer = getattr(side.client, verb)("/new/things?a=%20b&&c=", cast_to=object, **body)
        seen.append((answer, home1.take()))
    assert seen[0][0] == seen[1][0]
    assert differences(seen[0][1], seen[1][1]) == []
