"""Programs that the tests run, among them the gateway."""

import contextlib
import http.server
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
WAIT_SECONDS = 30

# Loopback only: no proxy from the environment.
urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))


def binary():
    """The gateway's binary."""
    return pathlib.Path(os.environ["TRUNKLINE_BIN"]).resolve()


def tool(name, cure):
    """The path of a program. If it is missing, the test is skipped; in CI it fails."""
    beside = [pathlib.Path(sys.executable).parent, ROOT / "tests/deploy/node_modules/.bin"]
    found = shutil.which(name, path=os.pathsep.join([*map(str, beside), os.environ.get("PATH", "")]))
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{name} is missing: {cure}")
    pytest.skip(f"skipped: {name} is missing: {cure}")


def store_programs(directory):
    """Valkey's or Redis's server and client. The packages of tools have the server too, by another name."""
    cure = "install valkey-server, valkey-tools or redis-tools"
    found = [name for name in ("valkey", "redis") if shutil.which(f"{name}-cli")]
    name = found[0] if found else "valkey"
    client = tool(f"{name}-cli", cure)
    if server := shutil.which(f"{name}-server"):
        return server, client
    link = directory / f"store/{name}-server"
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(tool(f"{name}-check-rdb", cure))
    return link, client


def run(command, timeout=60, **more):
    """Runs a program and returns its standard output; a failure fails the test."""
    done = subprocess.run([str(argument) for argument in command], capture_output=True, text=True, timeout=timeout, **more)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}{done.stderr}"
    return done.stdout


def check(config, directory, **environment):
    """Runs `trunkline check` on the text of a configuration."""
    file = directory / "checked.toml"
    file.write_text(config)
    return run([binary(), "check", "--config", file], cwd=directory, env=environment)


def compose_service(name):
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"][name]


def compose_environment(name, **variables):
    """A service's variables as compose sets them from these, an empty one for those that it has set to nothing."""

    def value(found):
        name, operator, other = found.groups()
        is_set = bool(variables.get(name))
        if operator == ":+":
            return other if is_set else ""
        return variables[name] if is_set else other

    environment = compose_service(name)["environment"]
    return {key: re.sub(r"\$\{(\w+)(:[+-])([^}]*)\}", value, text) for key, text in environment.items()}


@contextlib.contextmanager
def process(command, **more):
    """A program that runs until the end of the block."""
    child = subprocess.Popen([str(argument) for argument in command], **more)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(WAIT_SECONDS)
        finally:
            child.kill()


@contextlib.contextmanager
def gateway(directory, config="", command=None, **environment):
    """A gateway on ports chosen by the system; yields the process and the addresses of both listeners."""
    environment = {"TRUNKLINE_SERVER__LISTEN": "127.0.0.1:0", "TRUNKLINE_ADMIN__LISTEN": "127.0.0.1:0", **environment}
    if config:
        (directory / "trunkline.toml").write_text(config)
    command = command or [binary()]
    with process([*command, "--log-format", "json"], cwd=directory, env=environment, stdout=subprocess.PIPE, text=True) as child:
        yield child, *_listening(child)


def _listening(child):
    """Waits for the log line with the gateway's addresses."""
    found = queue.Queue()

    def read():
        output = []
        for line in child.stdout:
            output.append(line)
            with contextlib.suppress(json.JSONDecodeError):
                entry = json.loads(line)
                if entry.get("message") == "listening":
                    found.put((entry["listen"], entry["admin"]))
        found.put("".join(output))

    threading.Thread(target=read, daemon=True).start()
    addresses = found.get(timeout=WAIT_SECONDS)
    assert isinstance(addresses, tuple), f"the gateway did not start: {addresses}"
    return addresses


def get(url, timeout=WAIT_SECONDS):
    with urllib.request.urlopen(url, timeout=timeout) as response:
        return response.read().decode()


def ask(address, model="demo", stream=False, headers=None):
    """Sends a chat request; returns status and body."""
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(f"http://{address}/v1/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Provider(http.server.BaseHTTPRequestHandler):
    """Responds to every request with a completion of two words."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        if request.get("stream"):
            deltas = [({"content": "from"}, None), ({"content": " upstream"}, None), ({}, "stop")]
            choices = [{"index": 0, "delta": delta, "finish_reason": finish} for delta, finish in deltas]
            events = [{"id": "c", "object": "chat.completion.chunk", "choices": [choice]} for choice in choices]
            events.append({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage})
            kind, body = "text/event-stream", "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": "from upstream"}, "finish_reason": "stop"}
            kind, body = "application/json", json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage})
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        for event in body.splitlines(keepends=True):
            # A pause between events, so that each is relayed separately.
            time.sleep(0.005 if event == "\n" else 0)
            self.wfile.write(event.encode())

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def provider(handler=None):
    """A model server on this machine; yields its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler or Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
