"""A rollout in which the agent is told by a voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.rollouts.told import ToldAloud
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.records.opening import open_records
from embodio.datasets.tasks.parts.spoken import SpokenInstructions
from tests.support.datasets.tiny_corpus import LIFT, write_tiny_corpus


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def reset(self, instruction: Any = None) -> None:
        self.told.append(instruction)

    def act(self, observation: Any) -> Any:
        return observation


def test_it_hears_held_out_voices_in_place_of_words(tmp_path: Path) -> None:
    place = write_tiny_corpus(tmp_path, ("validation",)) / "commands" / "validation"
    listener = Listener()
    policy = ToldAloud(listener, SpokenInstructions(place, "held_out"))
    policy.reset(LIFT)
    policy.number = 7
    policy.reset(instruction=LIFT)
    sound = open_records(place).record(2).sound  # the only one by a held-out voice
    assert sound is not None
    assert all(np.array_equal(heard, sound.load()) and rate == 16000 for heard, rate in listener.told)
    assert policy.act(np.ones(3)).sum() == 3
    with pytest.raises(BenchmarkError, match="the environment's instruction is not a text"):
        policy.reset(["lift", np.zeros(3)])
    with pytest.raises(FeatureError, match="nothing said there means 'dance', only lift the red cube"):
        policy.reset("dance")
    with pytest.raises(DatasetError, match="voices: got 'new'"):
        SpokenInstructions(place, "new")
    known = SpokenInstructions(place, "known")
    drawn = [known.said(LIFT, 0, np.random.default_rng(seed)).tobytes() for seed in range(8)]
    assert len(set(drawn)) == 2 and known.said(LIFT, 1, None).tobytes() in drawn
