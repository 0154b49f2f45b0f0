"""Habitat: episodes of point navigation (PointNav v1) with the shortest paths that lead to their goals.

Reads `train.json.gz` of PointNav v1 (github.com/facebookresearch/habitat-lab, habitat/datasets/pointnav), and in place
of it the files of single scenes where there is a folder `content` next to it:

    episodes        {"episode_id", "scene_id", "start_position": [x, y, z], "start_rotation": [x, y, z, w],
                    "goals": [{"position", "radius"}], "shortest_paths": null or [[points]], ...}, y up, in metres
    points          {"position", "rotation", "action": 0 stop, 1 forward, 2 left, 3 right}, before each action

Habitat's generator writes paths where is_gen_shortest_path is true; episodes that were published without one are left
out and counted, as nothing in them says which way to go. It ends a path before the stop, within 0.2 m of the goal: the
stop is asked for at the goal. The scenes are not in the files. Views are used where the folder of media holds them,
which no public schema fixes: SCENE/EPISODE_ID/*.png or .jpg, in the order of the steps. All is held in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import FRAMES
from embodio.datasets.errors import AnnotationError
from embodio.datasets.files.names import inside
from embodio.datasets.records.decoding import IMAGES
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.spatial import POSITION

ACTIONS = ("stop", "forward", "left", "right")
"""The words of Habitat's numbers."""
_SCHEMA = "an object of PointNav v1 with episodes"
_EPISODE = "episode_id, scene_id, goals with a position, and shortest_paths of position, rotation and action"


def read_habitat(
    file: Path, folder: Path, family: Family[Any], *, with_state: bool = False, frames: int = FRAMES
) -> AnnotatedItems:
    """The steps of the episodes of a file, each an item.

    Args:
        file: the episodes.
        folder: of the views, if there are any.
        family: `navigate`.
        with_state: whether the position after the step is asked for as well.
        frames: views that are seen, at most one more than the network has slots for.

    Raises:
        AnnotationError: a file is not one of PointNav v1, an episode lacks something or holds an action, a position or
            a rotation that is none, or no episode has a path.
    """
    if frames < 1:
        raise AnnotationError(f"{file}: frames: got {frames}, expected at least 1")
    found = ItemList(file, folder, family)
    scenes = sorted(file.with_name("content").glob("*.json.gz"))
    for one in scenes or [file]:
        content = parsed_file(one, dict, _SCHEMA)
        with expecting(one, _SCHEMA):
            episodes = list(content["episodes"])
        for number, episode in enumerate(episodes):
            with expecting(f"{one}, episode number {number}", _EPISODE):
                _add_episode(episode, found, with_state, frames)
    return found.done()


def _add_episode(episode: Mapping[str, Any], found: ItemList, with_state: bool, frames: int) -> None:
    """Adds an item for each step; raises ValueError, KeyError or TypeError for an episode that is none."""
    name = f"{PurePosixPath(str(episode['scene_id'])).stem}/{episode['episode_id']}"
    goal = _position(episode["goals"][0]["position"])
    paths = episode.get("shortest_paths") or [[]]
    points = [(_position(one["position"]), _heading(one["rotation"]), _word(one["action"])) for one in paths[0]]
    if not points:
        found.leave_out("an episode without a shortest path", f"episode {name}")
        return
    if points[-1][2] != "stop":
        points.append((goal, points[-1][1], "stop"))
    if max(abs(side) for place, _, _ in (*points, (goal, 0, "")) for side in place) > POSITION.high:
        found.leave_out(f"an episode further than {POSITION.high:.0f} m from the origin", f"episode {name}")
        return
    views = _views(found.folder, name)
    words = [word for _, _, word in points]
    after = [place for place, _, _ in points[1:]] + [points[-1][0]]
    for step, (place, heading, word) in enumerate(points):
        values: dict[str, Any] = {"goal": goal, "position": place, "heading": heading, "moves": words[:step]}
        values["move"] = word
        if with_state:
            values |= {"with_state": True, "next_position": after[step]}
        where = f"step {step} of episode {name}"
        if views and step >= len(views):
            found.leave_out("a step without a view", where)
            continue
        if views:
            values |= {"image": views[step], "image_history": views[max(0, step - frames + 1) : step]}
        found.add(f"{name}/{step}", name, values, where)


def _position(numbers: Sequence[Any]) -> list[float]:
    """x, y and z in metres."""
    found = [float(one) for one in numbers]
    if len(found) != 3 or not np.isfinite(found).all():
        raise ValueError(f"a position of {numbers!r}, expected three numbers")
    return found


def _heading(rotation: Sequence[Any]) -> float:
    """The angle about the y axis in radians, -pi to pi, of a quaternion x, y, z, w."""
    found = np.array([float(one) for one in rotation])
    if found.shape != (4,) or not abs(np.linalg.norm(found) - 1) < 1e-2:
        raise ValueError(f"a rotation of {rotation!r}, expected a quaternion x, y, z, w of length 1")
    _, y, _, w = found.tolist()
    angle = 2 * np.arctan2(y, w)
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def _word(action: Any) -> str:
    if isinstance(action, bool) or action not in range(len(ACTIONS)):
        raise ValueError(f"an action of {action!r}, expected a number from 0 to {len(ACTIONS) - 1}")
    return ACTIONS[action]


def _views(folder: Path, name: str) -> list[str]:
    """The names of an episode's views, in the order of the steps; none where the folder does not hold them."""
    place = inside(folder, name, folder)
    files = sorted(place.iterdir()) if place.is_dir() else []
    return [f"{name}/{one.name}" for one in files if one.suffix[1:].lower() in IMAGES]


READ = read_habitat
FAMILIES = ("navigate",)
