"""The methods of the SDK, found by reflection, and their arguments from the tables."""

import inspect
import json
import pathlib

CALLS = pathlib.Path(__file__).parents[2] / "calls"
FILE = b"--not-a-boundary\r\n\r\n" + bytes(range(256)) * 8
# Methods of the client that belong to no resource.
VERBS = {"close", "copy", "delete", "get", "get_api_list", "is_closed", "patch", "platform_headers", "post", "put", "request"}


class Table(dict):
    """The rows of one SDK by the names of its methods."""

    def __init__(self, sdk):
        for file in sorted((CALLS / sdk).glob("*.json")):
            if file.name != "responses.json":
                self.update(json.loads(file.read_text()))

    def calls(self, name):
        """The arguments of each call of a method; empty if the table has a reason instead."""
        row = self.get(name, "")
        return [] if isinstance(row, str) else row if isinstance(row, list) else [row]


OPENAI = Table("openai")
ANTHROPIC = Table("anthropic")


def methods(client, resource):
    """The dotted names of all public methods of all resources below a client."""
    found = []

    def walk(node, path):
        for name in dir(type(node)):
            if name.startswith(("_", "with_")):
                continue
            if callable(inspect.getattr_static(type(node), name)):
                found.append(".".join([*path, name]))
            elif isinstance(child := getattr(node, name), resource):
                walk(child, [*path, name])

    walk(client, [])
    return sorted(set(found) - VERBS)


def method(client, name, *, of=None):
    """A method by its dotted name; `of` is the wrapper of its resource to take it from."""
    *path, last = name.split(".")
    for part in path:
        client = getattr(client, part)
    return getattr(getattr(client, of) if of else client, last, None)


def filled(value, model, directory):
    """Arguments with the model and files filled in."""
    match value:
        case "{model}":
            return model
        case {"$file": name}:
            return name, FILE, "application/octet-stream"
        case {"$path": name}:
            path = directory / name
            path.write_bytes(FILE)
            return path
        case dict():
            return {key: filled(item, model, directory) for key, item in value.items()}
        case list():
            return [filled(item, model, directory) for item in value]
    return value
