"""What each agent does at a limit: docs/agents.md says it."""

import json

import pytest

import agents
import session
from test_agents import EACH_AGENT

# Each request but the first has to wait for three seconds, less what the agent took.
RATE = '[limits.slow]\nper = ["key"]\nrequests = ["20/minute burst 1"]\n'
QUOTA = '[limits.daily]\nper = ["key"]\nrequests = ["2/day"]\n'


def through(agent, directory, limit, **more):
    return session.through(agent, agent.dialect, directory, session.commands(agent), more=limit, **more)


@EACH_AGENT
def test_a_turn_under_a_rate_waits(agent, directory):
    done = through(agent, directory, RATE + 'wait = "60s"\n')
    assert done.final == session.FINAL
    assert {(line["status"], line["outcome"]) for line in done.requests} == {(200, "ok")}, done.requests
    assert any("limit_wait_ms" in line for line in done.requests), done.requests


@pytest.mark.parametrize("agent", agents.AGENTS[:3], ids=lambda agent: agent.name)
def test_a_turn_under_a_rate_that_does_not_wait_is_repeated_by_the_agent(agent, directory):
    done = through(agent, directory, RATE)
    assert done.final == session.FINAL
    assert {line["status"] for line in done.requests} == {200, 429}, done.requests


@pytest.mark.parametrize(("agent", "words"), [(agents.CLAUDE_CODE, "Quota used up for key agents"), (agents.CODEX, "Quota exceeded")], ids=["Claude Code", "Codex"])
def test_a_quota_that_is_used_up_ends_the_turn(agent, words, directory):
    done = through(agent, directory, QUOTA, code=1)
    assert [line["status"] for line in done.requests] == [200, 200, 429]
    assert words in json.dumps(done.events[-1])
