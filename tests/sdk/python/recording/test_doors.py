"""The methods once more, at a provider that is not the default: by the header, and by the path."""

import pytest

from .sides import compare, direct, through
from .test_methods import CALLED
from .ways import plainly

# With the provider in a header: one method of each manner in which a body and an answer travel.
SPOTS = ["audio.transcriptions.create", "chat.completions.create", "files.content", "files.create", "files.list",
         "images.edit", "responses.create", "responses.retrieve", "uploads.parts.create", "vector_stores.delete"]


@pytest.fixture(scope="module")
def header_sides(home2, origin):
    return direct(home2), through(origin, model="elsewhere", x_trunkline_provider="home2")


@pytest.fixture(scope="module")
def path_sides(home2, origin):
    return direct(home2), through(origin, "/providers/home2/v1", model="elsewhere")


@pytest.mark.parametrize("name", SPOTS)
def test_provider_by_header(name, header_sides, home2, runner, tmp_path):
    compare(header_sides, home2, plainly, name, runner, tmp_path)


@pytest.mark.parametrize("name", CALLED)
def test_provider_by_path(name, path_sides, home2, runner, tmp_path):
    compare(path_sides, home2, plainly, name, runner, tmp_path)
