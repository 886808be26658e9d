"""What Codex needs beyond a turn with the shell: patches, the fall-back from WebSockets, compressed bodies."""

import base64
import json
import subprocess
import time

import pytest

import agents
import gateway
import session
from upstream import DIALECTS, REASONING, Call, Text

PATCHES = [
    '*** Begin Patch\n*** Add File: greeting.txt\n+"Hello"\n+  C:\\thère\n*** End Patch\n',
    '*** Begin Patch\n*** Update File: greeting.txt\n@@\n-"Hello"\n+"Hello again"\n   C:\\thère\n*** End Patch\n',
]
PATCHED = '"Hello again"\n  C:\\thère\n'


def patching(call):
    """A model that applies both patches, one after the other."""

    def say(conversation):
        results = conversation.of("result")
        return call(PATCHES[len(results)]) if len(results) < len(PATCHES) else Text("Patched.")

    return say


class WithCatalog(agents.Codex):
    """The model has a copy of the catalog's entry for one that Codex knows."""

    def set_up(self, home, *example):
        file = home / "coder.json"
        environment = super().set_up(home, *example)
        line = agents.lines("Codex", "toml", "model_catalog_json").replace("/home/you/.codex/coder.json", str(file))
        config = home / ".codex/config.toml"
        config.write_text(line + config.read_text())
        catalog = subprocess.run([self.binary(), "debug", "models"], env={"HOME": "/nonexistent"}, capture_output=True, check=True, timeout=30)
        (known,) = [model for model in json.loads(catalog.stdout)["models"] if model["slug"] == "gpt-5.5"]
        file.write_text(json.dumps({"models": [known | {"slug": "coder", "display_name": "Coder"}]}))
        return environment


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_edits_a_file_by_its_tool_for_patches(dialect, directory):
    """Codex offers it as a custom tool."""
    script = patching(lambda patch: Call("apply_patch", patch))
    through = session.through(WithCatalog(), dialect, directory, script)
    check_patched(through, directory)
    (names, calls) = zip(*[(turn.name, turn.text) for turn in through.upstream.sessions[-1].of("call")], strict=True)
    texts = calls if dialect == "responses" else [text for call in calls for text in json.loads(call).values()]
    assert list(texts) == PATCHES and set(names) == {"apply_patch"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_edits_a_file_by_a_patch_in_the_shell(dialect, directory):
    """The way without that tool, for models that Codex does not know."""
    script = patching(lambda patch: Call("exec_command", {"cmd": f"apply_patch <<'EOF'\n{patch}EOF\n"}))
    check_patched(session.through(agents.CODEX, dialect, directory, script), directory)


def check_patched(through, directory):
    assert through.upstream.refusals == []
    assert through.final == "Patched."
    assert (directory / "work/greeting.txt").read_text() == PATCHED
    results = [turn.text for turn in through.upstream.sessions[-1].of("result")]
    assert len(results) == 2 and all("Success" in text for text in results), results


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_runs_commands_from_the_code_that_a_model_writes(dialect, directory):
    """For its newest models, Codex offers one custom tool, whose input is a script."""
    script = 'const {output} = await tools.exec_command({cmd: "%s"});\ntext(output);'

    def say(conversation):
        results = conversation.of("result")
        return Text(session.printed(results)) if results else Call("exec", script % "echo hello-from-code")

    through = session.through(agents.CODEX, dialect, directory, say, model="gpt-6-sol")
    assert through.upstream.refusals == []
    assert through.final == "The tool printed hello-from-code."


class HighEffort(agents.Codex):
    def config(self):
        return f'model_reasoning_effort = "high"\n{super().config()}'


def test_claude_gets_its_thinking_back_as_it_signed_it(directory):
    """The server refuses another signature, as Anthropic does."""
    through = session.through(HighEffort(), "messages", directory, session.commands(agents.CODEX))
    assert through.upstream.refusals == []
    assert through.final == session.FINAL
    assert REASONING in json.dumps(through.events)
    assert len(through.upstream.sessions[-1].of("reasoning")) == len(session.COMMANDS)


class ShortContext(agents.Codex):
    """A model whose context is full after each response."""

    def config(self):
        return f"model_auto_compact_token_limit = 25\n{super().config()}"


def test_it_summarises_a_long_conversation_itself(directory):
    """As it does with a provider that is not OpenAI by name."""
    summary = "Summary: the tool printed hello-from-tool."

    def say(conversation):
        if any(summary in turn.text for turn in conversation.of("user")):
            return Text("Finished.")
        # Behind the result comes the request for a summary.
        return Text(summary) if conversation.of("result") else session.calls(agents.CODEX, session.COMMANDS[0])

    through = session.through(ShortContext(), "chat", directory, say)
    assert through.upstream.refusals == []
    assert through.final == "Finished."
    assert {line["status"] for line in through.requests} == {200}


class BuiltInProvider(agents.Codex):
    """Only the base URL of Codex's own provider is changed. It begins with a WebSocket that names no model."""

    def config(self):
        return agents.lines("Codex", "toml", "openai_base_url")

    def set_up(self, home, *example):
        _origin, key, _model = example
        return super().set_up(home, *example) | {"CODEX_API_KEY": key}


SECOND = '[providers.second]\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "second-key"\n'


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("more", ["", SECOND], ids=["one provider", "two providers"])
def test_only_its_base_url_changed_it_goes_on_over_http(dialect, more, directory):
    agent = BuiltInProvider()
    through = session.through(agent, dialect, directory, session.commands(agent), more=more)
    assert through.upstream.refusals == []
    assert through.final == session.FINAL
    assert "Reconnecting" not in json.dumps(through.events), through.events
    assert [line["status"] for line in through.requests] == [426, 200, 200, 200]


class CompressedBodies(agents.Codex):
    """A log-in by ChatGPT's account at a provider named OpenAI, for which Codex compresses its requests."""

    def config(self):
        text = super().config().replace('env_key = "TRUNKLINE_KEY"', "requires_openai_auth = true")
        text = text.replace('name = "Trunkline"', 'name = "OpenAI"')
        # No calls to the account's other services.
        return f'chatgpt_base_url = "http://127.0.0.1:9"\n{text}[features]\napps = false\n'

    def set_up(self, home, *example):
        _origin, key, _model = example
        environment = super().set_up(home, *example)
        tokens = {"id_token": key, "access_token": key, "refresh_token": "none", "account_id": "account"}
        auth = {"auth_mode": "chatgpt", "tokens": tokens, "last_refresh": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        (home / ".codex/auth.json").write_text(json.dumps(auth))
        return environment


def web_token():
    """A JSON Web Token of an account that never was."""
    claims = {"exp": int(time.time()) + 86400, "https://api.openai.com/auth": {"chatgpt_account_id": "account", "chatgpt_plan_type": "pro"}}
    parts = [json.dumps({"alg": "none", "typ": "JWT"}), json.dumps(claims), "signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_its_compressed_bodies_arrive_decoded(dialect, directory):
    agent, key = CompressedBodies(), web_token()
    more = f'[access.keys.chatgpt]\nsha256 = "{gateway.hashed(key)}"\n'
    through = session.through(agent, dialect, directory, session.commands(agent), more=more, key=key)
    assert through.upstream.refusals == []
    assert through.final == session.FINAL
    posts = [line for line in through.requests if line.get("endpoint") == "responses"]
    assert [line["status"] for line in posts] == [200, 200, 200]
    sizes = [len(json.dumps(request.body)) for request in through.upstream.requests]
    assert all(2 * line["request_bytes"] < size for line, size in zip(posts, sizes, strict=True)), "not compressed"


def test_an_upstream_that_has_no_responses_is_asked_once(directory):
    """A provider of one's own need not say what it speaks."""
    script = session.commands(agents.CODEX)
    through = session.through(agents.CODEX, "chat", directory, script, says=False)
    assert through.upstream.refusals == []
    assert through.final == session.FINAL
    assert through.upstream.others == ["POST /v1/responses"]
    assert [line["status"] for line in through.requests] == [200, 200, 200]
