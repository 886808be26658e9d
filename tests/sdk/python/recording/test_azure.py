"""The SDK's class for Azure, in both forms of its paths."""

import re

import openai
import pytest

from .compare import differences
from .fake import Request
from .harvest import harvest
from .methods import OPENAI, filled, method
from .sides import CALLER, MODEL, UPSTREAM, compare, direct, through
from .ways import plainly

VERSION = "2025-04-01-preview"
# What the class sends below /openai/deployments/{model}, and some of what it sends below /openai.
CALLED = ["audio.speech.create", "audio.transcriptions.create", "audio.translations.create", "chat.completions.create",
          "completions.create", "embeddings.create", "images.edit", "images.generate",
          "batches.create", "beta.threads.messages.list", "files.content", "files.create", "files.list",
          "responses.create", "vector_stores.search"]


def azure(endpoint, key, **more):
    return openai.AzureOpenAI(azure_endpoint=endpoint, api_key=key, api_version=VERSION, max_retries=0, **more)


def to_openai(request):
    """What Trunkline has to make of a request for an upstream that is not Azure."""
    path = re.sub("^/openai(/deployments/[^/]+)?", "/v1", request.target)
    path = re.sub(f"[?&]api-version={VERSION}(?=&|$)", "", path)
    headers = [("authorization", f"Bearer {value}") if name == "api-key" else (name, value) for name, value in request.headers]
    path = path if "?" in path else path.replace("&", "?", 1)
    return Request(request.method, path, headers, request.body)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CALLED)
def test_versioned(name, home1, origin, tmp_path):
    for given in OPENAI.calls(name):
        seen, gave = [], []
        for client, model in [(azure(home1.origin, UPSTREAM), MODEL), (azure(origin, CALLER), "chat")]:
            home1.take()
            gave.append(harvest(method(client, name)(**filled(given, model, tmp_path))))
            seen.append(home1.take())
        assert differences([to_openai(request) for request in seen[0]], seen[1]) == []
        assert gave[0] == gave[1]


def test_deployment_of_the_client(home1, origin):
    """The path names the alias, whatever the body says."""
    client = azure(origin, CALLER, azure_deployment="chat")
    home1.take()
    client.chat.completions.create(model="whatever", messages=[])
    [request] = home1.take()
    assert request.target == "/v1/chat/completions"
    assert request.body == b'{"model":"an-upstream-model","messages":[]}'


@pytest.mark.parametrize("name", ["chat.completions.create", "responses.create", "files.create", "files.list", "batches.create"])
def test_v1(name, home1, origin, runner, tmp_path):
    compare((direct(home1), through(origin, "/openai/v1")), home1, plainly, name, runner, tmp_path)


def test_v1_with_the_key_in_its_own_header(home1, origin):
    client = openai.OpenAI(base_url=f"{origin}/openai/v1", api_key="not sent", max_retries=0)
    home1.take()
    client.files.list(extra_headers={"api-key": CALLER, "Authorization": openai.Omit()})
    [request, *_] = home1.take()
    assert (request.header("authorization"), request.header("api-key")) == (f"Bearer {UPSTREAM}", None)
