"""Parsers of model output: each takes any token ids and returns a typed answer or an `AnswerError`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from embodio.model.processing.image import ImageFit, boxes_with_area
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import BOX_VALUES
from embodio.model.tasks.locations.codec import LocationCodec, LocationError
from embodio.model.tasks.locations.labelled import Keypoints, read_keypoints
from embodio.model.tasks.locations.spatial import CUBOID_TOKENS, POSE_TOKENS, Cuboid, read_cuboid, read_pose
from embodio.model.tasks.results import FoundBox, FoundBoxes, FoundCuboids, ViewChange


def parse_text(codec: LocationCodec, ids: Iterable[int]) -> str:
    """Reads text up to the end of sequence, stripped of spaces; any ids are valid."""
    return codec.vocabulary.decode(np.fromiter(ids, dtype=np.int64)).strip()


def parse_values(codec: LocationCodec, ids: Iterable[int], count: int, form: str) -> list[int] | AnswerError:
    """Reads value ids: exactly `count` and nothing else; `form` says so in errors, such as "a point is two values"."""
    written = list(ids)
    parts = codec.split(written)
    if len(parts) != 1 or parts[0][1] or len(parts[0][0]) != count:
        return AnswerError(f"{form} and nothing else", parse_text(codec, written))
    return parts[0][0]


def parse_box(codec: LocationCodec, ids: Iterable[int], fit: ImageFit) -> FoundBox | AnswerError:
    """Reads one box: exactly four values and nothing else."""
    values = parse_values(codec, ids, BOX_VALUES, "a box is four values")
    return values if isinstance(values, AnswerError) else FoundBox(codec.ids_to_boxes([values], fit)[0])


def parse_boxes(
    codec: LocationCodec, ids: Iterable[int], fit: ImageFit, named: bool = True
) -> FoundBoxes | AnswerError:
    """Reads boxes.

    Args:
        codec: reads the values.
        ids: token ids; read up to the end of sequence.
        fit: placement of the image on the canvas.
        named: whether each box is four values and a name; otherwise four values each.

    Returns:
        The boxes with an area, and the skipped rest; an error if the output is not empty but has no box.
    """
    written = list(ids)
    places: list[list[int]] = []
    labels: list[str] = []
    skipped: list[str] = []
    for values, text in codec.split(written):
        good = len(values) == BOX_VALUES and text if named else values and not len(values) % BOX_VALUES and not text
        if not good:
            skipped.append(_spell(codec, values, text))
            continue
        for start in range(0, len(values), BOX_VALUES):
            places.append(values[start : start + BOX_VALUES])
            labels.append(text)
    boxes = codec.ids_to_boxes(np.array(places, dtype=np.int64).reshape(-1, BOX_VALUES), fit)
    kept = boxes_with_area(boxes).tolist()
    skipped += [_spell(codec, places[index], labels[index]) for index in range(len(places)) if index not in kept]
    if skipped and not kept:
        form = "four values and a name" if named else "four values"
        return AnswerError(f"a box is {form} and has an area", parse_text(codec, written))
    return FoundBoxes(boxes[kept], tuple(labels[index] for index in kept), tuple(skipped))


def parse_keypoints(codec: LocationCodec, ids: Iterable[int], fit: ImageFit) -> Keypoints | AnswerError:
    """Reads the keypoints of a person: two values and a body part, or `MISSING` and a body part, each at most once."""
    written = list(ids)
    try:
        return read_keypoints(codec, written, fit)
    except LocationError as error:
        return AnswerError(str(error), parse_text(codec, written))


def parse_cuboids(codec: LocationCodec, ids: Iterable[int], fit: ImageFit) -> FoundCuboids | AnswerError:
    """Reads cuboids: twelve values each; names after them are ignored.

    Returns:
        The cuboids, and the skipped rest; an error if the output is not empty but has no cuboid.
    """
    written = list(ids)
    cuboids: list[Cuboid] = []
    skipped: list[str] = []
    for values, text in codec.split(written):
        if not values or len(values) % CUBOID_TOKENS:
            skipped.append(_spell(codec, values, text))
            continue
        for start in range(0, len(values), CUBOID_TOKENS):
            own = np.array(values[start : start + CUBOID_TOKENS], dtype=np.int64)
            try:
                cuboids.append(read_cuboid(codec, own, fit))
            except LocationError:
                skipped.append(_spell(codec, own.tolist(), text))
    if skipped and not cuboids:
        return AnswerError("a 3D box is twelve values, the last six a rotation", parse_text(codec, written))
    return FoundCuboids(tuple(cuboids), tuple(skipped))


def parse_pose(codec: LocationCodec, ids: Iterable[int]) -> ViewChange | AnswerError:
    """Reads a camera pose: exactly four values, optionally in parentheses."""
    written = list(ids)
    parts = [(values, text) for values, text in codec.split(written) if values or text.strip("() ")]
    if len(parts) != 1 or len(parts[0][0]) != POSE_TOKENS or parts[0][1].strip("() "):
        return AnswerError("a camera pose is four values and nothing else", parse_text(codec, written))
    return ViewChange(read_pose(codec, np.array(parts[0][0], dtype=np.int64)))


def _spell(codec: LocationCodec, values: list[int], text: str) -> str:
    """Values and the text after them as one text."""
    return " ".join(part for part in (codec.ids_to_text(values), text) if part)
