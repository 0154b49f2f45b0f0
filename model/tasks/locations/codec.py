"""LocationCodec: converts image locations, and numbers with known limits, to the 1000 value tokens and back.

A value token is a fraction of a range. Locations are fractions of the sides of the canvas that the image is fitted
onto, y before x (paper, section 3.1), so writing and reading them needs an `ImageFit`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from embodio.model.errors import ModelError
from embodio.model.processing.image import ImageFit
from embodio.model.tasks.locations.box_formats import BoxFormat, boxes_from_pixels, boxes_to_pixels
from embodio.model.tokens.vocabulary import EOS_ID, SENTINELS, VALUE_BINS, Vocabulary

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


class LocationError(ModelError, ValueError):
    """Numbers outside their range or of a wrong shape, or tokens and text that do not spell the expected values."""


@dataclass(frozen=True)
class ValueRange:
    """The range in which a quantity is written as value tokens.

    Attributes:
        name: name of the quantity, for messages.
        low: number of the first value token.
        high: number of the last value token.
    """

    name: str
    low: float
    high: float

    def to_unit(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Maps numbers to [0, 1], float64 of the same shape.

        Raises:
            LocationError: a number is outside the range or undefined.
        """
        array = np.asarray(values, dtype=np.float64)
        legal = (array >= self.low) & (array <= self.high)
        if not legal.all():
            wrong = array[~legal].reshape(-1)[0]
            raise LocationError(f"{self.name} {wrong:g} is outside [{self.low:g}, {self.high:g}]; clip or leave it out")
        return np.clip((array - self.low) / (self.high - self.low), 0, 1)

    def from_unit(self, shares: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Maps [0, 1] to numbers, float64 of the same shape."""
        return self.low + np.asarray(shares, dtype=np.float64) * (self.high - self.low)


class LocationCodec:
    """Writes locations and numbers as value tokens of a vocabulary and reads them.

    Args:
        vocabulary: vocabulary of the ids.
        rounding: "trunc", the rule of the released weights, is at most one bin too low after a round trip; "nearest"
            is within half a bin.
        denominator: bins per unit: 999 spans it; some published metrics (JAX) divide by 1000.
        box_format: format of boxes and points: "yx_pixels" as below; "yx_unit", fractions of the image's sides (JAX);
            "xy_pixels", x before y (PyTorch port). The ids are the same.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        rounding: Literal["trunc", "nearest"] = "trunc",
        denominator: Literal[999, 1000] = 999,
        box_format: BoxFormat = "yx_pixels",
    ) -> None:
        self.vocabulary, self.rounding, self.denominator = vocabulary, rounding, denominator
        self.box_format = box_format
        self._first, self._last = int(vocabulary.value_ids.min()), int(vocabulary.value_ids.max())

    # ------------------------------------------------------------------ image locations

    def boxes_to_ids(self, boxes: npt.ArrayLike, fit: ImageFit) -> Ids:
        """Writes boxes.

        Args:
            boxes: [N, 4] as (y1, x1, y2, x2) in pixels of the image; clipped to the canvas.
            fit: placement of the image on the canvas.

        Returns:
            int64 [N, 4].

        Raises:
            GeometryError: the boxes are not [N, 4].
            LocationError: a number is undefined.
        """
        pixels = boxes_to_pixels(boxes, self.box_format, fit.image)
        shares = fit.boxes_to_canvas(pixels) / _sides(fit)
        if not np.isfinite(shares).all():
            raise LocationError("boxes: a coordinate is undefined; leave such boxes out")
        return self.vocabulary.values_to_ids(np.clip(shares, 0, 1), self.rounding, self.denominator)

    def ids_to_boxes(self, ids: npt.ArrayLike, fit: ImageFit) -> Floats:
        """Reads boxes; float32 [N, 4] as (y1, x1, y2, x2) in pixels of the image, clipped to it.

        Args:
            ids: [N, 4] value ids.
            fit: placement of the image on the canvas.

        Raises:
            GeometryError: the ids are not [N, 4].
            VocabularyError: an id is not a value id.
        """
        shares = self.vocabulary.ids_to_values(ids, self.denominator)
        pixels = fit.boxes_from_canvas(shares * _sides(fit))
        return boxes_from_pixels(pixels, self.box_format, fit.image)

    def points_to_ids(self, points: npt.ArrayLike, fit: ImageFit) -> Ids:
        """Writes points [N, 2] as (y, x) in pixels of the image, clipped to the canvas; int64 [N, 2].

        Raises:
            LocationError: the points are not [N, 2], or a number is undefined.
        """
        return self.boxes_to_ids(np.tile(_columns(points, 2, "points"), 2), fit)[:, :2]

    def ids_to_points(self, ids: npt.ArrayLike, fit: ImageFit) -> Floats:
        """Reads points from value ids [N, 2]; float32 [N, 2] as (y, x) in pixels of the image, clipped to it.

        Raises:
            LocationError: the ids are not [N, 2].
            VocabularyError: an id is not a value id.
        """
        return self.ids_to_boxes(np.tile(_columns(ids, 2, "ids of points"), 2), fit)[:, :2]

    # ------------------------------------------------------------------ other numbers

    def numbers_to_ids(self, values: npt.ArrayLike, limits: ValueRange) -> Ids:
        """Writes numbers of any shape within a range; int64 of the same shape.

        Raises:
            LocationError: a number is outside the range or undefined.
        """
        return self.vocabulary.values_to_ids(limits.to_unit(values), self.rounding, self.denominator)

    def ids_to_numbers(self, ids: npt.ArrayLike, limits: ValueRange) -> npt.NDArray[np.float64]:
        """Reads numbers from value ids of any shape; float64 of the same shape.

        Raises:
            VocabularyError: an id is not a value id.
        """
        return limits.from_unit(self.vocabulary.ids_to_values(ids, self.denominator))

    # ------------------------------------------------------------------ in text

    def ids_to_text(self, ids: npt.ArrayLike) -> str:
        """Spells value ids of any shape as token names separated by spaces: "<extra_id_200> ...".

        `Vocabulary.encode(..., parse_special=True)` reads the names; each must be alone or after a space.

        Raises:
            VocabularyError: an id is not a value id.
        """
        bins = [self.vocabulary.value_bin(int(token)) for token in np.asarray(ids).reshape(-1)]
        return " ".join(f"<extra_id_{SENTINELS + value_bin}>" for value_bin in bins)

    def text_to_ids(self, text: str) -> Ids:
        """Reads a text of value token names only, int64 [N].

        Raises:
            LocationError: a word of the text is not the name of a value token.
        """
        ids = []
        for word in text.split():
            number = word.removeprefix("<extra_id_").removesuffix(">")
            plain = word == f"<extra_id_{number}>" and number.isascii() and number.isdigit()
            value_bin = int(number) - SENTINELS if plain else -1
            if not 0 <= value_bin < VALUE_BINS:
                first, last = SENTINELS, SENTINELS + VALUE_BINS - 1
                raise LocationError(f"{word!r} names no value; they are <extra_id_{first}> .. <extra_id_{last}>")
            ids.append(self.vocabulary.value_id(value_bin))
        return np.array(ids, dtype=np.int64)

    # ------------------------------------------------------------------ in model output

    def runs(self, ids: Iterable[int], length: int) -> Ids:
        """Finds runs of value ids, and splits each run into groups.

        Args:
            ids: token ids of the output; read up to the end of sequence.
            length: ids of a group, 4 for boxes. An incomplete group at the end of a run is dropped.

        Returns:
            int64 [N, length].
        """
        groups = []
        for values, _ in self.split(ids):
            groups += [values[i : i + length] for i in range(0, len(values) - length + 1, length)]
        return np.array(groups, dtype=np.int64).reshape(-1, length)

    def split(self, ids: Iterable[int]) -> list[tuple[list[int], str]]:
        """Splits the model's output into runs of value ids, each with the text after it.

        Args:
            ids: token ids; read up to the end of sequence.

        Returns:
            Pairs of the ids of a run and the text up to the next run, without spaces around it. The first run is empty
            if the sequence begins with text.
        """
        parts: list[tuple[list[int], list[int]]] = []
        for token in (int(token) for token in ids):
            if token == EOS_ID:
                break
            if self._first <= token <= self._last:
                if not parts or parts[-1][1]:
                    parts.append(([], []))
                parts[-1][0].append(token)
            elif token:  # 0 is the start id and the padding
                if not parts:
                    parts.append(([], []))
                parts[-1][1].append(token)
        return [(values, self.vocabulary.decode(rest).strip()) for values, rest in parts]


def _sides(fit: ImageFit) -> Floats:
    return np.array([*fit.canvas, *fit.canvas], dtype=np.float32)


def _columns(array: npt.ArrayLike, count: int, name: str) -> npt.NDArray[Any]:
    values = np.asarray(array)
    if values.ndim != 2 or values.shape[1] != count:
        raise LocationError(f"{name}: expected [N, {count}], found the shape {values.shape}")
    return values
