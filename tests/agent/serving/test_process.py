"""A server in a process of its own: signals, a sudden death under load, and a server that hangs."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from embodio.agent.client import ConnectionLost, DeadlineExceeded, RemoteAgent
from embodio.agent.errors import NotReset
from tests.support.agent.messages import FRAME, SEEN

REPO = Path(__file__).resolve().parents[3]
SERVE = "from embodio.train.commands.serve import main; raise SystemExit(main())"
IN_TIME = 60.0
"""Seconds: a robot must not wait longer, on a machine that other tests keep busy."""


@contextmanager
def server(port: int = 0, stop_seconds: float = 10.0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that serves the stub, and its address."""
    command = [sys.executable, "-m", "tests.support.agent.stub_server", str(port), str(stop_seconds)]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def acting(url: str, seconds: float) -> tuple[RemoteAgent, threading.Thread, list[object]]:
    """A robot in the middle of a step that takes so long, and what will come of it."""
    agent, found = RemoteAgent(url, patience=0.2), list[object]()
    agent.reset("5")

    def act() -> None:
        try:
            found.append(agent.act({"front": FRAME, "sleep": seconds}).tolist())
        except ConnectionLost as error:
            found.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    time.sleep(1.0)
    return agent, thread, found


def test_a_signal_finishes_what_runs_and_a_second_one_does_not() -> None:
    with server() as (process, url):
        _, thread, found = acting(url, 3.0)
        process.send_signal(signal.SIGTERM)
        thread.join()
        assert found == [[5, 0]]
        assert process.wait(timeout=IN_TIME) == 0
    with server() as (process, url):
        _, thread, found = acting(url, 2 * IN_TIME)
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "stopping"
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=IN_TIME) == -signal.SIGTERM
        assert time.monotonic() - begin < IN_TIME
        thread.join()
        assert isinstance(found[0], ConnectionLost)


def test_what_never_ends_is_given_up() -> None:
    with server(stop_seconds=0.3) as (process, url):
        _, thread, found = acting(url, 2 * IN_TIME)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=IN_TIME) == 1
        thread.join()
        assert isinstance(found[0], ConnectionLost)


def test_death_under_load_and_a_server_that_comes_back() -> None:
    with server() as (process, url):
        agents = [RemoteAgent(url, deadline=IN_TIME, patience=0.5) for _ in range(8)]

        def play(number: int) -> float:
            agents[number].reset(str(number))
            for step in range(10**6):
                begin = time.monotonic()
                try:
                    assert agents[number].act(SEEN).tolist() == [number, step]
                except ConnectionLost:
                    return time.monotonic() - begin
            return 0.0

        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(play, number) for number in range(8)]
            time.sleep(1.0)
            process.kill()
            assert all(0 < future.result() < IN_TIME for future in running)
    with server(port=int(url.rsplit(":", 1)[1])):
        for number, agent in enumerate(agents):
            with pytest.raises(ConnectionLost, match="no longer knows"):
                agent.act(SEEN)
            with pytest.raises(NotReset):
                agent.act(SEEN)
            agent.reset(str(number))
            assert agent.act(SEEN).tolist() == [number, 0]
            agent.close()


def test_a_server_that_hangs() -> None:
    with server() as (process, url):
        agent = RemoteAgent(url, patience=0.5)
        agent.reset("1")
        agent.deadline = 1.0
        process.send_signal(signal.SIGSTOP)
        for size in (10, 15_000_000):
            begin = time.monotonic()
            with pytest.raises((DeadlineExceeded, ConnectionLost)):
                agent.act({"front": np.zeros(size, np.uint8)})
            assert time.monotonic() - begin < IN_TIME
        process.send_signal(signal.SIGCONT)


def test_the_command_says_where_it_is_and_ends_with_0(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("correct horse\n")
    command = [sys.executable, "-c", SERVE, "port=0", f"token_file={tmp_path}/token"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        assert "lift-nano for robosuite" in lines[0] and "RemoteAgent" in lines[1] and "token=" in lines[1]
        page = lines[2].split()[1]
        assert urllib.request.urlopen(f"{page}/healthz").read() == b"ok\n"
        with RemoteAgent(lines[0].split()[-1], token="correct horse") as agent:
            assert agent.info["parameters"] > 10**6
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=IN_TIME) == 0
