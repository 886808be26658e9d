"""A conversation without the form of its dialect, and what a model may say next."""

import dataclasses
import json

# What the models think before they say something.
REASONING = "The user wants the tool."


class Refused(Exception):
    """What a strict server says to a request that it does not take."""


@dataclasses.dataclass(frozen=True)
class Turn:
    """One thing that was said: kind is system, user, assistant, reasoning, call or result."""

    kind: str
    text: str
    name: str = ""
    id: str = ""


@dataclasses.dataclass(frozen=True)
class Conversation:
    turns: list
    tools: list

    def of(self, *kinds):
        return [turn for turn in self.turns if turn.kind in kinds]


@dataclasses.dataclass(frozen=True)
class Text:
    text: str


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a tool. The input of a custom tool is a text, not JSON. Some servers repeat ids."""

    name: str
    input: dict | str
    id: str = ""


def require(condition, message):
    if not condition:
        raise Refused(message)


def only(members, allowed, where):
    """Refuses members that the API does not have."""
    for name in members:
        require(name in allowed, f"Unknown parameter: '{where}{name}'.")


def chunks(text, size=7):
    """A text as a model streams it, and at least one chunk."""
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def arguments(call, properties):
    """The JSON of a call's arguments; a text is the only property of the function that stands for a custom tool."""
    if isinstance(call.input, str):
        (name,) = properties
        return json.dumps({name: call.input})
    return json.dumps(call.input)
