"""Costs and gains of serving: the time that a socket adds to `act`, and throughput of batched clients."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from embodio.agent.agent import Agent
from embodio.agent.client import RemoteAgent
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed.suites import Row

_SERVE = "import sys; from embodio.train.commands.serve import main; sys.exit(main())"
_CLIENTS = 8


@contextmanager
def served(agent: str, *settings: str) -> Iterator[str]:
    """The address of an agent that `embodio-serve` serves in a separate process.

    Raises:
        BenchmarkError: The server does not start.
    """
    command = [sys.executable, "-c", _SERVE, f"agent={agent}", "port=0", *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout is not None else ""
        try:
            if " at ws" not in line:
                raise BenchmarkError("embodio-serve did not start; run it by hand to see why")
            yield line.split()[-1]
        finally:
            process.terminate()


def overhead(name: str, agent: Agent, seen: Sequence[dict[str, Any]], steps: int) -> list[Row]:
    """The time that the socket adds to `act` on this machine: the same steps local and served, in turn."""
    times: dict[tuple[bool, bool], list[float]] = {}
    with served(name) as url, RemoteAgent(url) as remote:
        for each in (agent, remote):
            each.reset(instruction="lift the red cube")
        for step in range(steps):
            for each in (agent, remote):
                begin = time.perf_counter()
                each.act(seen[step % len(seen)])
                key = (each is remote, step % agent.replan == 0)
                times.setdefault(key, []).append((time.perf_counter() - begin) * 1e3)
    rows = []
    for planned, label in ((False, "from the chunk"), (True, "that plans")):
        if (True, planned) not in times:
            continue
        home, away = np.array(times[False, planned]), np.array(times[True, planned])
        note = f"local {np.median(home):.2f} ms, served {np.median(away):.2f} ms, p99 {np.percentile(away, 99):.1f} ms"
        rows.append(
            Row(
                f"remote adds to act {label}, p50",
                float(np.median(away) - np.median(home)),
                "ms",
                goal="<= 5",
                note=note,
            )
        )
    return rows


def together(name: str, seen: Sequence[dict[str, Any]], repeats: int, steps: int) -> list[Row]:
    """Actions per second of batched clients, against the same server computing them in turn."""
    with (
        served(name, "replan=1", "max_batch=16") as batched,
        served(name, "replan=1", "max_batch=1") as single,
        ThreadPoolExecutor(_CLIENTS) as pool,
    ):
        agents = {url: [RemoteAgent(url) for _ in range(_CLIENTS)] for url in (batched, single)}
        best = dict.fromkeys(agents, 0.0)

        def play(agent: RemoteAgent) -> None:
            for step in range(steps):
                agent.act(seen[step % len(seen)])

        for _ in range(1 + repeats):  # the first round warms up
            for url, clients in agents.items():
                for agent in clients:
                    agent.reset(instruction="lift the red cube")
                begin = time.perf_counter()
                list(pool.map(play, clients))
                best[url] = max(best[url], _CLIENTS * steps / (time.perf_counter() - begin))
        for clients in agents.values():
            for agent in clients:
                agent.close()
    note = "reference: max_batch=1; every step plans"
    ratio = best[batched] / best[single]
    return [Row(f"{_CLIENTS} clients of a server", best[batched], "actions/s", best[single], ratio, note=note)]
