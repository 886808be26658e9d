#!/usr/bin/env python3
"""Checks that a tenth of a core and 32 MiB are enough for a sidecar. Run as root, on Linux:

    benches/sidecar.py target/release/trunkline

Runs the gateway with the sidecar's own configuration in a control group with
these limits, set up as the kubelet does. A mock provider and clients run outside
of the group. Clients start at a steady rate, each requests a stream and reads it
to its end, and every response is checked.

Memory is what the kernel charges the group, including the page cache of the
binary; the peak is the group's own. A gateway that the group's limits kill, or
one wrong response, fails the run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONFIG = ROOT / "deploy/kubernetes/components/sidecar/trunkline.toml"
HIERARCHY = pathlib.Path("/sys/fs/cgroup")
PERIOD_US = 100_000
DONE = b"data: [DONE]\n\n"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--cores", type=float, default=0.1)
    parser.add_argument("--mebibytes", type=int, default=32)
    parser.add_argument("--rate", type=float, default=50, help="streams begun a second")
    parser.add_argument("--events", type=int, default=50, help="events of a stream")
    parser.add_argument("--pace", type=float, default=0.02, help="seconds between two of them")
    parser.add_argument("--body", type=int, default=4096, help="bytes of a request's body")
    parser.add_argument("--seconds", type=float, default=30)
    return parser.parse_args()


class Group:
    """A control group with limits, of either version."""

    def __init__(self, cores, mebibytes):
        self.unified = (HIERARCHY / "cgroup.controllers").exists()
        name = f"trunkline-{os.getpid()}"
        kinds = [""] if self.unified else ["cpu", "cpuacct", "memory"]
        self.folders = {kind: HIERARCHY / kind / name for kind in kinds}
        if self.unified:
            (HIERARCHY / "cgroup.subtree_control").write_text("+cpu +memory")
        for folder in self.folders.values():
            folder.mkdir()
        quota, size = str(int(cores * PERIOD_US)), str(mebibytes << 20)
        if self.unified:
            self._file("", "cpu.max").write_text(f"{quota} {PERIOD_US}")
            self._file("", "memory.max").write_text(size)
        else:
            self._file("cpu", "cpu.cfs_period_us").write_text(str(PERIOD_US))
            self._file("cpu", "cpu.cfs_quota_us").write_text(quota)
            self._file("memory", "memory.limit_in_bytes").write_text(size)

    def _file(self, kind, name):
        return self.folders["" if self.unified else kind] / name

    def enter(self):
        for folder in self.folders.values():
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def cpu_seconds(self):
        if self.unified:
            return self._stat("", "cpu.stat")["usage_usec"] / 1e6
        return int(self._file("cpuacct", "cpuacct.usage").read_text()) / 1e9

    def throttled(self):
        """Throttled periods, and all periods."""
        stat = self._stat("cpu", "cpu.stat")
        return stat["nr_throttled"], stat["nr_periods"]

    def peak_mebibytes(self):
        name = "memory.peak" if self.unified else "memory.max_usage_in_bytes"
        return int(self._file("memory", name).read_text()) / (1 << 20)

    def _stat(self, kind, name):
        lines = self._file(kind, name).read_text().split("\n")
        return {key: int(value) for key, value in (line.split() for line in lines if line)}

    def remove(self):
        for folder in self.folders.values():
            with contextlib.suppress(OSError):
                folder.rmdir()


async def provide(reader, writer, events, pace):
    """One connection to the mock provider."""
    with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.I)[1]))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            for number in range(events):
                await asyncio.sleep(pace if number else 0)
                last = number == events - 1
                choice = {"index": 0, "delta": {"content": "word "}, "finish_reason": "stop" if last else None}
                event = {"id": "c", "object": "chat.completion.chunk", "sent": time.time(), "choices": [choice]}
                event = b"data: " + json.dumps(event).encode() + b"\n\n"
                event += DONE if last else b""
                writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
    writer.close()


async def call(address, body, events, delays):
    """One client: a connection, a stream, every event counted."""
    reader, writer = await asyncio.open_connection(*address)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    response = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert response.startswith("HTTP/1.1 200 "), response
    count = 0
    while line := await reader.readline():
        if line.startswith(b"data: {"):
            count += 1
            delays.append(time.time() - json.loads(line[6:])["sent"])
        ended = line == b"data: [DONE]\n"
        if ended:
            break
    writer.close()
    assert ended and count == events, f"{count} events of {events}"


async def load(options, address):
    body = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": ""}]})
    body = body.replace('""', '"' + "x" * max(0, options.body - len(body)) + '"').encode()
    delays, calls = [], []
    begun = time.monotonic()
    for number in range(int(options.rate * options.seconds)):
        await asyncio.sleep(max(0, begun + number / options.rate - time.monotonic()))
        calls.append(asyncio.create_task(call(address, body, options.events, delays)))
    await asyncio.gather(*calls)
    return delays, time.monotonic() - begun


async def measure(options, group, folder):
    connected = lambda reader, writer: provide(reader, writer, options.events, options.pace)
    provider = await asyncio.start_server(connected, "127.0.0.1", 0)
    (folder / "key").write_text("sk-mock")
    config = CONFIG.read_text().replace("/run/secrets/trunkline/openai", str(folder / "key"))
    (folder / "trunkline.toml").write_text(config)
    environment = {
        "TRUNKLINE_SERVER__LISTEN": "127.0.0.1:0",
        "TRUNKLINE_ADMIN__LISTEN": "127.0.0.1:0",
        "OPENAI_BASE_URL": "http://127.0.0.1:%d/v1" % provider.sockets[0].getsockname()[1],
    }
    begun = time.monotonic()
    gateway = subprocess.Popen(
        [options.binary.resolve()], cwd=folder, env=environment, stdout=subprocess.PIPE, preexec_fn=group.enter
    )
    try:
        line = json.loads(await asyncio.to_thread(gateway.stdout.readline))
        assert line["message"] == "listening", line
        started = time.monotonic() - begun
        # The log must be read, or the pipe blocks.
        asyncio.get_running_loop().run_in_executor(None, gateway.stdout.read)
        await asyncio.sleep(1)
        rest = group.peak_mebibytes()
        host, port = line["listen"].rsplit(":", 1)
        cpu = group.cpu_seconds()
        delays, seconds = await load(options, (host, int(port)))
        cpu = (group.cpu_seconds() - cpu) / seconds
        status = pathlib.Path(f"/proc/{gateway.pid}/status").read_text()
        resident = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
        assert gateway.poll() is None, "the gateway is gone"
    finally:
        gateway.terminate()
        gateway.wait(60)
    report(options, group, started, rest, cpu, resident, delays)


def report(options, group, started, rest, cpu, resident, delays):
    cuts = statistics.quantiles(delays, n=1000)
    throttled, periods = group.throttled()
    print(f"limits            {options.cores} cores, {options.mebibytes} MiB")
    print(f"load              {options.rate:g} streams/s of {options.events} events, {options.pace * 1000:g} ms apart; bodies of {options.body} bytes")
    print(f"streams at once   about {options.rate * options.events * options.pace:.0f}; {len(delays)} events, all of them right")
    print(f"start             {started * 1000:.0f} ms until it listens")
    print(f"CPU               {cpu:.3f} cores")
    print(f"out of CPU        {throttled} of {periods} periods of {PERIOD_US / 1000:g} ms")
    print(f"memory            {group.peak_mebibytes():.1f} MiB at most, {rest:.1f} MiB before the load; resident {resident:.1f} MiB")
    print(f"delay of an event p50 {cuts[499] * 1000:.2f} ms, p99 {cuts[989] * 1000:.2f} ms, p99.9 {cuts[998] * 1000:.2f} ms")


def main():
    options = arguments()
    group = Group(options.cores, options.mebibytes)
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(options, group, pathlib.Path(folder)))
    finally:
        group.remove()


if __name__ == "__main__":
    main()
