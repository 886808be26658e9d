"""A limit of the client arrives as the SDK's own class, and is retried only where that helps."""

import anthropic
import httpx
import openai
import pytest

from gateway import hashed, running

CONFIG = """
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[providers.up]
base_url = "{base_url}"
api_key = "upstream-key"
[providers.plain]
base_url = "{base_url}"
api_key = "upstream-key"
dialects = ["chat"]
[models.chat]
provider = "up"
model = "real"
[models.small]
provider = "up"
model = "little"
[models.translated]
provider = "plain"
model = "real"
[prices."up/*"]
input = "1"
output = "2"
[prices."plain/*"]
input = "1"
output = "2"
"""
# A rule for each test, which has a key of the same name. The upstream's usage is 11 and 7 tokens, 25 millionths of a dollar.
RULES = {
    "requests": 'requests = ["1/hour"]',
    "tokens": 'tokens = ["18/hour"]',
    "soon": 'requests = ["2/second burst 1"]',
    "waits": 'requests = ["5/second burst 1"]\nwait = "20s"',
    "budget": 'budget = ["0.000025/total"]',
    "day": 'requests = ["1/day"]',
    "blocked": 'concurrent = 0',
    "small": 'tokens = ["300/minute"]\nreserve = "worst"',
    "headers": 'requests = ["60/hour"]\ntokens = ["30000/hour"]\nbudget = ["5/month"]',
    "observed": 'requests = ["1/hour"]\nat_limit = "observe"',
    "fallback": 'models = ["chat"]\nrequests = ["1/hour"]\nat_limit = "fallback:small"',
}
# Each has a key of its own for each rule.
CALLERS = ["openai", "stream", "responses", "responses-stream", "anthropic", "anthropic-stream"]


@pytest.fixture(scope="module")
def origin(upstream, tmp_path_factory):
    config = CONFIG.format(base_url=upstream.base_url)
    for rule, lines in RULES.items():
        config += f'[limits.{rule}]\nper = ["key"]\nkeys = ["{rule}-*"]\n{lines}\n'
        for caller in CALLERS:
            config += f'[access.keys."{rule}-{caller}"]\nsha256 = "{hashed(key(rule, caller))}"\n'
    with running(config, tmp_path_factory.mktemp("limits")) as origin:
        yield origin


def key(rule, caller):
    return f"tk-{rule}-{caller}"


class Caller:
    """A call in the way of one SDK and one API, and how many requests it took."""

    def __init__(self, origin, caller):
        self.origin, self.caller = origin, caller
        self.requests = 0
        self.sdk = anthropic if caller.startswith("anthropic") else openai

    def client(self, rule, retries):
        """Each client may retry as often as the SDKs do by default."""
        hooks = {"request": [self._count]}
        options = {"api_key": key(rule, self.caller), "max_retries": retries}
        if self.sdk is anthropic:
            transport = anthropic.DefaultHttpxClient(event_hooks=hooks)
            return anthropic.Anthropic(base_url=self.origin, http_client=transport, **options)
        return openai.OpenAI(base_url=f"{self.origin}/v1", http_client=openai.DefaultHttpxClient(event_hooks=hooks), **options)

    def _count(self, _request):
        self.requests += 1

    def __call__(self, rule, retries=openai.DEFAULT_MAX_RETRIES, max_tokens=64):
        """The response's headers; a stream is read to its end."""
        stream = self.caller.endswith("stream")
        client = self.client(rule, retries)
        if self.sdk is anthropic:
            create = client.messages.with_raw_response.create
            raw = create(model="translated", max_tokens=max_tokens, messages=[{"role": "user", "content": "hi"}], stream=stream)
        elif self.caller.startswith("responses"):
            raw = client.responses.with_raw_response.create(model="chat", input="hi", max_output_tokens=max_tokens, stream=stream)
        else:
            messages = [{"role": "user", "content": "hi"}]
            create = client.chat.completions.with_raw_response.create
            # Only then does the upstream report the usage of a stream.
            more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
            raw = create(model="chat", messages=messages, max_tokens=max_tokens, **more)
        parsed = raw.parse()
        if stream:
            assert list(parsed)
        return raw.headers


@pytest.fixture(params=CALLERS)
def caller(request, origin):
    return Caller(origin, request.param)


