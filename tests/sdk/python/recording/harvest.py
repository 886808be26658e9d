"""What the SDK gave for a call, as plain values that can be compared."""

import dataclasses
import inspect

# Fields of an answer that speak of one connection, and the one that Trunkline may add besides its own.
OF_THE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "server-timing"}


def headers(response):
    """The fields of an answer without those of the hop and those that Trunkline adds."""
    fields = [(name.lower(), value) for name, value in response.headers.items()]
    return sorted(field for field in fields if field[0] not in OF_THE_HOP and not field[0].startswith("x-trunkline-"))


def plain(value):
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", warnings=False)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {name: plain(item) for name, item in vars(value).items()}
    assert isinstance(value, (str, bytes, int, float, dict, type(None))), f"nothing known of {type(value)}"
    return value


def download(result):
    """The response behind a binary answer, of which each SDK has a class of its own."""
    return getattr(result, "http_response", None) or result.response if hasattr(result, "iter_bytes") else None


def harvest(result):
    """Of a method of the client, called as it is."""
    if response := download(result):
        return [headers(response), response.read()]
    if hasattr(result, "__enter__"):
        with result as stream:
            return harvest_stream(stream)
    if hasattr(result, "iter_pages"):
        return [plain(result), [plain(item) for item in result]]
    return [getattr(result, "_request_id", None), plain(result)]


def harvest_stream(stream):
    return [plain(event) for event in stream]


def harvest_raw(response):
    """Of a method below `with_raw_response`."""
    http = response.http_response
    return [response.status_code, headers(http), http.read()]


def harvest_streaming(manager):
    """Of a method below `with_streaming_response`."""
    with manager as response:
        return [response.status_code, headers(response.http_response), b"".join(response.iter_bytes())]


async def harvest_async(result):
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
