"""The methods at a provider other than the default, selected by header or by path."""

import pytest

from .sides import compare, direct, through
from .test_methods import CALLED
from .call_styles import plain

# For the header: one method for each kind of request and response body.
SAMPLE = ["audio.transcriptions.create", "chat.completions.create", "files.content", "files.create", "files.list",
         "images.edit", "responses.create", "responses.retrieve", "uploads.parts.create", "vector_stores.delete"]


@pytest.fixture(scope="module")
def header_sides(provider2, origin):
    return direct(provider2), through(origin, model="elsewhere", x_trunkline_provider="provider2")


@pytest.fixture(scope="module")
def path_sides(provider2, origin):
    return direct(provider2), through(origin, "/providers/provider2/v1", model="elsewhere")


@pytest.mark.parametrize("name", SAMPLE)
def test_provider_by_header(name, header_sides, provider2, runner, tmp_path):
    compare(header_sides, provider2, plain, name, runner, tmp_path)


@pytest.mark.parametrize("name", CALLED)
def test_provider_by_path(name, path_sides, provider2, runner, tmp_path):
    compare(path_sides, provider2, plain, name, runner, tmp_path)