@pytest.mark.parametrize(("rule", "kind"), [("requests", "requests"), ("tokens", "tokens")])
def test_a_rate_says_how_long_to_wait(caller, rule, kind):
    caller(rule)
    with pytest.raises(caller.sdk.RateLimitError) as caught:
        caller(rule, retries=0)
    assert caught.value.status_code == 429
    headers = caught.value.response.headers
    assert 0 < int(headers["retry-after"]) <= 3600
    assert 0 <= int(headers["retry-after"]) * 1000 - int(headers["retry-after-ms"]) < 1000
    assert headers["x-trunkline-limit"] == rule
    assert error_of(caught.value)["type"] == ("rate_limit_error" if caller.sdk is anthropic else kind)
    if caller.sdk is openai:
        assert (caught.value.code, caught.value.param, caught.value.type) == ("rate_limit_exceeded", None, kind)
    limit = error_of(caught.value)["limit"]
    assert (limit["rule"], limit["of"], limit["period"]) == (rule, kind, "hour")
    assert f"key {rule}-{caller.caller}" in caught.value.message


def error_of(error):
    """The `error` member of the body, which OpenAI's SDK unwraps."""
    return error.body["error"] if isinstance(error, anthropic.APIError) else error.body


def test_a_rate_that_comes_back_soon_is_retried_by_the_sdk(caller):
    calls = 0
    # On a slow machine, it may be back before the next call.
    while caller.requests == calls < 20:
        caller("soon")
        calls += 1
    assert caller.requests == calls + 1


def test_a_request_that_may_wait_is_not_refused(caller):
    for _ in range(3):
        caller("waits", retries=0)
    assert caller.requests == 3


@pytest.mark.parametrize(("rule", "of"), [("budget", "budget"), ("day", "requests")])
def test_money_and_quotas_of_a_day_are_final(caller, rule, of):
    caller(rule)
    with pytest.raises(caller.sdk.RateLimitError) as caught:
        caller(rule)
    assert caller.requests == 2, "retried"
    headers = caught.value.response.headers
    assert headers["x-should-retry"] == "false"
    assert "retry-after" not in headers and "retry-after-ms" not in headers
    error = error_of(caught.value)
    assert error["type"] == ("billing_error" if caller.sdk is anthropic else "insufficient_quota")
    if caller.sdk is openai:
        assert caught.value.code == "insufficient_quota"
    assert (error["limit"]["of"], error["limit"].get("resets_at") is None) == (of, rule == "budget")


def test_a_blocked_key(caller):
    with pytest.raises(caller.sdk.PermissionDeniedError) as caught:
        caller("blocked")
    assert caller.requests == 1
    error = error_of(caught.value)
    if caller.sdk is anthropic:
        assert error["type"] == "permission_error"
    else:
        assert caught.value.code == "blocked"


def test_a_request_that_can_never_fit(caller):
    with pytest.raises(caller.sdk.BadRequestError) as caught:
        caller("small", max_tokens=1000)
    assert caller.requests == 1
    error = error_of(caught.value)
    if caller.sdk is anthropic:
        assert error["type"] == "invalid_request_error"
    else:
        assert caught.value.code == "request_exceeds_limit"
    # Less would.
    caller("small")


def test_what_is_left_is_in_the_headers(caller):
    headers = caller("headers")
    if caller.sdk is anthropic:
        assert headers["anthropic-ratelimit-requests-limit"] == "60"
        assert headers["anthropic-ratelimit-requests-remaining"] == "59"
        assert headers["anthropic-ratelimit-requests-reset"].startswith("20")
        assert headers["anthropic-ratelimit-tokens-limit"] == "30000"
        assert 0 < int(headers["anthropic-ratelimit-tokens-remaining"]) < 30000
    else:
        assert headers["x-ratelimit-limit-requests"] == "60"
        assert headers["x-ratelimit-remaining-requests"] == "59"
        assert headers["x-ratelimit-reset-requests"].endswith("s")
        assert headers["x-ratelimit-limit-tokens"] == "30000"
        assert 0 < int(headers["x-ratelimit-remaining-tokens"]) < 30000
    assert 4.99 < float(headers["x-trunkline-budget-remaining"]) < 5
    assert headers["x-trunkline-budget-reset"].startswith("20")


def test_a_key_reads_its_own_limits(caller):
    caller("headers")
    headers = {"Authorization": f"Bearer {key('headers', caller.caller)}"}
    [rule] = httpx.get(f"{caller.origin}/trunkline/limits", headers=headers).json()["limits"]
    assert (rule["rule"], rule["subject"]) == ("headers", f"key headers-{caller.caller}")
    amounts = {amount["of"]: amount for amount in rule["amounts"]}
    assert set(amounts) == {"requests", "tokens", "budget"}
    assert int(amounts["requests"]["limit"]) == 60
    assert int(amounts["requests"]["used"]) >= 1
    assert float(amounts["budget"]["used"]) > 0


def test_a_rule_that_observes_says_so(caller):
    assert caller("observed")["x-trunkline-limit"] == "observed"
    assert caller("observed")["x-trunkline-limit"] == "observed; would refuse"


def test_a_fallback_names_its_model(origin):
    caller = Caller(origin, "openai")
    assert [caller("fallback")["x-trunkline-model"] for _ in range(2)] == ["real", "little"]
