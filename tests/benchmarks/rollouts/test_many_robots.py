"""Rollouts and the doctor with a checkpoint of several robots: the environment says which of them acts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from embodio.agent import Agent, Checkpoint, save_checkpoint
from embodio.agent.format.robot_formats import RobotFormats
from embodio.benchmarks import doctor
from embodio.benchmarks.rollouts.play import rollout
from embodio.benchmarks.rollouts.rollout import RolloutConfig
from embodio.envs.errors import EmbodimentMismatch
from tests.support.agent.toy_env import ToyEnv
from tests.support.agent.two_robots import arm_and_cart, cart, cart_format, network_of

TOY = "tests.support.agent.toy_env:ToyEnv"


class CartEnv(ToyEnv):
    """An environment of the other robot; nobody gets as far as its observations."""

    def __init__(self) -> None:
        super().__init__()
        self.embodiment = cart()


CART = f"{__name__}:{CartEnv.__name__}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    robots = arm_and_cart(default="cart")
    return save_checkpoint(tmp_path_factory.mktemp("robots") / "both", network_of(robots), robots)


def test_a_rollout_picks_the_robot_of_the_environment(folder: Path, tmp_path: Path) -> None:
    settings = {"env": TOY, "episodes": 1, "seed": 3, "video": 0, "threads": 1}
    config = RolloutConfig(out=tmp_path / "both", agent=str(folder), **settings)  # type: ignore[arg-type]
    results = rollout(config, Console(quiet=True))
    assert results.agent["robot"] == "arm" and "robots/arm/statistics.json" in results.agent["sha256"]
    assert [row.status for row in results.rows] in (["failure"], ["timeout"], ["success"])
    assert rollout(config, Console(quiet=True)).rows == results.rows
    arm = Agent.load(folder, embodiment="arm")
    alone = save_checkpoint(tmp_path / "alone", arm.model, {"arm": arm.format})
    again = RolloutConfig(out=tmp_path / "again", agent=str(alone), **settings)  # type: ignore[arg-type]
    assert [(row.status, row.steps) for row in rollout(again, Console(quiet=True)).rows] == [
        (row.status, row.steps) for row in results.rows
    ]
    other = save_checkpoint(tmp_path / "other", arm.model, {"cart": cart_format()})
    with pytest.raises(EmbodimentMismatch, match="control_hz"):
        rollout(RolloutConfig(out=tmp_path / "none", agent=str(other), **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(("env", "name"), [(TOY, "arm"), (CART, "cart")])
def test_the_doctor_looks_at_the_robot_of_the_environment(folder: Path, env: str, name: str) -> None:
    found = {f.subject: f for f in doctor.checkpoint(doctor.DoctorConfig(agent=str(folder), env=env))}
    assert [found[subject].verdict for subject in ("checkpoint", "environment", "statistics")] == ["ok"] * 3
    assert "for the robots arm (toy), cart (toys/cart)" in found["checkpoint"].found
    assert f"is {name}, a robot of" in found["environment"].found


def test_the_doctor_names_the_nearest_robot_and_a_choice_that_is_open(folder: Path, tmp_path: Path) -> None:
    found = {f.subject: f for f in doctor.checkpoint(doctor.DoctorConfig(agent=str(folder)))}
    assert found["environment"].verdict == "wrong" and "differs from arm, a robot of" in found["environment"].found
    model = Agent.load(folder).model
    twins = save_checkpoint(tmp_path / "twins", model, {"fine": cart_format(), "coarse": cart_format(action_bins=5)})
    found = {f.subject: f for f in doctor.checkpoint(doctor.DoctorConfig(agent=str(twins), env=CART))}
    assert found["environment"].verdict == "wrong" and "robot=" in found["environment"].remedy
    named = doctor.DoctorConfig(agent=str(twins), env=CART, robot="coarse")
    found = {f.subject: f for f in doctor.checkpoint(named)}
    assert [found[subject].verdict for subject in ("checkpoint", "environment", "statistics")] == ["ok"] * 3
    assert f"{CART} is coarse, a robot of" in found["environment"].found


def test_the_doctor_says_that_a_robot_is_unknown_or_of_another_environment(folder: Path) -> None:
    for robot, subject, said in (("boat", "checkpoint", "no robot 'boat'"), ("arm", "environment", "differs from arm")):
        config = doctor.DoctorConfig(agent=str(folder), env=CART, robot=robot)
        found = {f.subject: f for f in doctor.checkpoint(config)}
        assert found[subject].verdict == "wrong" and said in found[subject].found


def test_statistics_are_those_of_the_robot_that_is_named() -> None:
    robots = arm_and_cart()
    checkpoint = Checkpoint(network_of(robots), RobotFormats(robots))
    for name, robot in robots.items():
        state = robot.statistics.field("state")
        assert len(state.min) == len(robot.embodiment.state) and np.all(np.isfinite(state.min))
        assert [f.verdict for f in doctor.statistics(checkpoint, name)] == ["ok"]
