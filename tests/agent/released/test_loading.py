"""Released weights as agents: which robots there are, what must be in the folder, and what else is refused."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from embodio.agent import Agent, CheckpointError, ObservationError, save_checkpoint
from embodio.agent.released.loading import released_checkpoint
from embodio.agent.released.robots import released_robot
from embodio.envs.embodiment import Camera, Embodiment
from embodio.envs.errors import EmbodimentMismatch
from embodio.model.tokens.statistics import DatasetStatistics, FieldStatistics
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.policies import make_embodiment
from tests.support.agent.released import RandomScenes, write_released
from tests.support.agent.two_robots import arm_and_cart, cart, network_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released(tmp_path_factory.mktemp("released") / "uio2")


@pytest.fixture(autouse=True)
def assumptions_are_known() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "robot .*: not published")
        yield


def seen(embodiment: Embodiment) -> dict[str, object]:
    return RandomScenes(embodiment).reset(seed=1)[0]


def test_a_folder_without_a_robot_says_how_to_name_one(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"network without a robot; for released weights .* robot='vima'"):
        Agent.load(folder)
    with pytest.raises(CheckpointError, match=r"not among the checkpoints that ship.*say which robot"):
        Agent.load("allenai/uio2-large")


def test_an_unknown_robot_is_refused_with_those_there_are(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'vina' is unknown; did you mean 'vima'\? .*pointnav, vima"):
        Agent.load(folder, robot="vina")
    with pytest.raises(CheckpointError, match="got 'vima' and 'bridge'; name the robot once"):
        Agent.load(folder, "bridge", robot="vima")


def test_llamas_tokeniser_must_be_there_and_fit(folder: Path, tmp_path: Path) -> None:
    bare = write_released(tmp_path / "bare")
    (bare / "tokenizer.model").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.model is missing; .* LLaMA's tokeniser \(32000"):
        Agent.load(bare, robot="vima")
    other = write_released(tmp_path / "other", rows=Vocabulary.default().padded_size + 128)
    with pytest.raises(CheckpointError, match=r"has 1920 ids, its tokeniser needs 1792"):
        Agent.load(other, robot="vima")
    with pytest.raises(CheckpointError, match=r"config\.json is missing; give the folder with the weights"):
        Agent.load(tmp_path, robot="vima")


def test_a_name_is_looked_up_in_the_local_cache_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"not in the local cache .*`hf download allenai/uio2-large`"):
        Agent.load("allenai/uio2-large", robot="bridge")
    repository = tmp_path / "models--allenai--uio2-large"
    (repository / "refs").mkdir(parents=True)
    (repository / "snapshots").mkdir()
    (repository / "refs" / "main").write_text("5e1f\n")
    (repository / "snapshots" / "5e1f").symlink_to(folder)
    agent = Agent.load("allenai/uio2-large", robot="bridge")
    assert agent.robot == "bridge" and agent.info["folder"].endswith("5e1f")
    assert list(agent.info["sha256"]) == ["model.safetensors"]


def test_what_is_assumed_is_said_until_statistics_are_given(folder: Path) -> None:
    with pytest.warns(UserWarning, match="robot bridge: not published, and therefore assumed: the ranges"):
        released_checkpoint(folder, "bridge")
    names = tuple(d.name for d in released_robot("bridge").embodiment.action.dimensions)
    low, high, middle = (-0.02,) * 6 + (0.0,), (0.04,) * 6 + (1.0,), (0.01,) * 6 + (0.5,)
    field = FieldStatistics(names, low, high, middle, (0.01,) * 7, low, high, 9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Agent.load(folder, robot="vima")
        mine = released_checkpoint(folder, "bridge", statistics=DatasetStatistics({"action": field}, "mine"))
    zero = mine.format.actions(mine.format.write([[-0.02] * 6 + [1.0]]))
    np.testing.assert_allclose(zero, [[-0.02] * 6 + [1.0]], atol=1e-7)


def test_environments_of_the_robot_may_have_other_cameras_and_limits(folder: Path) -> None:
    own = released_robot("bridge").embodiment
    tighter = tuple(dataclasses.replace(d, low=d.low / 2, kind="continuous") for d in own.action.dimensions)
    action = dataclasses.replace(own.action, dimensions=tighter, frame="arm")
    mine = dataclasses.replace(
        own, name="lab/widowx", action=action, cameras=(Camera("wrist", 96, 96), Camera("image", 480, 640))
    )
    agent = Agent.load(folder, mine, robot="bridge")
    assert agent.embodiment is mine and agent.observation_keys == ["image"]
    agent.reset("lift the cube")
    assert (agent.act(seen(mine)) >= [d.low for d in tighter]).all()
    agent.check_embodiment(mine)
    with pytest.raises(ObservationError, match=r"\['image'\] missing"):
        agent.act({"wrist": np.zeros((96, 96, 3), np.uint8)})
    unclear = dataclasses.replace(mine, cameras=(Camera("left", 96, 96), Camera("right", 96, 96)))
    with pytest.raises(
        EmbodimentMismatch, match=r"expected one of image_0, image, rgb, front, but lab/widowx has left"
    ):
        Agent.load(folder, unclear, robot="bridge")
    chosen = Agent(released_checkpoint(folder, "bridge", unclear, cameras=("right",)))
    assert chosen.observation_keys == ["right"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda robot: make_embodiment(), r"action\.dimensions\.order: expected .*pitch"),
        (lambda robot: dataclasses.replace(robot, control_hz=20.0), "control_hz: expected 5.0, found 20"),
        (
            lambda robot: dataclasses.replace(robot, action=dataclasses.replace(robot.action, mode="absolute")),
            "action.mode: expected 'delta', found 'absolute'",
        ),
    ],
)
def test_another_robot_is_refused_with_the_fields_that_differ(folder: Path, change: object, match: str) -> None:
    other = change(released_robot("bridge").embodiment)  # type: ignore[operator]
    with pytest.raises(EmbodimentMismatch, match=rf"(?s){match}.*embodio-train init="):
        Agent.load(folder, other, robot="bridge")


def test_a_checkpoint_of_ones_own_is_asked_for_its_robots(tmp_path: Path) -> None:
    robots = arm_and_cart()
    mine = save_checkpoint(tmp_path / "both", network_of(robots), robots)
    assert Agent.load(mine, robot="cart").robot == Agent.load(mine, cart(), robot="cart").robot == "cart"
    with pytest.raises(EmbodimentMismatch, match="cameras"):
        Agent.load(mine, make_embodiment(), robot="cart")
    with pytest.raises(EmbodimentMismatch, match="there is no robot 'vima', only arm"):
        Agent.load(mine, robot="vima")
