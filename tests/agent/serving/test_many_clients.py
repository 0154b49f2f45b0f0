"""Fifty robots at once for a minute: no error, no mixed-up state, memory flat."""

from __future__ import annotations

import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from embodio.agent.client import RemoteAgent
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from tests.agent.serving.stub import StubPolicy
from tests.agent.serving.test_serving import SEEN

SECONDS = float(os.environ.get("EMBODIO_SOAK_SECONDS", "60"))


def resident() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.slow
def test_fifty_clients() -> None:
    begin, middle = time.monotonic(), []

    def play(url: str, number: int) -> int:
        steps = 0
        with RemoteAgent(url) as agent:
            agent.reset(str(number))
            while time.monotonic() - begin < SECONDS:
                assert agent.act(SEEN).tolist() == [number, steps]
                steps += 1
                if number == 0 and not middle and time.monotonic() - begin > SECONDS / 2:
                    middle.append(resident())
        return steps

    with serving(StubPolicy(), ServerSettings(port=0)) as url, ThreadPoolExecutor(50) as pool:
        steps = list(pool.map(lambda number: play(url, number), range(50)))
        end = resident()
    assert min(steps) > 10
    assert end - middle[0] < 20_000_000
