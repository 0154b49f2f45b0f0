"""Run lengths of masks: by hand, as pycocotools writes them, and damaged ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embodio.datasets.codecs.run_lengths import mask_of_runs


def test_runs_go_down_the_columns_and_begin_black() -> None:
    mask = mask_of_runs({"size": [2, 3], "counts": [1, 2, 3]})
    assert mask.tolist() == [[False, True, False], [True, False, False]] and mask.dtype == bool
    assert mask_of_runs({"size": [2, 2], "counts": [0, 4]}).all()


def test_a_text_by_hand() -> None:
    """Runs 1, 40, 9 and 38: "1", "X1" (8 + 32, then 1), "9", and 38 - 40 = -2, "N"."""
    mask = mask_of_runs({"size": [11, 8], "counts": "1X19N"})
    assert np.flatnonzero(mask.T.reshape(-1)).tolist() == [*range(1, 41), *range(50, 88)]


def test_masks_of_pycocotools() -> None:
    masks = pytest.importorskip("pycocotools.mask", reason="compares with a package of the dev extra")
    generator = np.random.default_rng(0)
    for side in (1, 7, 60, 300):
        mask = generator.random((side, side + 3)) < generator.random()
        mask[side // 3 :] |= side == 300
        encoded = masks.encode(np.asfortranarray(mask.astype(np.uint8)))
        text = encoded["counts"].decode("ascii")
        assert np.array_equal(mask_of_runs({"size": encoded["size"], "counts": text}), mask)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ({"size": [2, 2]}, "expected run lengths"),
        ({"size": [2, 2], "counts": [1, 2]}, "fill 3 of 2 x 2 pixels"),
        ({"size": [2, 2], "counts": [5, -1]}, "fill 4 of 2 x 2"),
        ({"size": [2, 2], "counts": "T"}, "expected run lengths"),
        ({"size": [2, 2], "counts": "\u00e9"}, "not a character"),
        ({"size": 4, "counts": "4"}, "expected run lengths"),
    ],
)
def test_damaged_runs(encoded: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mask_of_runs(encoded)
