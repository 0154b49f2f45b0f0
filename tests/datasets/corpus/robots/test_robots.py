"""Pictures and videos of robots: what is said of them is what the simulator knows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.corpus.robots.performance import Performance
from embodio.datasets.corpus.robots.photographer import ROBOT, Shot
from embodio.datasets.corpus.robots.stage import STAGES
from embodio.datasets.corpus.source import CorpusRequest
from embodio.datasets.corpus.sources.demonstrations import Demonstrations
from embodio.datasets.corpus.sources.demonstrations import captions as told
from embodio.datasets.corpus.sources.robots import RobotPictures, captions
from embodio.envs.robosuite.tasks import TASKS


def shot(gripper: tuple[float, float, float] = (0, 0, 0.2), hidden: int = 0) -> Shot:
    masks = np.zeros((10, 40), np.uint8)
    masks[:, :10], masks[:, 30:] = 1, 2
    masks[masks == hidden] = 0
    return Shot(
        image=np.zeros((10, 40, 3), np.uint8),
        depth=np.ones((10, 40)),
        masks=masks,
        names=("red cube", "orange cube"),
        positions=np.array([[0, 0, 0.0], [0.3, 0, 0]]),
        columns=(0.1, 0.9),
        gripper=np.array(gripper, float),
        closed=False,
        pose=np.eye(4),
        intrinsics=np.eye(3),
    )


def test_captions_are_true() -> None:
    generator = np.random.default_rng(0)
    lines = captions(shot(), generator)
    assert "a robot arm and a red cube and an orange cube" in lines and "a robot arm with an open gripper" in lines
    assert "the gripper is above the red cube" in lines and not any("above the orange" in line for line in lines)
    assert "the red cube is to the left of the orange cube" in lines
    assert "the gripper is at the orange cube" in captions(shot((0.3, 0, 0.02)), generator)
    assert not any("orange" in line for line in captions(shot(hidden=2), generator))


def test_a_shard_shows_one_task() -> None:
    source = RobotPictures(shard_records=4)
    items = source.plan(CorpusRequest(0, limit=24)).items
    tasks = [item.data["task"] for item in items]
    assert tasks[:8] == ["Lift"] * 4 + ["Stack"] * 4 and set(tasks) == set(STAGES)
    names = [task.class_name for task in TASKS.values()]
    for stage in STAGES:  # PickPlaceCan is the stage of PickPlace with one thing on it
        assert any(name.startswith(stage) for name in names), stage


def test_phases_become_one_sentence() -> None:
    played = Performance(np.zeros((2, 8, 8, 3), np.uint8), 10.0, np.zeros(3200, np.float32), True, (), ("a", "b", "c"))
    assert "the arm a, b and c" in told(played) and "a robot arm lifts a red cube from the table" in told(played)
    items = Demonstrations().plan(CorpusRequest(0, limit=2)).items
    assert [item.key for item in items] == ["lift-000000", "lift-000001"]


@pytest.mark.sim
def test_pictures_do_not_depend_on_what_came_before() -> None:
    source = RobotPictures()
    first, second = source.plan(CorpusRequest(0, limit=2)).items
    made = source.make(first, 0)
    source.make(second, 0)
    assert source.make(first, 0) == made
    facts, masks = json.loads(made["json"]), decode_image(bytes(made["masks.png"]), 1)[..., 0]  # type: ignore[arg-type]
    assert facts["mask_values"][-1] == ROBOT and facts["labels"][-1] == "robot arm"
    colour = facts["labels"][0].split()[0]
    assert any(f"{colour} cube" in line for line in str(made["txt"]).splitlines())
    for value, (top, left, bottom, right) in zip(facts["mask_values"], facts["boxes"], strict=True):
        rows, columns = np.nonzero(masks == value)
        assert [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1] == [top, left, bottom, right]
    pose, intrinsics = np.array(facts["pose"]), np.array(facts["intrinsics"])
    point = intrinsics @ ((np.array(facts["positions"][0]) - pose[:3, 3]) @ pose[:3, :3])
    top, left, bottom, right = facts["boxes"][0]
    assert left - 3 < point[0] / point[2] < right + 3 and top - 3 < point[1] / point[2] < bottom + 3


@pytest.mark.sim
def test_a_demonstration() -> None:
    source = Demonstrations()
    item = source.plan(CorpusRequest(0, limit=1)).items[0]
    made = source.make(item, 0)
    facts = json.loads(made["json"])
    assert facts["success"] and facts["touches"][0][1] == "cube"
    assert facts["phases"][-1] == "lifts the cube" and source.make(item, 0) == made
