"""Fixtures of the tests of deploy/."""

import pathlib
import pytest

import tools

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="session")
def binary():
    return tools.binary()


@pytest.fixture(scope="session")
def rootfs(binary, tmp_path_factory):
    """The image's root file system, created as the image build does."""
    root = tmp_path_factory.mktemp("image") / "root"
    tools.run([tools.DEPLOY / "image/rootfs.sh", binary, root], cwd=tools.ROOT)
    root.chmod(0o755)
    return root
