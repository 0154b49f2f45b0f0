"""Rollouts and the doctor with a checkpoint of several robots: the environment says which of them acts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces
from rich.console import Console

from embodio.agent import Agent, Checkpoint, PolicyConfig, save_checkpoint
from embodio.agent.format.policy_config import ALL_CAMERAS
from embodio.agent.format.robot_formats import RobotFormats
from embodio.benchmarks import doctor
from embodio.benchmarks.rollouts.play import rollout
from embodio.benchmarks.rollouts.rollout import RolloutConfig
from embodio.datasets.augment.config import AugmentConfig
from embodio.envs.errors import EmbodimentMismatch
from embodio.envs.instruction_space import Instruction
from embodio.model.errors import ConfigError
from embodio.train.command_line.cli import compose
from embodio.train.config import TrainConfig
from embodio.train.main import CONFIGS, train
from embodio.train.task_config import MixtureSettings, SourceConfig
from tests.support.agent.released import RandomScenes
from tests.support.agent.robots import walker
from tests.support.agent.toy_env import ToyEnv
from tests.support.agent.two_robots import arm_and_cart, cart, cart_format, network_of
from tests.support.datasets.toy import write_random_dataset, write_toy_dataset
from tests.support.train.runs import settings

TOY = "tests.support.agent.toy_env:ToyEnv"


class CartEnv(ToyEnv):
    """An environment of the other robot; nobody gets as far as its observations."""

    def __init__(self) -> None:
        super().__init__()
        self.embodiment = cart()


CART = f"{__name__}:{CartEnv.__name__}"


class WalkerEnv(RandomScenes):
    """An environment of a robot that is told its way in words."""

    def __init__(self) -> None:
        super().__init__(walker())
        seen = {c.name: spaces.Box(0, 255, (c.height, c.width, 3), np.uint8) for c in self.embodiment.cameras}
        self.observation_space = spaces.Dict({**seen, "instruction": Instruction()})


WALKER = f"{__name__}:{WalkerEnv.__name__}"


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


def test_one_network_learns_two_robots_in_formats_of_their_own_and_plays_both(tmp_path: Path) -> None:
    arm = write_toy_dataset(tmp_path / "arm_data", episodes=3, steps=6)
    walks = write_random_dataset(tmp_path / "walker_data", walker(), (7, 6, 8))
    told = {"chunk": 1, "previous_actions": 3, "prompt": "{instruction} So far: {previous_actions}"}
    config = dataclasses.replace(
        settings(arm, tmp_path / "run", augment=AugmentConfig()),
        data="",
        sources={"arm": SourceConfig(str(arm)), "walker": SourceConfig(str(walks), weight=0.5, policy=told)},
        policy=PolicyConfig(cameras=ALL_CAMERAS, chunk=2),
        mixture=MixtureSettings(temperature=2),
    )
    assert train(config) == 0
    checkpoint = tmp_path / "run" / "checkpoint"
    formats = {name: Agent.load(checkpoint, name).format.config for name in ("arm", "walker")}
    assert (formats["arm"].chunk, formats["arm"].previous_actions, formats["arm"].cameras) == (2, 0, ("front", "hand"))
    assert {name: getattr(formats["walker"], name) for name in told} == told
    for env, name in ((TOY, "arm"), (WALKER, "walker")):
        out = tmp_path / name
        rollout_config = RolloutConfig(out, str(checkpoint), env, episodes=2, seed=3, video=0, threads=1)
        results = rollout(rollout_config, Console(quiet=True))
        assert results.agent["robot"] == name and all(row.steps for row in results.rows)
    wrong = dataclasses.replace(
        config, out=str(tmp_path / "wrong"), sources={"arm": SourceConfig(str(arm), policy={"chnk": 1})}
    )
    with pytest.raises(ConfigError, match=r"sources\.arm\.policy has no field 'chnk'; did you mean 'chunk'"):
        train(wrong)


def test_the_recipe_of_several_robots_has_a_format_for_each() -> None:
    given = [
        "experiment=robots",
        "out=runs/robots",
        "sources.door.policy.chunk=2",
        "sources.door.policy.separator=then",
    ]
    config = compose(TrainConfig, given, config_dir=CONFIGS)
    formats = {name: source.format_of(name, config.policy) for name, source in config.sources.items()}
    chunks = {"lift": 4, "door": 2, "mt10": 8, "mt10_corrected": 8}
    assert {name: form.chunk for name, form in formats.items()} == dict.fromkeys(formats, 1) | chunks
    assert formats["door"].separator == "then" and len(formats) == 13
    assert all(source.absent_instructions for source in config.sources.values())
