"""The two sides of a comparison: the upstream itself, and Trunkline before it."""

from dataclasses import dataclass
from functools import cached_property

import openai

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

    def options(self):
        return {"base_url": self.base_url, "api_key": self.key, "admin_api_key": self.key, "max_retries": 0,
                "default_headers": self.headers}

    @cached_property
    def client(self):
        return openai.OpenAI(**self.options())

    @cached_property
    def async_client(self):
        return openai.AsyncOpenAI(**self.options())


def direct(fake):
    return Side(fake.base_url, UPSTREAM, MODEL, {})


def through(origin, door="/v1", model="chat", **headers):
    return Side(origin + door, CALLER, model, {name.replace("_", "-"): value for name, value in headers.items()})
