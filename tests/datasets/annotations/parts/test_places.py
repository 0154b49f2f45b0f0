"""Polygons and run lengths are the masks of COCO's own library, to the pixel; boxes go from x, y to y, x."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.annotations.parts.places import (
    box_of_corner,
    box_of_outline,
    mask_of,
    read_counts,
)
from embodio.model.tasks.locations.places import fault_of_box

mask = pytest.importorskip("pycocotools.mask")

SIDES = st.integers(1, 40)
POINTS = st.lists(
    st.tuples(st.floats(-8, 48, allow_nan=False, width=32), st.floats(-8, 48, allow_nan=False, width=32)),
    min_size=3,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(height=SIDES, width=SIDES, outlines=st.lists(POINTS, min_size=1, max_size=3))
def test_polygons_are_filled_as_by_the_public_library(
    height: int, width: int, outlines: list[list[tuple[float, float]]]
) -> None:
    numbers = [[side for point in outline for side in point] for outline in outlines]
    theirs = mask.decode(mask.merge(mask.frPyObjects(numbers, height, width))).astype(bool)
    assert np.array_equal(mask_of(numbers, (height, width)), theirs)


@settings(max_examples=150, deadline=None)
@given(height=SIDES, width=SIDES, seed=st.integers(0, 2**32 - 1), share=st.sampled_from([0.0, 0.05, 0.5, 1.0]))
def test_masks_survive_run_lengths(height: int, width: int, seed: int, share: float) -> None:
    pixels = np.random.default_rng(seed).random((height, width)) < share
    packed = mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
    for counts in (packed["counts"], packed["counts"].decode(), read_counts(packed["counts"].decode())):
        assert np.array_equal(mask_of({"size": [height, width], "counts": counts}, (height, width)), pixels)


@given(left=st.integers(0, 30), top=st.integers(0, 30), width=st.integers(1, 30), height=st.integers(1, 30))
def test_a_box_covers_the_pixels_of_its_mask(left: int, top: int, width: int, height: int) -> None:
    box = [int(side) for side in box_of_corner([left, top, width, height])]
    outline = [left, top, left + width, top, left + width, top + height, left, top + height]
    pixels = mask_of([outline], (60, 60))
    assert pixels[box[0] : box[2], box[1] : box[3]].all() and pixels.sum() == width * height
    assert box_of_outline(outline) == box and fault_of_box(box, (60, 60)) == ""
