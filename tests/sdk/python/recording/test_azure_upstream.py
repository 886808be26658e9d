"""Azure itself behind Trunkline, in the older form of its paths."""

import re

import pytest

from .compare import differences
from .fake import Request
from .harvest import harvest
from .methods import OPENAI, filled, method
from .sides import CALLER, MODEL, UPSTREAM, through
from .test_azure import CALLED, VERSION, azure


def version_last(request):
    target = re.sub(f"api-version={VERSION}&(.*)$", rf"\1&api-version={VERSION}", request.target)
    return Request(request.method, target, request.headers, request.body)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CALLED)
def test_azure_behind_trunkline(name, home2, origin, tmp_path):
    """What is said to Azure reaches Azure as it was; the version is the provider's, and comes last."""
    named = {"x-trunkline-provider": "azure"}
    sides = [(azure(home2.origin, UPSTREAM), MODEL), (azure(origin, CALLER, default_headers=named), "deployed")]
    for given in OPENAI.calls(name):
        seen, gave = [], []
        for client, model in sides:
            home2.take()
            gave.append(harvest(method(client, name)(**filled(given, model, tmp_path))))
            seen.append([version_last(request) for request in home2.take()])
        assert differences(*seen) == []
        assert gave[0] == gave[1]


def test_the_openai_client_before_azure(home2, origin):
    home2.take()
    through(origin, model="deployed").client.chat.completions.create(model="deployed", messages=[])
    [request] = home2.take()
    assert request.target == f"/openai/deployments/{MODEL}/chat/completions?api-version={VERSION}"
    assert (request.header("api-key"), request.header("authorization")) == (UPSTREAM, None)
