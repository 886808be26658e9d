"""Every agent with every kind of upstream: the table of docs/agents.md promises each of these cells."""

import dataclasses
import json
import re

import pytest

import agents
import session
from upstream import DIALECTS, REASONING, Call

# Where agents are sure to ask for reasoning, and print it.
WITH_REASONING = {(agents.CLAUDE_CODE, "chat"), (agents.CLAUDE_CODE, "messages"), (agents.CODEX, "chat"), (agents.CODEX, "responses")}
EACH_AGENT = pytest.mark.parametrize("agent", agents.AGENTS, ids=lambda agent: agent.name)


@pytest.fixture(scope="module")
def directly():
    """The session of each agent without the gateway, run once."""
    found = {}

    def get(agent, directory):
        if agent.name not in found:
            found[agent.name] = session.direct(agent, directory, session.commands(agent))
        return found[agent.name]

    return get


@pytest.mark.parametrize("dialect", DIALECTS)
@EACH_AGENT
def test_a_turn_with_tool_calls_is_the_same_as_directly(agent, dialect, directly, directory):
    through, reference = session.through(agent, dialect, directory, session.commands(agent)), directly(agent, directory)
    for each in (reference, through):
        assert each.upstream.refusals == []
        assert each.final == session.FINAL
    assert through.said() == reference.said()
    assert [tools(conversation) for conversation in through.upstream.sessions] == [tools(each) for each in reference.upstream.sessions]
    assert (agent, dialect) not in WITH_REASONING or REASONING in json.dumps(through.events)
    assert {(line["status"], line["outcome"]) for line in through.requests} == {(200, "ok")}, through.requests
    assert all((line["input_tokens"], line["cached_tokens"], line["output_tokens"]) == (22, 12, 10) for line in through.requests)


def tools(conversation):
    """The tools' names; a dialect without namespaces has another separator."""
    return sorted(re.sub(r"\W|__", ".", name) for name in conversation.tools)


@EACH_AGENT
def test_ids_of_calls_that_repeat_do_not_mix_up_their_results(agent, directory):
    """Some servers count the calls of each response from 0."""
    script = session.commands(agent)

    def say(conversation):
        said = script(conversation)
        parts = said if isinstance(said, list) else [said]
        calls = [part for part in parts if isinstance(part, Call)]
        return [dataclasses.replace(call, id=f"call_{index}") for index, call in enumerate(calls)] or parts

    through = session.through(agent, "chat", directory, say)
    assert through.upstream.refusals == []
    assert through.final == session.FINAL


def test_the_page_promises_what_is_tested():
    rows = re.findall(r"^\| \[(.+?)\]\(#.+?\) \|.+?\| (\w+) \| (\w+) \| (\w+) \|$", agents.PAGE, re.M)
    assert {name for name, *_ in rows} == {agent.name.split(",")[0] for agent in agents.AGENTS}
    assert {cell for _, *cells in rows for cell in cells} == {"works"}
    package = json.loads((agents.HERE / "package.json").read_text())
    versions = [*package["devDependencies"].values(), *package["optionalDependencies"].values()]
    assert list(re.search(r"\(Claude Code (\S+), Codex (\S+), OpenCode (\S+)\)", agents.PAGE).groups()) == versions
