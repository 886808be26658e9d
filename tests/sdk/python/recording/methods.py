"""The methods that the SDK has, found by reflection, and the arguments of each from the table."""

import inspect
import json
import pathlib

CALLS = pathlib.Path(__file__).parents[2] / "calls"
TABLE = {}
for file in sorted(CALLS.glob("*.json")):
    if file.name != "answers.json":
        TABLE |= json.loads(file.read_text())

FILE = b"--not-a-boundary\r\n\r\n" + bytes(range(256)) * 8
# What a client of the SDK has besides its resources.
VERBS = {"close", "copy", "delete", "get", "get_api_list", "is_closed", "patch", "platform_headers", "post", "put", "request"}


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


def arguments(name):
    """The calls of a method that the table names; none where it gives a reason instead."""
    calls = TABLE[name]
    return [] if isinstance(calls, str) else calls if isinstance(calls, list) else [calls]


def filled(value, model, directory):
    """Arguments with their model and their files in place."""
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
