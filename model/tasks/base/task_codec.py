"""TaskCodec: the vocabulary and geometry with which families write and read text, locations and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from embodio.model.config.model import ModelConfig
from embodio.model.example import Image
from embodio.model.processing.image import ImageFit
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.locations.codec import LocationCodec
from embodio.model.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class TaskCodec:
    """The vocabulary and the geometry of one network.

    Attributes:
        vocabulary: vocabulary of the ids.
        canvas: (height, width) in pixels of the network's main image, to which locations refer.
        text_length: largest number of tokens of a text answer, including the end.
    """

    vocabulary: Vocabulary
    canvas: tuple[int, int]
    text_length: int

    @classmethod
    def of(cls, config: ModelConfig, vocabulary: Vocabulary) -> TaskCodec:
        """The codec of a network."""
        return cls(vocabulary, config.image_size, config.lengths.decoder_text)

    @cached_property
    def locations(self) -> LocationCodec:
        """The codec of locations and numbers as value tokens."""
        return LocationCodec(self.vocabulary)

    def box_ids(self, box: npt.ArrayLike, image: Image | None) -> list[int]:
        """A box (y1, x1, y2, x2) in pixels of an image as four value ids.

        Raises:
            TaskError: the image is not RGB, or the box is not four finite numbers.
        """
        place = np.asarray(box, dtype=np.float64)
        if place.shape != (4,) or not np.isfinite(place).all():
            raise TaskError(f"box: expected four numbers y1, x1, y2, x2 in pixels, found {box!r}")
        ids: list[int] = self.locations.boxes_to_ids(place[None], self.fit(image))[0].tolist()
        return ids

    def point_ids(self, point: npt.ArrayLike, image: Image | None) -> list[int]:
        """A point (y, x) in pixels of an image as two value ids; raises TaskError if the image is not RGB."""
        ids: list[int] = self.locations.points_to_ids(np.asarray(point)[None], self.fit(image))[0].tolist()
        return ids

    def fit(self, image: Image | None, name: str = "image") -> ImageFit:
        """The placement of an image [H, W, 3] on the canvas; raises TaskError if it is not an RGB image."""
        if not isinstance(image, np.ndarray) or image.ndim != 3:
            found = f"shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise TaskError(f"{name}: expected an RGB array [height, width, 3], found {found}")
        return ImageFit.of((int(image.shape[0]), int(image.shape[1])), self.canvas)
