"""Recorded actions: evenly spaced steps of episodes, with what was observed and done before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.benchmarks.evaluation.procedures import named_procedure
from embodio.datasets.annotations import read_annotations
from embodio.datasets.annotations.parts.item import AnnotatedItem, AnnotationError
from embodio.datasets.annotations.parts.values import digest_of
from embodio.datasets.opening import open_source
from tests.support.datasets.toy import write_toy_dataset


def items(folder: Path, **reading: Any) -> list[AnnotatedItem]:
    return list(read_annotations("actions", folder, folder, named_procedure("act"), reading))


def test_steps_of_episodes_come_with_what_was_seen_and_done_before(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", 2, 6)
    found = items(folder, moments=3, steps=2, earlier=3)
    assert [item.key for item in found] == ["0/0", "0/2", "0/4", "1/0", "1/2", "1/4"]
    assert [item.group for item in found] == ["0"] * 3 + ["1"] * 3
    series: Any = found[5].make()
    episode = open_source(folder).episode(1)
    assert np.array_equal(series.actions, episode.array("action")[4:6]) and series.count == 2 and series.step == 4
    assert np.array_equal(series.played, episode.array("action")[1:4]) and len(series.observations) == 4
    assert np.array_equal(series.observations[0]["hand"], episode.frame("hand", 1))
    assert np.array_equal(series.observations[3]["state"], episode.array("observation/state")[4])
    assert series.instruction == "lift the cube" and series.limits.shape == (2, 3)
    first: Any = found[0].make()
    assert len(first.observations) == 1 and not len(first.played)
    assert digest_of(series) == digest_of(found[5].make()) != digest_of(items(folder, moments=3, steps=2)[5].make())


def test_short_episodes_give_all_their_steps_or_none(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", 1, 3)
    assert [item.key for item in items(folder)] == ["0/0", "0/1", "0/2"]
    assert len(items(folder, moments=1)) == 1
    with pytest.raises(AnnotationError, match="not one item"):
        items(folder, steps=4)


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        ({"action_key": "acton"}, "there is no 'acton'; there are .*expert_action"),
        ({"moments": 0}, "got 0, 1 and 0"),
        ({"steps": 0}, "got 10, 0 and 0"),
        ({"earlier": -1}, "expected at least 1, 1 and 0"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, reading: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        items(write_toy_dataset(tmp_path / "toy", 1, 2), **reading)
    with pytest.raises(AnnotationError, match="there is no such file"):
        items(tmp_path / "none")
