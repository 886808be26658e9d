"""Where two recorded requests differ."""

import re

# The rules for request headers that the documentation states: see docs/endpoints.md.
NOT_PASSED = {"accept-encoding", "connection", "openai-organization", "openai-project"}
BOUNDARY = re.compile(rb"boundary=\"?([^\s;\"]+)")


def differences(direct, through):
    """In words, for two lists of requests: each request, in its turn, must be the same."""
    found = []
    if len(direct) != len(through):
        found.append(f"{[r.target for r in direct]} are the direct requests, {[r.target for r in through]} the others")
    for one, two in zip(direct, through):
        found += request_differences(one, two)
    return found


def request_differences(direct, through):
    what = f"{direct.method} {direct.target}"
    found = []
    if (direct.method, direct.target) != (through.method, through.target):
        found.append(f"{what} came as {through.method} {through.target}")
    ours, theirs = fields(direct), fields(through)
    found += [f"{what}: the direct call says {name}: {value}" for name, value in sorted(ours - theirs)]
    found += [f"{what}: Trunkline says {name}: {value}" for name, value in sorted(theirs - ours)]
    if body(direct) != body(through):
        found.append(f"{what}: body {body(through)[:400]!r} instead of {body(direct)[:400]!r}")
    return found


def fields(request):
    fixed = [(name, without_boundary(request, value.encode()).decode()) for name, value in request.headers]
    return {(f"{name} ({at})", value) for at, (name, value) in numbered(fixed) if name not in NOT_PASSED}


def numbered(fixed):
    """Each field with its place among those of its name: their order counts."""
    seen = {}
    for name, value in fixed:
        seen[name] = seen.get(name, 0) + 1
        yield seen[name], (name, value)


def body(request):
    return without_boundary(request, request.body)


def without_boundary(request, data):
    """Each multipart request has a boundary of its own, of the same length."""
    boundary = BOUNDARY.search((request.header("content-type") or "").encode())
    return data.replace(boundary[1], b"BOUNDARY") if boundary else data
