"""All tests run in a network namespace that has a loopback interface only."""

import os
import socket

import pytest

import agents
import namespace


@pytest.fixture(scope="session", autouse=True)
def isolated():
    try:
        namespace.enter()
    except OSError as error:
        pytest.skip(f"skipped: no network namespaces here: {error}")
    assert [name for _, name in socket.if_nameindex()] == ["lo"]


@pytest.fixture(scope="session", autouse=True)
def installed():
    missing = [agent.name for agent in agents.AGENTS if agent.binary() is None]
    if missing:
        # In CI, a missing package is an error.
        outcome = pytest.fail if os.environ.get("CI") else pytest.skip
        outcome(f"skipped: not installed for this machine: {', '.join(missing)}: run tests/run agents")


@pytest.fixture
def directory(tmp_path_factory):
    """A directory for one run; the same path in each test, since agents tell it to their model."""
    return tmp_path_factory.getbasetemp() / "run"
