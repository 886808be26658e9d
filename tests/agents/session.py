"""One session of an agent with a scripted model, directly or through the gateway."""

import contextlib
import dataclasses
import itertools
import json
import re

import gateway
from upstream import Call, Text, Upstream

PROMPT = "Run the commands."
# The commands of each response.
COMMANDS = [["echo hello-from-tool"], ["echo hello-left", "echo hello-right"]]
FINAL = "The tool printed hello-from-tool, then hello-left, then hello-right."
# A provider, and an alias of its model.
CONFIG = """
[models."{model}"]
provider = "up"
model = "real"
[providers.up]
base_url = "{origin}/v1"
api_key = "upstream-key"
"""
# What is new in each run, and what the translation leaves out by rule.
CHANGING = [
    (r"x-anthropic-billing-header: .*\n?", ""),
    (r"Chunk ID: \w+", "Chunk ID"),
    (r"Wall time: [\d.]+", "Wall time"),
    (r"</?system-reminder>\n?", ""),
    # Between texts that one side has as several.
    (r"\n\s*\n", "\n"),
]


@dataclasses.dataclass(frozen=True)
class Session:
    """What came of it: the agent's events and last text, what the upstream got, what the gateway logged."""

    events: list
    final: str
    upstream: Upstream
    requests: list

    def said(self):
        """What the conversations with tools held, by request."""
        return [said(conversation) for conversation in self.upstream.sessions]


def commands(agent):
    """A model that says something, calls the shell, calls it twice in parallel, and says what was printed."""

    def say(conversation):
        if not conversation.tools:
            return Text("A title")
        results = conversation.of("result")
        match len(results):
            case 0:
                return [Text("First this."), *calls(agent, COMMANDS[0])]
            case 1:
                return calls(agent, COMMANDS[1])
            case _:
                return Text(printed(results))

    return say


def calls(agent, commands):
    return [Call(agent.shell, {agent.argument: command} | agent.more_arguments) for command in commands]


def printed(results):
    """What a model says that has seen these results. Those of parallel calls come in any order."""
    words = sorted(re.findall(r"hello[a-z-]+", " ".join(turn.text for turn in results)))
    return f"The tool printed {', then '.join(words)}."


def direct(agent, directory, script, model="coder"):
    """A session without the gateway, with a server of the agent's own dialect."""
    with serving(agent.dialect, script) as upstream:
        events = agent.run(PROMPT, directory, upstream.origin, "upstream-key", model)
    return Session(events, agent.final(events), upstream, [])


def through(agent, dialect, directory, script, model="coder", key=gateway.KEY, says=True, more="", code=0):
    """A session through the gateway, with a server that speaks this dialect alone; the configuration may say so.

    With another exit code than 0, the agent has no last text."""
    with serving(dialect, script) as upstream:
        config = CONFIG.format(origin=upstream.origin, model=model)
        if says:
            config += f'dialects = ["{dialect}"]\n'
        config += more
        with gateway.running(config, directory) as running:
            events = agent.run(PROMPT, directory, running.origin, key, model, code=code)
            requests = running.finish()
    return Session(events, None if code else agent.final(events), upstream, requests)


@contextlib.contextmanager
def serving(dialect, script):
    upstream = Upstream(dialect, script)
    try:
        yield upstream
    finally:
        upstream.stop()


def said(conversation):
    """A conversation without ids and what belongs to a dialect: instructions, then each turn."""
    instructions, turns, order = [], [], {}
    for turn in conversation.of("system", "user", "assistant", "call", "result"):
        text = turn.text
        for pattern, replacement in CHANGING:
            text = re.sub(pattern, replacement, text)
        text = text.strip()
        if turn.kind == "system" and not turns:
            instructions += [text] if text else []
        elif turn.kind == "call":
            order[turn.id] = len(order)
            turns.append(("call", order[turn.id], turn.name, json.loads(text)))
        elif turn.kind == "result":
            turns.append(("result", order[turn.id], text))
        else:
            # Instructions behind the first turn are part of the user's turn where a dialect has no other.
            kind = "user" if turn.kind == "system" else turn.kind
            if turns and turns[-1][0] == kind:
                text = f"{turns.pop()[1]}\n{text}"
            turns.append((kind, text))
    groups = itertools.groupby(turns, lambda turn: turn[0] == "result")
    ordered = [turn for are_results, group in groups for turn in (sorted(group) if are_results else group)]
    return "\n".join(instructions), ordered
