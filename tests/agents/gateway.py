"""Starts the gateway and reads its log."""

import contextlib
import hashlib
import json
import os
import pathlib
import queue
import subprocess
import threading

WAIT_SECONDS = 30
KEY = "tk-agents"


def hashed(key):
    """The hash of a client key, as the configuration has it."""
    return hashlib.sha256(key.encode()).hexdigest()


HEAD = f"""
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[access.keys.agents]
sha256 = "{hashed(KEY)}"
"""


class Gateway:
    """A running gateway."""

    def __init__(self, process):
        self.origin = None
        self._process = process
        self._log = []
        self._started = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.origin = self._started.get(timeout=WAIT_SECONDS)
        assert self.origin, f"the gateway did not start: {self._log}"

    def _read(self):
        for line in self._process.stdout:
            with contextlib.suppress(json.JSONDecodeError):
                entry = json.loads(line)
                self._log.append(entry)
                if entry.get("message") == "listening":
                    self._started.put(f"http://{entry['listen']}")
        self._started.put(None)

    def finish(self):
        """Ends the process; the lines of its requests."""
        self._process.terminate()
        self._process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        return [entry for entry in self._log if entry["message"] == "request"]


@contextlib.contextmanager
def running(config, directory):
    file = directory.with_suffix(".toml")
    file.write_text(HEAD + config)
    binary = pathlib.Path(os.environ["TRUNKLINE_BIN"]).resolve()
    command = [binary, "--config", file, "--log-format", "json"]
    process = subprocess.Popen(command, cwd=directory.parent, env={}, stdout=subprocess.PIPE, text=True)
    try:
        yield Gateway(process)
    finally:
        process.kill()
        process.wait(WAIT_SECONDS)
