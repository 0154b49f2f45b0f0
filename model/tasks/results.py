"""What tasks answer with: one frozen value for each kind of answer, in the coordinates of the original image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.locations.labelled import Keypoints
from embodio.model.tasks.locations.spatial import CameraPose, Cuboid

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TextAnswer:
    """A text.

    Attributes:
        text: what the model wrote, without spaces around it.
        log_probability: of its tokens together, in nats.
    """

    text: str
    log_probability: float


@dataclass(frozen=True, eq=False)
class Choice:
    """The best of several given answers.

    Attributes:
        answer: the answer with the smallest loss.
        index: its place among the given ones.
        losses: float32 [K] in nats, of every given answer.
    """

    answer: str
    index: int
    losses: Floats


@dataclass(frozen=True, eq=False)
class FoundBox:
    """One region; `box` is float32 [4] as (y1, x1, y2, x2) in pixels of the image."""

    box: Floats


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """Regions in the order in which they were written.

    Attributes:
        boxes: float32 [N, 4] as (y1, x1, y2, x2) in pixels of the image.
        labels: the name of each; empty texts where names were not asked for.
        skipped: what was written besides them and is not a box, such as a box without an area.
    """

    boxes: Floats
    labels: tuple[str, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PersonPose:
    """A person: the box float32 [4] as (y1, x1, y2, x2) and the keypoints, in pixels of the image."""

    box: Floats
    keypoints: Keypoints


@dataclass(frozen=True, eq=False)
class People:
    """The people in an image; an error stands for one whose keypoints could not be read."""

    people: tuple[PersonPose | AnswerError, ...]


@dataclass(frozen=True, eq=False)
class FoundCuboids:
    """Objects in space; `skipped` is what was written besides them and is not a cuboid."""

    cuboids: tuple[Cuboid, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ViewChange:
    """How a camera moved between two images."""

    pose: CameraPose


@dataclass(frozen=True, eq=False)
class Picture:
    """A drawn image, RGB uint8 [H, W, 3]."""

    image: Pixels


@dataclass(frozen=True, eq=False)
class Mask:
    """Where an object is.

    Attributes:
        mask: bool [H, W] of the size of the image.
        image: what was drawn, uint8 [H, W, 3].
    """

    mask: npt.NDArray[np.bool_]
    image: Pixels


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Relative depth.

    Attributes:
        depth: float32 [H, W] of the size of the image, the grey that was drawn, 0 black and 1 white; what distance a
            grey stands for is a matter of the data that the weights were trained on.
        image: what was drawn, uint8 [H, W, 3].
    """

    depth: Floats
    image: Pixels


@dataclass(frozen=True, eq=False)
class Normals:
    """Surface normals.

    Attributes:
        normals: float32 [H, W, 3] of the size of the image, (x, y, z) of length 1: red, green and blue from 0 to
            1 stand for -1 to 1 of them (paper, appendix B.1).
        image: what was drawn, uint8 [H, W, 3].
    """

    normals: Floats
    image: Pixels


@dataclass(frozen=True, eq=False)
class GeneratedSound:
    """A sound.

    Attributes:
        waveform: float32 [samples], mono.
        rate: samples per second.
        log_mel: float32 [T, M], natural logarithm of the mel power that it was made of.
    """

    waveform: Floats
    rate: int
    log_mel: Floats
