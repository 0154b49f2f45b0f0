"""Real trajectories of VIMA's benchmark, where EMBODIO_VIMA names a folder of them (one tar for each task)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.checks.poses import check_poses
from embodio.datasets.episodes.recorded.images import prompt_of
from embodio.datasets.sources.vima import VimaSource
from embodio.envs.vima.robot import vima_pick_place
from tests.support.datasets.vima_formats import FORM

FOLDER = Path(os.environ.get("EMBODIO_VIMA", "/nowhere"))
FILES = sorted(FOLDER.glob("*.tar*"))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not FILES, reason="set EMBODIO_VIMA to a folder of trajectories")]
LOW, HIGH = np.array([(d.low, d.high) for d in vima_pick_place().action.dimensions], np.float64).T
STEP = (HIGH - LOW) / 999  # one bin


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_every_episode_is_read_and_its_plan_comes_back(path: Path) -> None:
    source = VimaSource(path)
    for number in range(len(source)):
        episode = source.episode(number)
        actions, told = episode.array("action").astype(np.float64), prompt_of(episode)
        assert episode.metadata["success"] and len(actions) == len(episode) == source.episode_length(number)
        assert all(
            episode.frame(view, step).shape == (128, 256, 3)
            for view in ("front", "top")
            for step in (0, -1 + len(episode))
        )
        assert isinstance(told, list) and "{" not in "".join(part for part in told if isinstance(part, str))
        tool = episode.metadata["end_effector"]
        assert (
            tool == ("spatula" if "sweep" in path.name else "suction")
            and (episode.array("state") == actions[:, :1]).all()
        )
        back = FORM.actions(np.array(FORM.write(actions)))
        assert (np.abs(back - actions) <= STEP).all()
    assert check_poses(source, range(len(source))).status == "ok"
