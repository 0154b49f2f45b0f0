"""Robots: robosuite's tasks in states on the way to something, with captions, depth, masks, boxes and poses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from embodio.datasets.corpus.encoding import depth_png, facts, jpeg, png, view_facts
from embodio.datasets.corpus.robots import require_robosuite
from embodio.datasets.corpus.robots.photographer import ROBOT, Shot
from embodio.datasets.corpus.robots.stage import STAGES, stage
from embodio.datasets.corpus.scenes.wording import article, joined
from embodio.datasets.corpus.source import CorpusItem, CorpusPlan, CorpusRequest, LeftOut, generator_of
from embodio.envs.errors import SimulatorError

_SIZE = 192  # pixels
_NEAR = 0.06  # m: nearer, the gripper is at a thing
_ABOVE = 0.09  # m, horizontally: within it, the gripper is above a thing
_FEWEST_PIXELS = 8  # of a thing that counts as seen
_APART = 0.1  # of the image's width


@dataclass(frozen=True)
class RobotPictures:
    """Pictures of an arm and things, of several tasks.

    Attributes:
        count: pictures, unless `limit` says otherwise.
    """

    count: int = 7200
    title: str = "pictures of robosuite's tasks: captions, depth, masks, boxes, poses"
    licence: str = "made by robosuite (MIT)"
    ships: bool = True
    packages: tuple[str, ...] = ("libegl1", "libgl1-mesa-dri")
    layout: Literal["webdataset", "jsonl"] = "webdataset"
    shard_records: int = 50
    version: int = 1

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Numbers the pictures, task by task in blocks; raises SourceAbsent if robosuite is not installed."""
        require_robosuite()
        names = tuple(STAGES)
        items = []
        for index in range(request.limit or self.count):  # a shard shows one task, so that one simulator starts for it
            task = names[index // self.shard_records % len(names)]
            items.append(CorpusItem(f"{task.lower()}/{index:06d}", {"task": task}))
        return CorpusPlan(items, may_crash=True)

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """One state of a task, seen by one camera."""
        generator = generator_of(seed, item.key)
        try:
            shot = stage(item.data["task"]).shot(generator, _SIZE)
        except SimulatorError as error:
            raise LeftOut("states in which the simulator failed") from error
        return {
            "jpg": jpeg(shot.image),
            "depth.png": depth_png(shot.depth),
            "masks.png": png(shot.masks),
            "txt": "\n".join(captions(shot, generator)),
            "json": facts(_places(shot) | {"task": item.data["task"], "gripper": "closed" if shot.closed else "open"}),
        }


def captions(shot: Shot, generator: np.random.Generator) -> list[str]:
    """Several descriptions, each of them true."""
    seen = [index for index in range(len(shot.names)) if (shot.masks == index + 1).sum() >= _FEWEST_PIXELS]
    listed = joined([article(shot.names[index]) for index in seen] or ["a table"])
    holder = f"{'closed' if shot.closed else 'open'} gripper"
    lines = [
        f"a robot arm and {listed}",
        f"{listed} in front of a robot arm",
        f"a robot arm with {article(holder)}",
    ]
    for index in seen:
        name, offset = shot.names[index], shot.gripper - shot.positions[index]
        if np.linalg.norm(offset) < _NEAR:
            lines += [f"the gripper is at the {name}", f"the robot reaches the {name}"]
        elif np.hypot(*offset[:2]) < _ABOVE and offset[2] > 0:
            lines += [f"the gripper is above the {name}", f"the arm hovers over the {name}"]
    pairs = [(a, b) for a in seen for b in seen if shot.columns[b] - shot.columns[a] > _APART]
    for index in generator.permutation(len(pairs))[:1]:
        a, b = pairs[int(index)]
        lines.append(f"the {shot.names[a]} is to the left of the {shot.names[b]}")
        lines.append(f"the {shot.names[b]} is to the right of the {shot.names[a]}")
    return list(dict.fromkeys(lines))


def _places(shot: Shot) -> dict[str, Any]:
    rows: dict[str, Any] = {"labels": [], "boxes": [], "mask_values": [], "positions": []}
    for value, name in [*enumerate(shot.names, 1), (ROBOT, "robot arm")]:
        seen = np.nonzero(shot.masks == value)
        if seen[0].size:
            low, high = [int(axis.min()) for axis in seen], [int(axis.max()) + 1 for axis in seen]
            position = shot.positions[value - 1] if value != ROBOT else shot.gripper
            rows["labels"].append(name)
            rows["boxes"].append([*low, *high])
            rows["mask_values"].append(value)
            rows["positions"].append([round(float(number), 4) for number in position])
    return rows | view_facts(shot.pose, shot.intrinsics)


SOURCE = RobotPictures()
