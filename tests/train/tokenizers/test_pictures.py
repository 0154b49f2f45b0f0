"""Training views of pictures: drawn from the generator alone, in all orders of their colours."""

from __future__ import annotations

import numpy as np

from embodio.train.tokenizers.pictures import drawn

RED = np.zeros((40, 60, 3), np.uint8)
RED[..., 0] = 250


def test_a_view_depends_on_its_generator_alone() -> None:
    views = [drawn(RED, (32, 32), 16, np.random.default_rng(seed)) for seed in (3, 3)]
    np.testing.assert_array_equal(views[0], views[1])
    assert views[0].shape == (16, 16, 3)


def test_a_red_thing_is_seen_in_all_three_colours_and_most_often_in_its_own() -> None:
    views = [drawn(RED, (32, 32), 0, np.random.default_rng(seed)) for seed in range(200)]
    counts = np.bincount([int(view.sum(axis=(0, 1), dtype=np.int64).argmax()) for view in views], minlength=3)
    assert counts.min() > 10 and counts[0] > 100, counts
    assert all((view > 0).sum(axis=-1).max() == 1 for view in views), "channels are shuffled, not mixed"
