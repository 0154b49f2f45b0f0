"""The codes of a target that lie in parts of the input which the encoder does not see (paper, section 3.3).

A code covers a rectangle of the target, a patch one of the input, and the two grids need not fit: the targets of the
released models have 32 x 32 codes of 8 pixels, the inputs 24 x 24 patches of 16 pixels. A code counts as hidden where
any part of it does, so that no code that the decoder may read stands for a part of a hidden patch. (What a tokeniser's
receptive field carries over from neighbours is in its codes all the same.)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from embodio.model.config.parts import Size
from embodio.model.processing.image import ImageFit

Bools = npt.NDArray[np.bool_]

_SLACK = 0.5
"""Pixels or cells of the input that a code may share with a patch without counting as part of it; resizing blurs
further than this."""


def seen_patches(
    features: Mapping[str, npt.NDArray[np.generic]], modality: str, grid: Size, slot: int | None = None
) -> Bools:
    """The patches of an input, or of one slot of a history, that the encoder is given, bool [rows, columns]."""
    seen = np.zeros(grid, dtype=np.bool_)
    mask, positions = (features[f"inputs/{modality}/{name}"] for name in ("mask", "pos_ids"))
    if slot is not None:
        mask, positions = mask[slot], positions[slot]
    seen.reshape(-1)[positions[mask != 0]] = True
    return seen


def hidden_image_codes(seen: Bools, source: ImageFit, target: ImageFit, patch: int, code: int) -> Bools:
    """The hidden codes of an image target.

    Args:
        seen: bool [rows, columns], the patches of the input that the encoder is given.
        source: the placement of the image on the canvas of the input.
        target: the placement of the same image, in any resolution, on the canvas of the target.
        patch: side of a patch in pixels of the input.
        code: side in pixels of the target of the square that one code stands for.

    Returns:
        bool [N], codes in row-major order; False for those without a pixel of the image.
    """
    covers = []
    for axis, (old, new) in enumerate(zip((source.top, source.left), (target.top, target.left), strict=True)):
        edges = np.clip(np.arange(target.canvas[axis] // code + 1) * code - new, 0, target.content[axis])
        edges = edges * (source.content[axis] / target.content[axis]) + old  # now in pixels of the input
        covers.append(_covered(edges, seen.shape[axis], patch))
    return _hidden(seen, covers[0], covers[1])


def hidden_sound_codes(seen: Bools, sizes: tuple[Size, Size], patch: int, code: Size) -> Bools:
    """The hidden codes of a sound target.

    Args:
        seen: bool [rows, columns] over time and mel bands, the patches of the input that the encoder is given.
        sizes: (time, mel) cells of input and target; frames are the same length in both, bands cover the same range.
        patch: side of a patch in cells of the input.
        code: (time, mel) cells of the target that one code stands for.

    Returns:
        bool [N], codes in (time, mel) order.
    """
    covers = []
    for axis, scale in enumerate((1.0, sizes[0][1] / sizes[1][1])):
        edges = np.arange(sizes[1][axis] // code[axis] + 1) * (code[axis] * scale)
        covers.append(_covered(edges, seen.shape[axis], patch))
    return _hidden(seen, covers[0], covers[1])


def _covered(edges: npt.NDArray[np.float64], patches: int, patch: int) -> npt.NDArray[np.float32]:
    """Which patches along one axis each code shares pixels with, 1 or 0: float32 [codes, patches].

    Args:
        edges: ascending, where codes begin and end, in pixels of the input; one more than there are codes.
        patches: how many patches there are.
        patch: side of one in pixels.
    """
    begin = np.arange(patches) * patch
    shared = np.minimum(edges[1:, None], begin + patch) - np.maximum(edges[:-1, None], begin)
    return (shared > _SLACK).astype(np.float32)


def _hidden(seen: Bools, rows: npt.NDArray[np.float32], columns: npt.NDArray[np.float32]) -> Bools:
    return ((rows @ (~seen).astype(np.float32) @ columns.T) > 0).reshape(-1)
