"""What GRIT asks of whole images: the masks of all things of a name, and the keypoints of all people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.tasks.base.family import Annotation
from embodio.model.tasks.locations.labelled import Keypoints


@dataclass(frozen=True, eq=False, kw_only=True)
class Instances(Annotation):
    """A name, and the mask of each thing of that name.

    Attributes:
        name: name of the things.
        stuff: whether it is not countable, such as grass.
        masks: of each thing, bool [H, W] of the size of the image; None in a request.
    """

    name: str
    stuff: bool = False
    masks: tuple[npt.NDArray[np.bool_], ...] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class PeoplePoses(Annotation):
    """The keypoints of all people in an image.

    Attributes:
        people: of each person; None in a request.
    """

    people: tuple[Keypoints, ...] | None = None
