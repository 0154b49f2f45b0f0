"""A server of one of the robots of a checkpoint: chosen by name, and refused to the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.agent import Agent, CheckpointError, save_checkpoint
from embodio.agent.client import RemoteAgent
from embodio.agent.serving import background
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from embodio.envs.errors import EmbodimentMismatch
from embodio.train.commands import serve
from tests.support.agent.robots import observation_of
from tests.support.agent.two_robots import arm_and_cart, cart, network_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    robots = arm_and_cart()
    return save_checkpoint(tmp_path_factory.mktemp("robots") / "both", network_of(robots), robots)


def test_a_client_gets_the_robot_that_is_served_or_none(folder: Path) -> None:
    at_home = Agent.load(folder, embodiment="cart")
    at_home.reset("go")
    with serving(AgentPolicy(Agent.load(folder, embodiment="cart")), ServerSettings(port=0)) as url:
        for wanted in ("cart", "toys/cart", cart(), cart().to_dict(), None):
            with RemoteAgent(url, embodiment=wanted) as remote:
                assert remote.info["robot"] == "cart" and remote.embodiment == cart()
        with RemoteAgent(url, embodiment="cart") as remote:
            remote.reset("go")
            for step in range(3):
                seen = observation_of(at_home.format, step)
                np.testing.assert_array_equal(remote.act(seen), at_home.act(seen))
        with pytest.raises(EmbodimentMismatch, match=r"serves cart or toys/cart, not 'arm'; .* with robot=arm"):
            RemoteAgent(url, embodiment="arm")
        with pytest.raises(EmbodimentMismatch, match="control_hz"):
            RemoteAgent(url, embodiment=Agent.load(folder, embodiment="arm").embodiment)


def test_the_command_serves_the_robot_of_that_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr(background, "serve_until_signal", lambda policy, *_, **__: served.append(policy))
    for name, robot in (("arm", "arm"), ("toys/cart", "cart")):
        assert serve.main([f"agent={folder}", f"robot={name}", "port=0"]) == 0
        assert served.pop().info["robot"] == robot
    with pytest.raises(CheckpointError, match=r"several robots: arm \(toy\), cart"):
        serve.serve(serve.ServeConfig(agent=str(folder)))
    assert serve.main([f"agent={folder}", "robot=../cart"]) == 1 and not served
