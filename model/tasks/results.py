"""Answers of tasks: one frozen dataclass for each kind of answer, in coordinates of the original image."""

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
        text: the model's output, stripped of spaces.
        log_probability: sum over its tokens, in nats.
    """

    text: str
    log_probability: float


@dataclass(frozen=True, eq=False)
class Choice:
    """The best of several given answers.

    Attributes:
        answer: the answer with the smallest loss.
        index: its index among the given ones.
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
    """Regions in the order written.

    Attributes:
        boxes: float32 [N, 4] as (y1, x1, y2, x2) in pixels of the image.
        labels: the name of each; empty texts where names were not requested.
        skipped: other output, such as a box without an area.
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
    """The people in an image; an error for each one with unreadable keypoints."""

    people: tuple[PersonPose | AnswerError, ...]


@dataclass(frozen=True, eq=False)
class FoundCuboids:
    """3D objects; `skipped` is other output."""

    cuboids: tuple[Cuboid, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ViewChange:
    """The movement of a camera between two images."""

    pose: CameraPose


@dataclass(frozen=True, eq=False)
class Picture:
    """A generated image, RGB uint8 [H, W, 3]."""

    image: Pixels


@dataclass(frozen=True, eq=False)
class Mask:
    """The mask of an object.

    Attributes:
        mask: bool [H, W] of the size of the image.
        image: the generated image, uint8 [H, W, 3].
    """

    mask: npt.NDArray[np.bool_]
    image: Pixels


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Relative depth.

    Attributes:
        depth: float32 [H, W] of the size of the image, the generated grey values, 0 black and 1 white; their relation
            to distance depends on the training data of the weights.
        image: the generated image, uint8 [H, W, 3].
    """

    depth: Floats
    image: Pixels


@dataclass(frozen=True, eq=False)
class Normals:
    """Surface normals.

    Attributes:
        normals: float32 [H, W, 3] of the size of the image, (x, y, z) of length 1: red, green and blue from 0 to 1
            encode -1 to 1 (paper, appendix B.1).
        image: the generated image, uint8 [H, W, 3].
    """

    normals: Floats
    image: Pixels


@dataclass(frozen=True, eq=False)
class GeneratedSound:
    """A sound.

    Attributes:
        waveform: float32 [samples], mono.
        rate: samples per second.
        log_mel: float32 [T, M], natural logarithm of its mel power.
    """

    waveform: Floats
    rate: int
    log_mel: Floats
