"""Many robots at once: no error, no mixed-up state, memory flat, and all of them faster together than in turn."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from embodio.agent import Agent, AgentOptions, Checkpoint
from embodio.agent.client import RemoteAgent
from embodio.agent.format.observation import blank_observation
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings

CLIENTS, STEPS = 50, 8
SECONDS = float(os.environ.get("EMBODIO_SOAK_SECONDS", "60"))
SAMPLED = AgentOptions(temperature=1.0)
SERVER = """
from embodio.agent import Agent, AgentOptions
from embodio.agent.serving.background import serve_until_signal
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.settings import ServerSettings
import torch
torch.set_num_threads(1)
agent = Agent.load("lift-nano", options=AgentOptions(temperature=1.0))
agent.warmup()
serve_until_signal(AgentPolicy(agent), ServerSettings(port=0), lambda url: print(url, flush=True), lambda: None)
"""


def observations(agent: Agent, client: int) -> list[dict[str, np.ndarray]]:
    """What one client sees in an episode."""
    random = np.random.default_rng(client)
    spec, seen = agent.format.spec, []
    for _ in range(STEPS):
        moment = blank_observation(spec)
        for camera in spec.cameras:
            moment[camera.name] = random.integers(0, 256, moment[camera.name].shape, dtype=np.uint8)
        seen.append(moment)
    return seen


def episode(
    agent: Agent | RemoteAgent, client: int, seen: Sequence[dict[str, np.ndarray]]
) -> tuple[bytes, list[float]]:
    """The actions of an episode, and how long each took."""
    agent.reset(instruction=f"lift cube {client}", seed=client)
    actions, times = [], []
    for moment in seen:
        begin = time.monotonic()
        actions.append(agent.act(moment).tobytes())
        times.append(time.monotonic() - begin)
    return b"".join(actions), times


def resident(process: int | str) -> float:
    """Megabytes of memory that a process uses."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def test_each_client_acts_as_at_home(checkpoint: Checkpoint) -> None:
    local = Agent(checkpoint, options=SAMPLED)
    seen = [observations(local, client)[:4] for client in range(12)]
    expected = [episode(local, client, seen[client])[0] for client in range(12)]
    assert len(set(expected)) == 12
    with serving(AgentPolicy(Agent(checkpoint, options=SAMPLED)), ServerSettings(port=0)) as url:

        def play(client: int) -> None:
            with RemoteAgent(url) as agent:
                for _ in range(2):
                    assert episode(agent, client, seen[client])[0] == expected[client]

        with ThreadPoolExecutor(12) as pool:
            list(pool.map(play, range(12)))


@pytest.mark.slow
def test_fifty_clients(capsys: pytest.CaptureFixture[str]) -> None:
    local = Agent.load("lift-nano", options=SAMPLED)
    seen = [observations(local, client) for client in range(CLIENTS)]
    expected = [episode(local, client, seen[client])[0] for client in range(CLIENTS)]
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        end = time.monotonic() + SECONDS

        def play(client: int) -> list[float]:
            times = []
            with RemoteAgent(url) as agent:
                while time.monotonic() < end:
                    actions, took = episode(agent, client, seen[client])
                    assert actions == expected[client]
                    times += took
            return times

        curve = []
        with ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(play, client) for client in range(CLIENTS)]
            while time.monotonic() < end:
                time.sleep(SECONDS / 12)
                curve.append(round(resident(process.pid), 1))
            times = [future.result() for future in running]
        process.terminate()
        assert process.wait(timeout=120) == 0
    everything = 1000 * np.concatenate(times)
    p50, p99 = np.percentile(everything, [50, 99])
    with capsys.disabled():
        print(f"\n{len(everything)} steps, p50 {p50:.0f} ms, p99 {p99:.0f} ms, resident MB {curve}")
    assert min(map(len, times)) >= STEPS
    assert curve[-1] - curve[len(curve) // 2] < 20
