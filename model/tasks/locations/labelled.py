"""Labelled boxes and keypoints as prompts: converts locations to value tokens and names to text, and back."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.processing.image import ImageFit
from embodio.model.tasks.locations.codec import LocationCodec, LocationError

Floats = npt.NDArray[np.float32]

BODY_PARTS = (
    "nose",
    "left eye",
    "right eye",
    "left ear",
    "right ear",
    "left shoulder",
    "right shoulder",
    "left elbow",
    "right elbow",
    "left wrist",
    "right wrist",
    "left hip",
    "right hip",
    "left knee",
    "right knee",
    "left ankle",
    "right ankle",
)
"""The 17 keypoints of a person in COCO order."""

MISSING = "MISSING"
"""The word in place of the location of a keypoint that is not visible (paper, appendix D.5)."""


@dataclass(frozen=True, eq=False)
class LabelledBoxes:
    """Boxes with names.

    Attributes:
        boxes: float32 [N, 4] as (y1, x1, y2, x2) in pixels of the image.
        labels: the name of each.
    """

    boxes: Floats
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The keypoints of a person, in the order of `BODY_PARTS`.

    Attributes:
        points: float32 [17, 2] as (y, x) in pixels of the image; (0, 0) where not visible.
        visible: bool [17].
    """

    points: Floats
    visible: npt.NDArray[np.bool_]

    def filled(self) -> Floats:
        """The points, with invisible ones replaced by the mean of the visible ones, float32 [17, 2].

        Raises:
            LocationError: none is visible.
        """
        if not self.visible.any():
            raise LocationError("keypoints: none is visible, so there is no mean to replace the others")
        return np.where(self.visible[:, None], self.points, self.points[self.visible].mean(axis=0))


def write_boxes(codec: LocationCodec, found: LabelledBoxes, fit: ImageFit) -> list[int | str]:
    """Writes labelled boxes as a prompt: four value ids, y1 x1 y2 x2, and the name of each.

    Raises:
        LocationError: the numbers of labels and boxes differ, a label is empty, or a number is undefined.
        GeometryError: the boxes are not [N, 4].
    """
    if len(found.labels) != len(found.boxes) or not all(label.strip() for label in found.labels):
        raise LocationError(f"labels: {len(found.boxes)} boxes need as many names, none of them empty")
    prompt: list[int | str] = []
    for ids, label in zip(codec.boxes_to_ids(found.boxes, fit).tolist(), found.labels, strict=True):
        prompt += [*ids, label]
    return prompt


def read_boxes(codec: LocationCodec, ids: Iterable[int], fit: ImageFit, strict: bool = True) -> LabelledBoxes:
    """Reads labelled boxes from the model's output.

    Args:
        codec: reads the value ids.
        ids: token ids; read up to the end of sequence.
        fit: placement of the image on the canvas.
        strict: whether anything but four value ids and a name, repeated, is an error; otherwise it is skipped.

    Raises:
        LocationError: the output has another format (`strict`).
    """
    places, labels = [], []
    for values, label in codec.split(ids):
        if len(values) == 4 and label:
            places.append(values)
            labels.append(label)
        elif strict:
            raise LocationError(f"expected four values and a name, found {len(values)} values and {label!r}")
    return LabelledBoxes(codec.ids_to_boxes(np.array(places, dtype=np.int64).reshape(-1, 4), fit), tuple(labels))


def write_keypoints(codec: LocationCodec, person: Keypoints, fit: ImageFit) -> list[int | str]:
    """Writes keypoints as a prompt: two value ids, y x, and the name of each; `MISSING` for those not visible.

    Raises:
        LocationError: there are not 17 points, or a number is undefined.
    """
    if person.points.shape != (len(BODY_PARTS), 2) or person.visible.shape != (len(BODY_PARTS),):
        raise LocationError(
            f"keypoints: expected [17, 2] and [17], found {person.points.shape}, {person.visible.shape}"
        )
    prompt: list[int | str] = []
    ids = codec.points_to_ids(np.where(person.visible[:, None], person.points, 0), fit).tolist()
    for place, visible, name in zip(ids, person.visible, BODY_PARTS, strict=True):
        prompt += [*place, name] if visible else [f"{MISSING} {name}"]
    return prompt


def read_keypoints(codec: LocationCodec, ids: Iterable[int], fit: ImageFit, strict: bool = True) -> Keypoints:
    """Reads the keypoints of a person from the model's output.

    Args:
        codec: reads the value ids.
        ids: token ids; read up to the end of sequence.
        fit: placement of the image on the canvas.
        strict: whether anything but two value ids and a name, or `MISSING` and a name, each name at most once, is an
            error; otherwise it is skipped. Parts that are not named are not visible.

    Raises:
        LocationError: the output has another format (`strict`).
    """
    places: dict[str, list[int] | None] = {}
    for values, text in codec.split(ids):
        named, *missing = [name.strip().lower() for name in text.split(MISSING)]
        found = [(named, values)] if values or named else []
        for name, place in [*found, *((name, None) for name in missing)]:
            good = name in BODY_PARTS and name not in places and (place is None or len(place) == 2)
            if good:
                places[name] = place
            elif strict:
                count = "no" if place is None else len(place)
                raise LocationError(f"expected two values and a body part not named yet, found {count} and {name!r}")
    visible = np.array([places.get(name) is not None for name in BODY_PARTS])
    points = np.zeros((len(BODY_PARTS), 2), dtype=np.float32)
    if visible.any():
        points[visible] = codec.ids_to_points([place for name in BODY_PARTS if (place := places.get(name))], fit)
    return Keypoints(points, visible)
