"""Box properties: sizes, corners and other formats of boxes, of objects of a name or of one or two descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.tasks.base.boxes_family import PLACES_TOKENS
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.locations.box_properties import BOX_PROPERTIES, PAIR_PROPERTIES, BoxProperty
from embodio.model.tasks.locations.places import SPILL
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured(Annotation):
    """Objects of an image, and a property of their boxes.

    Attributes:
        property: a key of `BOX_PROPERTIES`, or of `PAIR_PROPERTIES` for two expressions.
        name: name of the objects; "" if expressions are given.
        expressions: one description, or two of a pair.
        values: float32 [N, K], the property in pixels of the image, square pixels for areas; a row for each object, one
            for expressions. None in a request.
    """

    property: str
    name: str = ""
    expressions: tuple[str, ...] = ()
    values: npt.NDArray[np.float32] | None = None


class MeasureBoxes(Family[Measured]):
    """Box properties and formats (paper, appendix D.11): image, what, and property in; value tokens out.

    Places are shares of the canvas's sides as in boxes, lengths of the same side, areas of its area.
    """

    name = "box_properties"
    annotation = Measured
    groups = groups_of(
        objects={"name": "cup", "property": "width"},
        described={"expression": "the cup on the left", "property": "centre as y and x"},
        pair={"first": "the cup", "second": "the dog", "property": "smallest box that contains both"},
    )
    answer = ("values",)
    may_be_empty = ("values",)
    tokens = PLACES_TOKENS
    metrics = ("value_error",)

    def group(self, annotation: Measured) -> str:
        """`objects` of a name, one that is `described`, or a `pair`."""
        return ("objects", "described", "pair")[min(len(annotation.expressions), 2)]

    def slots(self, annotation: Measured, codec: TaskCodec) -> Mapping[str, Filling]:
        """What, and the property."""
        words = property_of(annotation).words
        if not annotation.expressions:
            return {"name": annotation.name, "property": words}
        if len(annotation.expressions) == 1:
            return {"expression": annotation.expressions[0], "property": words}
        return {"first": annotation.expressions[0], "second": annotation.expressions[1], "property": words}

    def target(self, annotation: Measured, codec: TaskCodec) -> list[int] | None:
        """The values of all objects; raises TaskError if their number is wrong, LocationError if one is undefined."""
        if annotation.values is None:
            return None
        own, values = property_of(annotation), np.asarray(annotation.values, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(own.quantities) or (annotation.expressions and len(values) != 1):
            raise TaskError(
                f"values: the shape is {values.shape}, expected [N, {len(own.quantities)}], N = 1 for texts"
            )
        shares = own.to_canvas(values, codec.fit(annotation.media.image))
        if not np.isfinite(shares).all():
            raise TaskError("values: a number is undefined; leave such objects out")
        size = np.asarray(annotation.media.image).shape
        spill = (1 + 2 * SPILL / min(size[:2])) ** 2 - 1  # of an area, by which a box may stick out on both sides
        if (np.abs(own.shares(values, (size[0], size[1])) - 0.5) > 0.5 + spill).any():
            raise TaskError(f"values: {values.tolist()} are of a box outside its image; leave such objects out")
        ids = codec.vocabulary.values_to_ids(np.clip(shares, 0, 1), codec.locations.rounding)
        return [int(one) for one in ids.reshape(-1)]

    def read(self, written: Output, asked: Measured, codec: TaskCodec) -> Measured | AnswerError:
        """The values in pixels of the image."""
        ids, own = token_ids(written), property_of(asked)
        parts = codec.locations.split(ids) or [([], "")]
        values, text = parts[0]
        count = len(own.quantities)
        if len(parts) != 1 or text or len(values) % count or (asked.expressions and len(values) != count):
            return AnswerError(f"an answer is {count} values for each object", parse_text(codec.locations, ids))
        shares = codec.vocabulary.ids_to_values(np.array(values, dtype=np.int64)).reshape(-1, count)
        found = own.from_canvas(shares, codec.fit(asked.media.image))
        return with_answer(asked, values=found.astype(np.float32))


def property_of(annotation: Measured) -> BoxProperty:
    """The property of an annotation; raises TaskError if there is not one of that name."""
    if len(annotation.expressions) > 2 or bool(annotation.expressions) == bool(annotation.name):
        raise TaskError("expressions: give a name, or one or two expressions")
    known = PAIR_PROPERTIES if len(annotation.expressions) == 2 else BOX_PROPERTIES
    if annotation.property not in known:
        raise TaskError(f"property: got {annotation.property!r}, expected one of {', '.join(known)}")
    return known[annotation.property]


FAMILY = MeasureBoxes()
