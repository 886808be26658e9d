"""Starts the gateway binary with a config and waits until it listens."""

import contextlib
import hashlib
import json
import os
import pathlib
import queue
import subprocess
import threading

START_SECONDS = 30


def hashed(key):
    """The hash of a client key, as the configuration has it."""
    return hashlib.sha256(key.encode()).hexdigest()


@contextlib.contextmanager
def running(config, directory, **environment):
    """Yields the gateway's origin, such as `http://127.0.0.1:8080`, or its `unix:` address."""
    (directory / "trunkline.toml").write_text(config)
    binary = pathlib.Path(os.environ["TRUNKLINE_BIN"]).resolve()
    command = [binary, "--config", directory / "trunkline.toml", "--log-format", "json"]
    process = subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        listen = _listening(process)
        yield listen if listen.startswith("unix:") else f"http://{listen}"
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _listening(process):
    """Waits for the log line with the gateway's address."""
    found = queue.Queue()

    def read():
        for line in process.stdout:
            entry = json.loads(line)
            entry = {**entry, **entry.get("fields", {})}
            if entry.get("message") == "listening":
                found.put(entry["listen"])
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    address = found.get(timeout=START_SECONDS)
    assert address, "the gateway did not start; its standard error has the reason"
    return address
