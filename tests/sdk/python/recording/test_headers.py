"""Which fields of a request do not reach the upstream: these, and no other."""

from .sides import direct, through

SENT = {
    "cookie": "a=b", "forwarded": "for=192.0.2.1", "idempotency-key": "k1", "if-none-match": '"a"', "openai-beta": "assistants=v2",
    "openai-organization": "org_1", "openai-project": "proj_1", "origin": "http://page.example", "range": "bytes=0-3",
    "referer": "http://page.example/a", "te": "trailers", "x-anything": "at all",
}
KEPT_BACK = {"connection", "cookie", "openai-organization", "openai-project", "origin", "referer", "te"}


def test_all_others_pass(home1, origin):
    fields = []
    for side in (direct(home1), through(origin)):
        home1.take()
        side.client.files.content("file_1", extra_headers=SENT).read()
        [request] = home1.take()
        fields.append(dict(request.headers))
    ours, theirs = fields
    assert set(ours) - set(theirs) == KEPT_BACK
    assert set(theirs) - set(ours) == set()
    assert {name for name in theirs if ours[name] != theirs[name]} == {"accept-encoding"}
    assert theirs["accept-encoding"] == "identity"
