"""Differences between recorded requests."""

import re

# Request headers that are not forwarded unchanged, or added: see docs/endpoints.md.
NOT_FORWARDED = {"accept-encoding", "connection", "openai-organization", "openai-project", "x-trunkline-hops"}
BOUNDARY = re.compile(rb"boundary=\"?([^\s;\"]+)")


def differences(direct, through):
    """Describes how two lists of requests differ; empty if they are the same, in the same order."""
    found = []
    if len(direct) != len(through):
        found.append(f"{[r.target for r in direct]} are the direct requests, {[r.target for r in through]} those of Trunkline")
    for one, two in zip(direct, through):
        found += request_differences(one, two)
    return found


def request_differences(direct, through):
    label = f"{direct.method} {direct.target}"
    found = []
    if (direct.method, direct.target) != (through.method, through.target):
        found.append(f"{label} arrived as {through.method} {through.target}")
    of_direct, of_through = fields(direct), fields(through)
    found += [f"{label}: only direct: {name}: {value}" for name, value in sorted(of_direct - of_through)]
    found += [f"{label}: only through Trunkline: {name}: {value}" for name, value in sorted(of_through - of_direct)]
    if body(direct) != body(through):
        found.append(f"{label}: body {body(through)[:400]!r} instead of {body(direct)[:400]!r}")
    return found


def fields(request):
    fixed = [(name, without_boundary(request, value.encode()).decode()) for name, value in request.headers]
    return {(f"{name} ({index})", value) for index, (name, value) in numbered(fixed) if name not in NOT_FORWARDED}


def numbered(fixed):
    """Each field with its index among those of its name, since their order matters."""
    seen = {}
    for name, value in fixed:
        seen[name] = seen.get(name, 0) + 1
        yield seen[name], (name, value)


def body(request):
    return without_boundary(request, request.body)


def without_boundary(request, data):
    """Replaces the boundary, which is different in each multipart request but of the same length."""
    boundary = BOUNDARY.search((request.header("content-type") or "").encode())
    return data.replace(boundary[1], b"BOUNDARY") if boundary else data
