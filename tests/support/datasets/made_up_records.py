"""Made-up records of every kind, and a network that reads and writes all modalities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.records.record import Media, Record, Trajectory, View
from tests.support.model.small import CONFIG, VOCABULARY

CONTEXT = ObjectiveContext(CONFIG, VOCABULARY)
WORDS = ("forward", "left", "right", "stop")


def picture(rng: np.random.Generator, size: tuple[int, int] = (40, 60)) -> npt.NDArray[np.uint8]:
    """Noise, so that every pixel tells where it is from."""
    return rng.integers(0, 256, (*size, 3)).astype(np.uint8)


def captioned(seed: int, caption: str = "a red cup on a table", size: tuple[int, int] = (40, 60)) -> Record:
    """An image with a caption."""
    rng = np.random.default_rng(seed)
    return Record(key=f"picture {seed}", image=Media.of(picture(rng, size)), captions=(f"{caption} {seed}",))


def with_partners(records: Sequence[Record]) -> ObjectiveContext:
    """A context that draws from some records."""
    return ObjectiveContext(CONFIG, VOCABULARY, lambda generator: records[int(generator.integers(len(records)))])


def camera(polar: float, azimuth: float, distance: float, centre: Sequence[float] = (0.1, 0.2, 0.3)) -> View:
    """A view from a place around a point, towards the point, z up; camera to world in OpenCV axes."""
    rng = np.random.default_rng([int(1000 * (number + 4)) for number in (polar, azimuth, distance)])
    away = np.array([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)])
    right = np.cross(-away, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(-away, right), -away], axis=1)
    pose[:3, 3] = np.asarray(centre) + distance * away
    return View(image=Media.of(picture(rng)), pose=pose)


def trajectory(steps: int, *, words: bool = False, limits: bool = True, instruction: str = "find the cup") -> Record:
    """Steps whose images, states and actions all tell their number."""
    images = [Media.of(np.full((20, 30, 3), step, dtype=np.uint8)) for step in range(steps)]
    numbers = np.arange(steps, dtype=np.float32)[:, None]
    return Record(
        key="walk",
        trajectory=Trajectory(
            instruction=instruction,
            images=images,
            states=np.repeat(numbers, 3, axis=1) / 100,
            actions=tuple(WORDS[step % 4] for step in range(steps)) if words else np.repeat(numbers, 2, axis=1) / 50,
            state_limits=np.array([[0.0] * 3, [1.0] * 3]) if limits else None,
            action_limits=np.array([[-1.0] * 2, [1.0] * 2]),
        ),
    )
