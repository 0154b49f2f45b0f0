"""Episodes of robots: the picture at a step, the instruction, and the picture at the end as the image of the goal.

    {family: goal_image, format: goals, file: lift/validation, reading: {steps: [0.0, 0.5]}}

Any data set of episodes that `embodio.datasets.opening` opens; cameras are side by side, as a policy reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import AnnotationError, DatasetError
from embodio.datasets.opening import open_source
from embodio.model.tasks.base.family import Family


def read_goals(
    file: Path,
    folder: Path,
    family: Family[Any],
    *,
    cameras: Sequence[str] = (),
    steps: Sequence[float] = (0.0,),
) -> AnnotatedItems:
    """The episodes of a data set.

    Args:
        file: folder of the data set.
        folder: not used, as episodes bring their own pictures.
        family: `goal_image`.
        cameras: names, from left to right; empty for all.
        steps: places in each episode, 0 for its first step and 1 for its last one.

    Raises:
        AnnotationError: there is no such data set or camera, or a place is not from 0 to 1.
    """
    if not steps or not all(0 <= step <= 1 for step in steps):
        raise AnnotationError(f"{file}: steps: got {list(steps)}, expected places from 0 to 1")
    try:
        source = open_source(file)
        known = tuple(camera.name for camera in source.embodiment.cameras)
    except DatasetError as error:
        raise AnnotationError(f"{file}: {error}") from error
    if unknown := [name for name in cameras if name not in known]:
        raise AnnotationError(f"{file}: cameras: {', '.join(unknown)} are not among {', '.join(known)}")
    found, names = ItemList(file, folder, family), tuple(cameras) or known
    for number in range(len(source)):
        place, last = f"episode {number}", source.episode_length(number) - 1
        if last < 1:
            found.leave_out("an episode of fewer than two steps", place)
            continue
        instruction = source.episode(number).instruction
        if not instruction.strip():
            found.leave_out("an episode without an instruction", place)
            continue
        for step in dict.fromkeys(round(share * (last - 1)) for share in steps):
            shown = {"image": partial(_picture, source, number, step, names), "instruction": instruction}
            goal = partial(_picture, source, number, last, names)
            found.add(f"{number}/{step}", number, {**shown, "drawn": goal}, place)
    return found.done()


def _picture(source: EpisodeSource, number: int, step: int, cameras: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The cameras side by side at a step, uint8 [H, W, 3]."""
    episode = source.episode(number)
    return np.concatenate([episode.frame(name, step) for name in cameras], axis=1)


READ = read_goals
FAMILIES = ("goal_image",)
