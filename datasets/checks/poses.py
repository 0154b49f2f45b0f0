"""The check that VIMA's actions fit its pictures: a replay on top-view object masks, without a simulator.

A pick has to begin on an object, and that object has to be found where the action puts it: moved with the tool, and
turned with it about the place where it was picked. This tells axes, order, units, signs and delays of the actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.checks.finding import Finding
from embodio.datasets.episodes.features import METADATA
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.envs.vima.robot import HEIGHT, VERBS, WIDTH

CHECK = "poses in the pictures"
_MASKS, _FINAL = "observation/segm_top", f"{METADATA}/final_segm_top"
_PITCH = 1000 / 250980  # metres a pixel: the camera looks down from 1000 m with this focal length in pixels
_CENTRE = (0.5, 0.0)  # the place (x, y) in metres that it looks at; rows grow with x, columns with y
_FIRST_OBJECT = {"pick": 5, "push": 4}  # ids below are the table and the robot
_REACH = 2  # pixels: objects have a height, so that their rims are seen a little aside
_SAME = 0.4  # overlap of masks, as a share of their union, from which an object is where it should be
_SHARE = 0.8  # of the steps that have to fit
_REMEDY = "check order, units (m, degrees), signs and delay of the actions, and that the pictures are upright"

Mask = npt.NDArray[np.bool_]


def has_masks(source: EpisodeSource) -> bool:
    """Whether there are VIMA's actions, with object masks from above."""
    names = [f"{pose}_{part}" for pose in ("pose0", "pose1") for part in ("x", "y", "turn")]
    if _MASKS not in source.features.steps or _FINAL not in source.features.episode:
        return False
    try:
        return [d.name for d in source.embodiment.action.dimensions] == ["verb", *names]
    except DatasetError:  # nobody says which robot it is
        return False


def check_poses(source: EpisodeSource, episodes: Sequence[int]) -> Finding:
    """Counts how many actions begin on an object, and how many of the picked ones end where they should.

    Args:
        source: for which `has_masks` is true.
        episodes: their numbers.
    """
    begun, moved = list[bool](), list[bool]()
    for number in episodes:
        try:
            seen = list(_steps(source.episode(number)))
        except (CorruptRecordError, FeatureError):  # damaged; `verify` counts these
            continue
        for on_object, overlap in seen:
            begun.append(on_object)
            if overlap is not None:
                moved.append(overlap >= _SAME)
    if not begun:
        return Finding(CHECK, "unknown", "there is no action")
    text = f"{np.mean(begun):.1%} of {len(begun)} actions begin on an object"
    shares = [float(np.mean(begun))]
    if moved:
        shares.append(float(np.mean(moved)))
        text += f", {shares[-1]:.1%} of {len(moved)} picked objects are then where the action puts them"
    return Finding(CHECK, "warning", text, _REMEDY) if min(shares) < _SHARE else Finding(CHECK, "ok", text)


def _steps(episode: EpisodeView) -> Iterator[tuple[bool, float | None]]:
    """For each action whether it begins on an object, and the overlap of the picked object with where it should be.

    The overlap is None for a push, and where the object cannot be seen afterwards, as it lies under another.
    """
    masks = np.concatenate([episode.array(_MASKS), np.asarray(episode.value(_FINAL))[None]])
    actions = episode.array("action").astype(np.float64)
    for before, after, action in zip(masks, masks[1:], actions, strict=False):
        verb = VERBS[int(action[0])]
        row, column = np.rint(_pixels(action[1:3])).astype(int)
        around = before[max(0, row - _REACH) : row + _REACH + 1, max(0, column - _REACH) : column + _REACH + 1]
        objects = around[around >= _FIRST_OBJECT[verb]]
        if not objects.size:
            yield verb == "push", None  # a push may begin next to what it pushes
            continue
        picked = np.bincount(objects).argmax()
        there = after == picked
        fits = (
            _overlap(_moved(before == picked, action), there) if verb == "pick" and there.sum() >= _REACH**2 else None
        )
        yield True, fits


def _moved(mask: Mask, action: npt.NDArray[np.float64]) -> Mask:
    """A mask [H, W] after its object was picked at pose 0 and placed at pose 1."""
    angle = np.radians(action[6] - action[3])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = (_places(np.argwhere(mask)) - action[1:3]) @ rotation.T + action[4:6]
    found = np.rint(_pixels(places)).astype(int)
    inside = ((found >= 0) & (found < (HEIGHT, WIDTH))).all(axis=1)
    moved = np.zeros_like(mask)
    moved[tuple(found[inside].T)] = True
    return moved


def _overlap(first: Mask, second: Mask) -> float:
    return float((first & second).sum() / max(1, (first | second).sum()))


def _pixels(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(x, y) in metres [..., 2] -> (row, column)."""
    middle = np.array([HEIGHT - 1, WIDTH - 1]) / 2
    return np.asarray(middle + (places - _CENTRE) / _PITCH)


def _places(pixels: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """(row, column) [..., 2] -> (x, y) in metres."""
    middle = np.array([HEIGHT - 1, WIDTH - 1]) / 2
    return np.asarray((pixels - middle) * _PITCH + _CENTRE)
