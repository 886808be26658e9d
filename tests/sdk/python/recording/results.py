"""Results of SDK calls as plain values that can be compared."""

import dataclasses
import inspect

# Hop-by-hop response headers, and `server-timing`, to which Trunkline may append.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "server-timing"}


def headers(response):
    """The response headers without hop-by-hop ones and those that Trunkline adds."""
    fields = [(name.lower(), value) for name, value in response.headers.items()]
    return sorted(field for field in fields if field[0] not in HOP_BY_HOP and not field[0].startswith("x-trunkline-"))


def plain(value):
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", warnings=False)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {name: plain(item) for name, item in vars(value).items()}
    assert isinstance(value, (str, bytes, int, float, dict, type(None))), f"unexpected type {type(value)}"
    return value


def download(result):
    """The HTTP response behind a binary result, for which each SDK has its own class."""
    return getattr(result, "http_response", None) or result.response if hasattr(result, "iter_bytes") else None


def result_of(result):
    """The result of a method called directly."""
    if response := download(result):
        return [headers(response), response.read()]
    if hasattr(result, "__enter__"):
        with result as stream:
            return result_of_stream(stream)
    if hasattr(result, "iter_pages"):
        return [plain(result), [plain(item) for item in result]]
    return [getattr(result, "_request_id", None), plain(result)]


def result_of_stream(stream):
    return [plain(event) for event in stream]


def result_of_raw(response):
    """The result of a method of `with_raw_response`."""
    http = response.http_response
    return [response.status_code, headers(http), http.read()]


def result_of_streaming(manager):
    """The result of a method of `with_streaming_response`."""
    with manager as response:
        return [response.status_code, headers(response.http_response), b"".join(response.iter_bytes())]


async def result_of_async(result):
    if inspect.isawaitable(result):
        result = await result
    if response := download(result):
        return [headers(response), await response.aread()]
    if hasattr(result, "__aenter__"):
        async with result as stream:
            return [plain(event) async for event in stream]
    if hasattr(result, "iter_pages"):
        return [plain(result), [plain(item) async for item in result]]
    return [getattr(result, "_request_id", None), plain(result)]
