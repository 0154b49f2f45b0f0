"""Collections of VIMA's oracle keep the pictures of its prompts, against the stand-in."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.checks.replay import replay
from embodio.datasets.episodes.recorded.prompt import recorded_prompt
from embodio.datasets.opening import open_source
from embodio.datasets.recording import collect as module
from embodio.datasets.recording.collect import collect
from embodio.datasets.recording.merging import merge_collections
from embodio.envs import make_env
from tests.support.datasets import far_engine
from tests.support.envs.fake_vima_bench import install

NAME = "vima/rotate/L2"
SETTINGS: dict[str, Any] = {"noise": (0.0,), "workers": 1, "progress": False, "engine": "far"}


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The stand-in, and an engine that plays in this process, where it is installed."""
    monkeypatch.setattr(module, "named_engine", lambda name: far_engine.run)
    monkeypatch.setattr(module, "_worker", None)
    return install(monkeypatch)


def test_prompts_are_kept_picture_by_picture_and_episodes_replay(tmp_path: Path) -> None:
    summary = collect(NAME, 3, 1, tmp_path / "data", **SETTINGS)
    assert (summary.episodes, dict(summary.statuses)) == (3, {"success": 3})
    source, env = open_source(tmp_path / "data"), make_env(NAME)
    for number in range(3):
        episode = source.episode(number)
        shown, kept = env.reset(seed=1 + number)[0]["instruction"], recorded_prompt(episode)
        assert len(shown) == len(kept) and any(isinstance(part, np.ndarray) for part in shown)
        for one, other in zip(shown, kept, strict=True):
            assert np.array_equal(one, other), "pictures are kept without loss"
        assert "{image_1}" in episode.instruction and episode.metadata["expert"] == "VimaOracle"
    assert json.loads((tmp_path / "data" / "collection.json").read_text())["settings"]["prompts"] is True
    assert replay(source, range(3))[0].found == "3 of 3 episodes end as recorded, 3 succeed"


def test_collections_with_prompts_are_extended_and_merged(tmp_path: Path) -> None:
    collect(NAME, 2, 1, tmp_path / "whole", **SETTINGS)
    collect(NAME, 3, 1, tmp_path / "whole", **SETTINGS)
    for number in (1, 2):
        collect(NAME, 3, 1, tmp_path / "parts", shard=f"{number}/2", **SETTINGS)
    assert merge_collections([tmp_path / "parts"], tmp_path / "parts") == 3
    shards = [next((tmp_path / name).glob("*.tfrecord*")).read_bytes() for name in ("whole", "parts")]
    assert shards[0] == shards[1]
