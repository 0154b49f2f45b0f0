"""Episodes of Habitat's PointNav v1 as steps of navigation."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.annotations.habitat import _heading
from embodio.datasets.annotations.parts.item import AnnotationError
from embodio.datasets.errors import UnsafeName
from tests.support.datasets.annotated_files import draw, items, left_out, made

GOAL = [1.0, 0.2, -2.0]


def turned(degrees: float) -> list[float]:
    """The quaternion x, y, z, w of a turn about the y axis."""
    half = np.radians(degrees) / 2
    return [0.0, float(np.sin(half)), 0.0, float(np.cos(half))]


def episode(number: int = 0, **changes: Any) -> dict[str, Any]:
    path = [
        {"position": [1.0, 0.1, -1.5], "rotation": turned(30), "action": 3},
        {"position": [1.0, 0.1, -1.5], "rotation": turned(0), "action": 1},
    ]
    return {
        "episode_id": str(number),
        "scene_id": "data/scene_datasets/gibson/Adrian.glb",
        "start_position": path[0]["position"],
        "start_rotation": path[0]["rotation"],
        "info": {"geodesic_distance": 0.5, "difficulty": "easy"},
        "goals": [{"position": GOAL, "radius": None}],
        "shortest_paths": [path],
        "start_room": None,
    } | changes


def write(folder: Path, *episodes: dict[str, Any], name: str = "train.json.gz") -> Path:
    (folder / name).parent.mkdir(exist_ok=True, parents=True)
    (folder / name).write_bytes(gzip.compress(json.dumps({"episodes": list(episodes)}).encode()))
    return folder / name


def test_steps_of_a_path_lead_to_the_goal_and_stop_there(tmp_path: Path) -> None:
    file = write(tmp_path, episode(), episode(1, shortest_paths=None))
    steps = made("habitat", file, "navigate")
    assert [one.move for one in steps] == ["right", "forward", "stop"]
    assert [one.moves for one in steps] == [(), ("right",), ("right", "forward")]
    assert np.allclose(steps[0].goal, GOAL) and np.allclose(steps[0].position, [1.0, 0.1, -1.5])
    assert np.allclose([one.heading for one in steps], [np.pi / 6, 0, 0], atol=1e-6)
    assert np.allclose(steps[2].position, GOAL) and steps[0].next_position is None and steps[0].media.image is None
    found = items("habitat", file, "navigate")
    assert {one.group for one in found} == {"Adrian/0"}
    assert left_out(found) == {"an episode without a shortest path": 1}


def test_positions_after_the_steps_are_asked_for(tmp_path: Path) -> None:
    stopped = episode()["shortest_paths"][0] + [{"position": GOAL, "rotation": turned(0), "action": 0}]
    steps = made("habitat", write(tmp_path, episode(shortest_paths=[stopped])), "navigate", with_state=True)
    assert [one.move for one in steps] == ["right", "forward", "stop"], "a stop in the file is not repeated"
    assert [one.next_position[2] for one in steps] == [-1.5, -2.0, -2.0] and all(one.with_state for one in steps)


def test_scenes_in_files_of_their_own_and_views_where_there_are_some(tmp_path: Path) -> None:
    file = write(tmp_path, name="train/train.json.gz")
    write(tmp_path, episode(), name="train/content/Adrian.json.gz")
    write(tmp_path, episode(scene_id="gibson/Bonn.glb"), name="train/content/Bonn.json.gz")
    draw(tmp_path, *(f"views/Adrian/0/{step:05d}.png" for step in range(2)))
    steps = made("habitat", file, "navigate", tmp_path / "views", frames=2)
    assert [len(one.media.image_history) for one in steps] == [0, 1, 0, 0, 0]
    assert [one.media.image is None for one in steps] == [False, False, True, True, True]
    assert left_out(items("habitat", file, "navigate", tmp_path / "views")) == {"a step without a view": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"goals": []}, "episode number 0: .*expected episode_id"),
        ({"goals": [{"position": [1, 2]}]}, "a position of .1, 2., expected three numbers"),
        ({"shortest_paths": [[{"position": GOAL, "rotation": [0, 0, 0, 0], "action": 1}]]}, "a rotation of"),
        ({"shortest_paths": [[{"position": GOAL, "rotation": [0, 0, 1], "action": 1}]]}, "a rotation of"),
        ({"shortest_paths": [[{"position": GOAL, "rotation": turned(0), "action": 7}]]}, "an action of 7"),
        ({"shortest_paths": [[{"position": GOAL, "rotation": turned(0)}]]}, "it lacks 'action'"),
        ({"shortest_paths": None}, "not one item of navigate .* without a shortest path"),
        ({"goals": [{"position": [60.0, 0, 0]}]}, "further than 50 m"),
    ],
)
def test_what_is_not_an_episode_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        items("habitat", write(tmp_path, episode(**changes)), "navigate")


def test_what_is_not_a_file_of_episodes_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(b"no gzip")
    (tmp_path / "b.json").write_text("{}")
    for name, message in (("a.json.gz", "cannot be read"), ("b.json", "lacks 'episodes'"), ("c.json", "cannot be")):
        with pytest.raises(AnnotationError, match=message):
            items("habitat", tmp_path / name, "navigate")
    with pytest.raises(AnnotationError, match="frames: got 0"):
        items("habitat", write(tmp_path, episode()), "navigate", frames=0)
    with pytest.raises(UnsafeName):
        items("habitat", write(tmp_path, episode(episode_id="../../x")), "navigate")


@given(degrees=st.floats(-179.9, 179.9), sign=st.sampled_from([1, -1]))
def test_headings_are_those_of_quaternions_of_either_sign(degrees: float, sign: int) -> None:
    found = _heading([sign * one for one in turned(degrees)])
    assert np.degrees(found) == pytest.approx(degrees, abs=1e-6)
