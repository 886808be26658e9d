"""What the tests of deploy/ have in common: the binary, and tools that may be absent."""

import pathlib
import pytest

import tools

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="session")
def binary():
    return tools.binary()


@pytest.fixture(scope="session")
def rootfs(binary, tmp_path_factory):
    """All that the image holds, laid out as the image build does it."""
    root = tmp_path_factory.mktemp("image") / "root"
    tools.run([tools.DEPLOY / "image/rootfs.sh", binary, root], cwd=tools.ROOT)
    root.chmod(0o755)
    return root
