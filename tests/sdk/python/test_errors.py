"""Errors arrive as the SDK's own classes, and retries follow the response headers."""

import openai
import pytest

from conftest import KEY, ask


def test_a_wrong_key(client):
    for key in ["wrong", "tk-python-suit"]:
        with pytest.raises(openai.AuthenticationError) as caught:
            ask(client.with_options(api_key=key))
        assert caught.value.code == "invalid_api_key"
        assert caught.value.request_id


def test_an_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, model="chta")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "chat" in caught.value.message


def test_a_model_that_the_key_may_not_use(client):
    narrow = client.with_options(api_key=KEY + "-narrow")
    assert ask(narrow).choices[0].message.content == "Hello there"
    with pytest.raises(openai.NotFoundError):
        ask(narrow, model="up/anything")


def test_a_bad_request(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", body={"messages": []}, cast_to=object)
    assert (caught.value.code, caught.value.param) == ("missing_field", "model")
    assert caught.value.type == "invalid_request_error"


CLASSES = [
    (400, openai.BadRequestError),
    (404, openai.NotFoundError),
    (409, openai.ConflictError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
]


@pytest.mark.parametrize(("status", "kind"), CLASSES)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_of_the_upstream(client, status, kind, stream):
    with pytest.raises(kind) as caught:
        ask(client, model=f"up/status-{status}", stream=stream)
    assert caught.value.status_code == status
    assert (caught.value.code, caught.value.param, caught.value.type) == ("some_code", "p", "some_error")
    assert caught.value.request_id == "req_upstream"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, openai.InternalServerError, "upstream_auth_failed"),
        (403, openai.PermissionDeniedError, "upstream_forbidden"),
    ],
)
def test_a_rejected_provider_key_is_not_quoted(client, upstream, mark, status, kind, code):
    with pytest.raises(kind) as caught:
        ask(client.with_options(max_retries=2), model=f"up/status-{status}")
    assert caught.value.code == code
    assert len(upstream.seen(mark)) == 1, "retried"


def test_an_error_page(client):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, model="up/page-502")
    assert caught.value.code == "upstream_error"
    assert "oops" not in str(caught.value.body)


def test_a_model_that_is_not_configured(client):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client.with_options(max_retries=2), model="later")
    assert caught.value.code == "upstream_not_configured"
    assert "GROQ_API_KEY" in caught.value.message


def test_a_transient_failure_is_retried(client, upstream, mark):
    completion = ask(client.with_options(max_retries=2), model="up/recovers-2")
    assert completion.choices[0].message.content == "Hello there"
    assert len(upstream.seen(mark)) == 3


def test_a_timeout_that_could_be_billed_twice_is_not_retried(client, upstream, mark):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client.with_options(max_retries=2), model="slow/silent")
    assert caught.value.code == "upstream_timeout"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(upstream.seen(mark)) == 1


def test_a_refused_connection():
    with openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="x", max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError):
            ask(client)
