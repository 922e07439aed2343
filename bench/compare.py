"""One node beside memcached: CPU time per request as the kernel counts it, in turns within one run.

`python -m bench.compare`, and with `--protocol redis` beside redis-server. Each round starts all servers afresh
and loads one after the other with the same load; with Redis' protocol memrep's text protocol, too. What counts
is the time that the server's threads were on a CPU (/proc/PID/task/*/schedstat). The ratio is taken round by
round, so that a machine whose speed drifts does not favour either.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_START_S = 10.0


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port if port <= 55_000 else port - 20_000


@contextmanager
def _running(command: list[str], port: int) -> Iterator[int]:
    """The process id of a server that listens on `port` until the block ends."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _cpu_s(pid: int) -> tuple[float, float]:
    """Seconds on the CPU of all threads, exactly, and the share in user mode, sampled at clock ticks."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    total = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return total, int(fields[11]) / _TICKS_PER_S


def _measure(command: list[str], port: int, load: list[str]) -> dict[str, float]:
    with _running(command, port) as pid:
        cpu, user = _cpu_s(pid)
        loader = [sys.executable, "-m", "bench.load", str(port), *load]
        result = json.loads(subprocess.run(loader, check=True, capture_output=True).stdout)
        after = _cpu_s(pid)
        cpu, user = after[0] - cpu, after[1] - user
    requests = result["requests"]
    return {
        "user": user / requests * 1e6,
        "cpu": cpu / requests * 1e6,
        "p50": result["p50_us"],
        "p99": result["p99_us"],
        "rate": result["requests_per_s"],
    }


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--requests", default=60_000, show_default=True)
@click.option("--connections", default=32, show_default=True)
@click.option("--size", default=500, show_default=True, help="Bytes of a value.")
@click.option("--protocol", type=click.Choice(["memcached", "redis"]), default="memcached", show_default=True)
@click.option("--only", type=click.Choice(["", "get", "set"]), default="", help="Not get and set in turn.")
def main(rounds: int, requests: int, connections: int, size: int, protocol: str, only: str) -> None:
    """Compare a single memrep node with memcached -t 1, or with redis-server."""
    name = "memcached" if protocol == "memcached" else "redis-server"
    program = shutil.which(name)
    if program is None:
        raise click.ClickException(f"{name} is not installed; apt-get install {name}")
    load = ["--requests", str(requests), "--connections", str(connections), "--size", str(size), "--only", only]
    results: dict[str, list[dict[str, float]]] = {name: [], "memrep": []}
    if protocol == "redis":
        results["memrep text"] = []
    for _ in range(rounds):
        port = _free_port()
        command = [program, *_options(name, port)]
        results[name].append(_measure(command, port, [*load, "--protocol", protocol]))
        port, redis = _free_port(), _free_port()
        command = [
            sys.executable,
            "-m",
            "memrep",
            "serve",
            "--self",
            f"127.0.0.1:{port}",
            "--redis",
            str(redis),
        ]
        used = port if protocol == "memcached" else redis
        results["memrep"].append(_measure(command, used, [*load, "--protocol", protocol]))
        if "memrep text" in results:
            results["memrep text"].append(_measure(command, port, load))
    what = only or "get:set 1:1"
    click.echo(f"{connections} connections, {size}-byte values, {what}, {requests} requests, {rounds} rounds")
    click.echo("medians         cpu us  of it user     p50 us     p99 us  requests/s")
    for name, runs in results.items():
        median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        click.echo(
            f"{name:<12}" + "".join(f"{median[key]:11.1f}" for key in ("cpu", "user", "p50", "p99"))
            + f"{median['rate']:12.0f}"
        )  # fmt: skip
    for other in [each for each in results if each != "memrep"]:
        _echo_ratio(other, results["memrep"], results[other])


def _options(name: str, port: int) -> list[str]:
    """How a peer is started, with one thread and no disk."""
    if name == "memcached":
        return ["-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "1", "-u", "nobody"]
    return [
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--save",
        "",
        "--appendonly",
        "no",
        "--loglevel",
        "warning",
    ]


def _echo_ratio(other: str, ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> None:
    ratios = sorted(mine["cpu"] / peers["cpu"] for mine, peers in zip(ours, theirs, strict=True))
    best = min(run["cpu"] for run in ours) / min(run["cpu"] for run in theirs)
    click.echo(
        f"CPU per request, memrep / {other}: median {statistics.median(ratios):.2f} "
        f"(from {ratios[0]:.2f} to {ratios[-1]:.2f}), of the least disturbed round of each {best:.2f}"
    )


if __name__ == "__main__":
    main()
