"""Azure as the upstream, with the older form of its paths."""

import re

import pytest

from .compare import differences
from .fake import Request
from .results import result_of
from .methods import OPENAI, filled, method
from .sides import CLIENT_KEY, MODEL, UPSTREAM_KEY, through
from .test_azure import CALLED, VERSION, azure


def version_last(request):
    target = re.sub(f"api-version={VERSION}&(.*)$", rf"\1&api-version={VERSION}", request.target)
    return Request(request.method, target, request.headers, request.body)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CALLED)
def test_azure_behind_trunkline(name, provider2, origin, tmp_path):
    """Requests for Azure are forwarded unchanged, except that the provider's version comes last."""
    named = {"x-trunkline-provider": "azure"}
    sides = [(azure(provider2.origin, UPSTREAM_KEY), MODEL), (azure(origin, CLIENT_KEY, default_headers=named), "deployed")]
    for given in OPENAI.calls(name):
        seen, results = [], []
        for client, model in sides:
            provider2.take()
            results.append(result_of(method(client, name)(**filled(given, model, tmp_path))))
            seen.append([version_last(request) for request in provider2.take()])
        assert differences(*seen) == []
        assert results[0] == results[1]


def test_the_openai_client_with_an_azure_upstream(provider2, origin):
    provider2.take()
    through(origin, model="deployed").client.chat.completions.create(model="deployed", messages=[])
    [request] = provider2.take()
    assert request.target == f"/openai/deployments/{MODEL}/chat/completions?api-version={VERSION}"
    assert (request.header("api-key"), request.header("authorization")) == (UPSTREAM_KEY, None)
