"""The request headers that are not forwarded to the upstream."""

from .sides import direct, through

SENT = {
    "cookie": "a=b", "forwarded": "for=192.0.2.1", "idempotency-key": "k1", "if-none-match": '"a"', "openai-beta": "assistants=v2",
    "openai-organization": "org_1", "openai-project": "proj_1", "origin": "http://page.example", "range": "bytes=0-3",
    "referer": "http://page.example/a", "te": "trailers", "x-anything": "at all",
}
NOT_FORWARDED = {"connection", "cookie", "forwarded", "openai-organization", "openai-project", "origin", "referer", "te"}


def test_all_other_headers_are_forwarded(provider1, origin):
    fields = []
    for side in (direct(provider1), through(origin)):
        provider1.take()
        side.client.files.content("file_1", extra_headers=SENT).read()
        [request] = provider1.take()
        fields.append(dict(request.headers))
    of_direct, of_through = fields
    assert set(of_direct) - set(of_through) == NOT_FORWARDED
    assert set(of_through) - set(of_direct) == {"x-trunkline-hops"}
    del of_through["x-trunkline-hops"]
    assert {name for name in of_through if of_direct[name] != of_through[name]} == {"accept-encoding"}
    assert of_through["accept-encoding"] == "identity"
