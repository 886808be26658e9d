"""The two sides of a comparison: the upstream itself, and Trunkline before it."""

from dataclasses import dataclass
from functools import cached_property

import anthropic
import openai

from .compare import differences
from .methods import OPENAI, filled

CALLER = "tk-recording"
UPSTREAM = "upstream-key"
MODEL = "an-upstream-model"


@dataclass
class Side:
    """Where calls go, with which key, and by which name for the model."""

    base_url: str
    key: str
    model: str
    headers: dict
    kind: type = openai.OpenAI
    async_kind: type = openai.AsyncOpenAI

    def made(self, kind):
        more = {}
        if issubclass(kind, (openai.OpenAI, openai.AsyncOpenAI)):
            more = {"admin_api_key": self.key, "websocket_base_url": self.base_url.replace("http", "ws", 1)}
        return kind(base_url=self.base_url, api_key=self.key, max_retries=0, default_headers=self.headers, **more)

    @cached_property
    def client(self):
        return self.made(self.kind)

    @cached_property
    def async_client(self):
        return self.made(self.async_kind)


def direct(fake):
    return Side(fake.base_url, UPSTREAM, MODEL, {})


def through(origin, door="/v1", model="chat", **headers):
    return Side(origin + door, CALLER, model, {name.replace("_", "-"): value for name, value in headers.items()})


def anthropic_side(origin, key, model):
    return Side(origin, key, model, {}, anthropic.Anthropic, anthropic.AsyncAnthropic)


def compare(sides, fake, call, name, runner, directory, table=OPENAI):
    """Calls a method on both sides, of which the first is the direct one."""
    for given in table.calls(name):
        seen, gave = [], []
        for side in sides:
            fake.take()
            gave.append(call(side, name, filled(given, side.model, directory), runner))
            seen.append(fake.take())
        assert seen[0], "the method sends nothing, or not to its base URL"
        assert differences(*seen) == []
        assert gave[0] == gave[1]
