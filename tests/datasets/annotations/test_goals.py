"""Goal images of episodes: the picture at a step with its instruction, and the last one as the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.annotations.parts.item import AnnotationError
from embodio.datasets.opening import open_source
from tests.support.datasets.annotated_files import items, made
from tests.support.datasets.toy import write_toy_dataset


def test_the_last_picture_is_the_goal(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", 2, 5)
    found = made("goals", folder, "goal_image", steps=(0, 1))
    episode = open_source(folder).episode(1)
    last = np.concatenate([episode.frame(name, 4) for name in ("front", "hand")], axis=1)
    assert len(found) == 4 and found[3].instruction == "lift the cube"
    assert np.array_equal(found[2].drawn, last) and np.array_equal(found[3].drawn, last)
    assert np.array_equal(found[3].media.image[:, :128], episode.frame("front", 3))
    assert [item.key for item in items("goals", folder, "goal_image", steps=(0, 1))] == ["0/0", "0/3", "1/0", "1/3"]
    (only, _) = made("goals", folder, "goal_image", cameras=["hand"])
    assert only.media.image.shape == (128, 128, 3)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", 1, 1)
    with pytest.raises(AnnotationError, match="1 were left out: an episode of fewer than two steps"):
        items("goals", folder, "goal_image")
    with pytest.raises(AnnotationError, match="cameras: top are not among front, hand"):
        items("goals", folder, "goal_image", cameras=["top"])
    with pytest.raises(AnnotationError, match="expected places from 0 to 1"):
        items("goals", folder, "goal_image", steps=[2.0])
    with pytest.raises(AnnotationError, match="there is no such file"):
        items("goals", tmp_path / "none", "goal_image")
