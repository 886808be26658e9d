"""Responses of the fake upstream: from the table, else derived from the path."""

import json
import pathlib
import re

CALLS = pathlib.Path(__file__).parents[2] / "calls"
TABLES = {name: json.loads((CALLS / name / "responses.json").read_text()) for name in ["openai", "anthropic"]}
BYTES = bytes(range(256)) * 40
STREAM = re.compile(rb'"stream": ?true|name="stream"\r\n\r\ntrue|"stream_format": ?"sse"')
PREFIX = re.compile("^/(v1|openai(/deployments/[^/]+)?)/")
LAST = "obj_2"
# Last segments that are actions on an object rather than collections.
ACTION = re.compile(
    "cancel|pause|resume|complete|search|archive|validate|activate|deactivate|rotate_secret|test|remix|fork|"
    "accept|hangup|refer|reject|content"
)


def openai(name, request):
    return respond(TABLES["openai"], name, request)


def anthropic(name, request):
    return respond(TABLES["anthropic"], name, request)


def respond(table, name, request):
    path, _, query = request.target.partition("?")
    segments = PREFIX.sub("", path).split("/")
    accept = request.header("accept") or ""
    stream = STREAM.search(request.body) or "stream=true" in query or "event-stream" in accept
    row = find(table, request.method, segments, " stream" if stream else "")
    if row and "events" in row:
        from .fake import events

        return 200, "text/event-stream", list(events(row["events"]))
    if stream:
        return 200, "text/event-stream", [b'data: {"type": "some.event"}\n\n', b"data: [DONE]\n\n"]
    if re.match("application/(binary|octet-stream|sdp)|audio/|video/", accept):
        return 200, "application/octet-stream", [BYTES[:9_000], BYTES[9_000:]]
    body = row["json"] if row else by_shape(name, request.method, segments, query)
    return 200, "application/json", [json.dumps(body, ensure_ascii=False).encode()]


def find(table, method, segments, suffix):
    """The row of the table with these segments; `{}` matches any."""
    for key, row in table.items():
        verb, _, pattern = key.removesuffix(" stream").partition(" ")
        parts = pattern.removeprefix("/").split("/")
        same = len(parts) == len(segments) and all(part in ("{}", segment) for part, segment in zip(parts, segments))
        if same and verb == method and key.endswith(" stream") == bool(suffix):
            return row
    return None


def by_shape(name, method, segments, query):
    """A REST response: a page of a collection, an object by its id, a new or a deleted object.

    Ids contain a digit, names of collections do not.
    """
    thing = {"object": "thing", "created_at": 1, "status": "completed", "metadata": {"from": name}, "data": []}
    is_id = bool(re.search(r"\d", segments[-1]))
    if method == "DELETE":
        return {"id": segments[-1], "object": "thing.deleted", "deleted": True}
    if method == "GET" and not is_id:
        more = LAST not in query
        items = [{**thing, "id": "obj_1"}, {**thing, "id": LAST}] if more else []
        ends = dict.fromkeys(["last_id", "next", "next_page"], LAST if more else None)
        return {"object": "list", "data": items, "has_more": more, **ends}
    if is_id:
        return {**thing, "id": segments[-1]}
    if ACTION.fullmatch(segments[-1]) and len(segments) > 1:
        return {**thing, "id": segments[-2]}
    return {**thing, "id": f"{segments[-1]}_{name}"}
