"""The agents, set up by the lines of docs/agents.md."""

import json
import os
import pathlib
import platform
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).parent
PAGE = (HERE.parents[1] / "docs/agents.md").read_text()
# What stands in the page for the gateway, the client's key and the model.
EXAMPLES = ["http://127.0.0.1:8080", "tk-...", "coder"]
PACKAGES = HERE / "node_modules"
MACHINE = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
SECONDS = 120


def lines(heading, language, part=""):
    """The first block of code below a heading of the page that contains this part."""
    section = re.split(rf"^##+ {heading}$", PAGE, flags=re.M)[1]
    section = re.split(r"^##+ ", section, flags=re.M)[0]
    blocks = re.findall(rf"^```{language}(?:,\w+)?\n(.*?)^```", section, re.S | re.M)
    return next(block for block in blocks if part in block)


def filled(text, origin, key, model):
    """The lines of the page with real values for its examples."""
    for example, value in zip(EXAMPLES, [origin, key, model], strict=True):
        text = text.replace(example, value)
    return text


def exports(text):
    """The variables that lines of a shell set."""
    return dict(re.findall(r"^export (\w+)=(\S+)", text, re.M))


class Agent:
    """An agent: its program inside a package of npm, and the lines that set it up."""

    # The API that it calls, and its tool for the shell with the name of the argument.
    dialect = shell = argument = None
    more_arguments = {}

    def binary(self):
        """The native program; none if the package is not installed."""
        return next(iter(sorted(PACKAGES.glob(self.program.replace("MACHINE", MACHINE)))), None)

    def run(self, prompt, directory, *example, code=0):
        """One turn without a terminal, in an empty home, that ends with this exit code; the events that the agent prints."""
        home, work = directory / "home", directory / "work"
        shutil.rmtree(directory, ignore_errors=True)
        for folder in (home, work):
            folder.mkdir(parents=True)
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(directory), "SHELL": "/bin/bash", "TERM": "dumb"}
        environment |= self.set_up(home, *example)
        command = [str(self.binary()), *self.arguments(prompt)]
        done = subprocess.run(command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == code, f"exit code {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


class ClaudeCode(Agent):
    name = "Claude Code"
    program = "@anthropic-ai/claude-code-linux-MACHINE/claude"
    dialect, shell, argument = "messages", "Bash", "command"

    def set_up(self, _home, *example):
        quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
        return exports(filled(lines("Claude Code", "sh", "export"), *example)) | quiet

    def arguments(self, prompt):
        return ["--print", "--verbose", "--output-format", "stream-json", "--allowed-tools", "Bash", "--", prompt]

    def final(self, events):
        return next(event["result"] for event in events if event["type"] == "result")


class Codex(Agent):
    name = "Codex"
    program = "@openai/codex-linux-MACHINE/vendor/*/bin/codex"
    dialect, shell, argument = "responses", "exec_command", "cmd"

    def config(self):
        return lines("Codex", "toml")

    def set_up(self, home, *example):
        quiet = "check_for_update_on_startup = false\nanalytics.enabled = false\n"
        (home / ".codex").mkdir()
        (home / ".codex/config.toml").write_text(quiet + filled(self.config(), *example))
        return exports(filled(lines("Codex", "sh", "export"), *example))

    def arguments(self, prompt):
        return ["exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", prompt]

    def final(self, events):
        items = [event["item"] for event in events if event["type"] == "item.completed"]
        return [item["text"] for item in items if item["type"] == "agent_message"][-1]


class OpenCode(Agent):
    program = "opencode-linux-MACHINE/bin/opencode"
    shell, argument = "bash", "command"
    more_arguments = {"description": "Says hello"}

    def __init__(self, package, dialect):
        self.name = f"OpenCode, {package}"
        self.package, self.dialect = package, dialect

    def set_up(self, home, *example):
        config = json.loads(filled(lines("OpenCode", "json"), *example))
        config["provider"]["trunkline"]["npm"] = self.package
        config |= {"autoupdate": False, "share": "disabled"}
        (home / ".config/opencode").mkdir(parents=True)
        (home / ".config/opencode/opencode.json").write_text(json.dumps(config))
        quiet = {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"}
        return exports(filled(lines("OpenCode", "sh", "export"), *example)) | quiet

    def arguments(self, prompt):
        return ["run", "--format", "json", prompt]

    def final(self, events):
        return [event["part"]["text"] for event in events if event["type"] == "text"][-1]


CLAUDE_CODE = ClaudeCode()
CODEX = Codex()
AGENTS = [
    CLAUDE_CODE,
    CODEX,
    OpenCode("@ai-sdk/openai-compatible", "chat"),
    OpenCode("@ai-sdk/anthropic", "messages"),
    OpenCode("@ai-sdk/openai", "responses"),
]
