"""The SDK's class for Azure, with both forms of its paths."""

import re

import openai
import pytest

from .compare import differences
from .fake import Request
from .results import result_of
from .methods import OPENAI, filled, method
from .sides import CLIENT_KEY, MODEL, UPSTREAM_KEY, compare, direct, through
from .call_styles import plain

VERSION = "2025-04-01-preview"
# The methods below /openai/deployments/{model}, and some of those below /openai.
CALLED = ["audio.speech.create", "audio.transcriptions.create", "audio.translations.create", "chat.completions.create",
          "completions.create", "embeddings.create", "images.edit", "images.generate",
          "batches.create", "beta.threads.messages.list", "files.content", "files.create", "files.list",
          "responses.create", "vector_stores.search"]


def azure(endpoint, key, **more):
    return openai.AzureOpenAI(azure_endpoint=endpoint, api_key=key, api_version=VERSION, max_retries=0, **more)


def to_openai(request):
    """The request that Trunkline must send to an upstream other than Azure."""
    path = re.sub("^/openai(/deployments/[^/]+)?", "/v1", request.target)
    path = re.sub(f"[?&]api-version={VERSION}(?=&|$)", "", path)
    headers = [("authorization", f"Bearer {value}") if name == "api-key" else (name, value) for name, value in request.headers]
    path = path if "?" in path else path.replace("&", "?", 1)
    return Request(request.method, path, headers, request.body)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CALLED)
def test_versioned(name, provider1, origin, tmp_path):
    for given in OPENAI.calls(name):
        seen, results = [], []
        for client, model in [(azure(provider1.origin, UPSTREAM_KEY), MODEL), (azure(origin, CLIENT_KEY), "chat")]:
            provider1.take()
            results.append(result_of(method(client, name)(**filled(given, model, tmp_path))))
            seen.append(provider1.take())
        assert differences([to_openai(request) for request in seen[0]], seen[1]) == []
        assert results[0] == results[1]


def test_deployment_of_the_client(provider1, origin):
    """The path takes precedence over the body."""
    client = azure(origin, CLIENT_KEY, azure_deployment="chat")
    provider1.take()
    client.chat.completions.create(model="whatever", messages=[])
    [request] = provider1.take()
    assert request.target == "/v1/chat/completions"
    assert request.body == b'{"model":"an-upstream-model","messages":[]}'


@pytest.mark.parametrize("name", ["chat.completions.create", "responses.create", "files.create", "files.list", "batches.create"])
def test_v1(name, provider1, origin, runner, tmp_path):
    compare((direct(provider1), through(origin, "/openai/v1")), provider1, plain, name, runner, tmp_path)


def test_v1_with_the_key_in_its_own_header(provider1, origin):
    client = openai.OpenAI(base_url=f"{origin}/openai/v1", api_key="not sent", max_retries=0)
    provider1.take()
    client.files.list(extra_headers={"api-key": CLIENT_KEY, "Authorization": openai.Omit()})
    [request, *_] = provider1.take()
    assert (request.header("authorization"), request.header("api-key")) == (f"Bearer {UPSTREAM_KEY}", None)
