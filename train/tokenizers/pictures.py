"""Batches of pictures for the image tokeniser: whole ones on a canvas as the network sees them, and crops of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from embodio.datasets.errors import ExampleError
from embodio.datasets.stream.numbered_batches import NumberedBatches
from embodio.datasets.stream.order import generator_at
from embodio.model.config.parts import Size
from embodio.model.network.batch import Allocate, Batch
from embodio.model.processing.image import pixels_on_canvas
from embodio.train.tokenizers.media import CorpusMedia, held_out
from embodio.train.validation import HeldOutBatches

Picture = npt.NDArray[np.uint8]
_WHOLE = 0.5
"""Share of training pictures that are fitted onto the canvas; the others are square parts of at least 0.4 a side."""
_SMALLEST = 0.4
_RECOLOURED = 0.5
"""Share of training pictures whose channels are shuffled, so that rare colours are known as well as frequent ones."""


class PictureBatches(NumberedBatches[CorpusMedia]):
    """Batches of pictures under "images", uint8 [B, H, W, 3].

    Args:
        media: pictures of the training split.
        seed: of the order and of all draws.
        batch_size: pictures in a batch.
        canvas: (height, width) in pixels.
        crop: side in pixels of the part of the canvas that is shown, [B, crop, crop, 3]; 0 for all of it.
    """

    def __init__(self, media: CorpusMedia, seed: int, batch_size: int, canvas: Size, *, crop: int = 0) -> None:
        super().__init__(media, seed, batch_size)
        self._canvas, self._crop = canvas, crop

    def make(self, step: int, allocate: Allocate = np.empty) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, and what was wrong with the pictures that were replaced in it."""
        shown, damage = self._all_whole(step, self._picture)
        out = allocate((len(shown), *shown[0].shape), np.dtype(np.uint8))
        np.stack(shown, out=out)
        return {"images": torch.from_numpy(out)}, damage

    def _picture(self, media: CorpusMedia, record: int, position: int) -> Picture:
        return drawn(media.picture(record), self._canvas, self._crop, generator_at(self._seed, position))


def drawn(picture: Picture, canvas: Size, crop: int, generator: np.random.Generator) -> Picture:
    """A training view of a picture, whole or in part, maybe mirrored and recoloured, cropped; uint8 [H, W, 3]."""
    if generator.random() < _WHOLE:
        shown = pixels_on_canvas(picture, canvas)
    else:
        side = min(picture.shape[:2])
        part = max(8, round(side * generator.uniform(_SMALLEST, 1.0)))
        part = min(part, side)
        top, left = (int(generator.integers(length - part + 1)) for length in picture.shape[:2])
        shown = pixels_on_canvas(picture[top : top + part, left : left + part], canvas)
    if generator.random() < 0.5:
        shown = shown[:, ::-1]
    if generator.random() < _RECOLOURED:
        shown = shown[..., generator.permutation(3)]
    if crop:
        top, left = (int(generator.integers(length - crop + 1)) for length in canvas)
        shown = shown[top : top + crop, left : left + crop]
    return np.ascontiguousarray(shown)


def held_out_pictures(media: CorpusMedia, canvas: Size, count: int) -> Iterator[tuple[int, Picture | ExampleError]]:
    """Numbers and pictures of `count` records spread evenly over the split, on the canvas; errors of damaged ones."""
    return held_out(media, count, lambda number: pixels_on_canvas(media.picture(number), canvas))


def held_out_batches(media: CorpusMedia, canvas: Size, batch_size: int, count: int) -> HeldOutBatches:
    """Maker of the held-out batches: `count` pictures spread evenly over the split, fitted onto the canvas."""

    def batches(on_damage: Callable[[ExampleError], None] = lambda error: None) -> Iterator[Batch]:
        pictures = held_out_pictures(media, canvas, count)
        while window := list(islice(pictures, batch_size)):
            shown: list[Picture] = []
            for _, picture in window:
                if isinstance(picture, ExampleError):
                    on_damage(picture)
                else:
                    shown.append(picture)
            if shown:
                yield {"images": torch.from_numpy(np.stack(shown))}

    return batches
