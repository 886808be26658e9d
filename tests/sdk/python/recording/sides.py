"""The two sides of a comparison: the upstream directly, and through Trunkline."""

from dataclasses import dataclass
from functools import cached_property

import anthropic
import openai

from .compare import differences
from .methods import OPENAI, filled

CLIENT_KEY = "tk-recording"
UPSTREAM_KEY = "upstream-key"
MODEL = "an-upstream-model"


@dataclass
class Side:
    """Base URL, key and model name of one side."""

    base_url: str
    key: str
    model: str
    headers: dict
    kind: type = openai.OpenAI
    async_kind: type = openai.AsyncOpenAI

    def create(self, kind):
        more = {}
        if issubclass(kind, (openai.OpenAI, openai.AsyncOpenAI)):
            more = {"admin_api_key": self.key, "websocket_base_url": self.base_url.replace("http", "ws", 1)}
        return kind(base_url=self.base_url, api_key=self.key, max_retries=0, default_headers=self.headers, **more)

    @cached_property
    def client(self):
        return self.create(self.kind)

    @cached_property
    def async_client(self):
        return self.create(self.async_kind)


def direct(fake):
    return Side(fake.base_url, UPSTREAM_KEY, MODEL, {})


def through(origin, prefix="/v1", model="chat", **headers):
    return Side(origin + prefix, CLIENT_KEY, model, {name.replace("_", "-"): value for name, value in headers.items()})


def anthropic_side(origin, key, model):
    return Side(origin, key, model, {}, anthropic.Anthropic, anthropic.AsyncAnthropic)


def compare(sides, fake, call, name, runner, directory, table=OPENAI):
    """Calls a method on both sides and compares requests and results; the direct side is first."""
    for given in table.calls(name):
        seen, results = [], []
        for side in sides:
            fake.take()
            results.append(call(side, name, filled(given, side.model, directory), runner))
            seen.append(fake.take())
        assert seen[0], "the method sends nothing, or not to its base URL"
        assert differences(*seen) == []
        assert results[0] == results[1]
