"""Open-loop replay: recorded actions executed in the simulator from the recorded seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.source import EpisodeSource, EpisodeView
from embodio.datasets.verify import Finding
from embodio.envs.errors import InvalidAction, SimulatorError
from embodio.envs.registry import embodiment_of, known_envs, make_env

_REMEDY = "replay with the versions that recorded it; then check action meaning, order and limits of the embodiment"


def environment_of(source: EpisodeSource) -> str | None:
    """The name of our environment whose robot recorded the data; None if there is none."""
    try:
        robot = source.embodiment
    except DatasetError:
        return None
    return next((name for name in known_envs() if not embodiment_of(name).differences(robot)), None)


def replay(
    source: EpisodeSource, episodes: Sequence[int], *, done: Callable[[int], None] = lambda count: None
) -> list[Finding]:
    """Executes the actions of episodes and counts how many end as recorded; compares the first frames as well.

    Args:
        source: recorded in one of our environments, with the seed in the metadata.
        episodes: their numbers.
        done: called with the number of episodes that are played, after each.

    Returns:
        The findings "open-loop replay" and "image orientation in the simulator".
    """
    name = environment_of(source)
    if name is None:
        return [Finding("open-loop replay", "unknown", f"the robot is that of none of {', '.join(known_envs())}")]
    env = make_env(name)
    same, succeeded, played, ways = 0, 0, 0, set[tuple[str, str]]()
    try:
        for count, number in enumerate(episodes, start=1):
            episode = source.episode(number)
            seed, success = _recorded(episode, "seed"), _recorded(episode, "success")
            if seed is not None and success is not None:
                found, frames = _play(env, episode, int(seed))
                same, succeeded, played = same + (found == bool(success)), succeeded + found, played + 1
                ways |= set(frames.items())
            done(count)
    finally:
        env.close()
    if not played:
        return [Finding("open-loop replay", "unknown", "the episodes do not record seed and success")]
    text = f"{same} of {played} episodes end as recorded, {succeeded} succeed"
    outcome = (
        Finding("open-loop replay", "ok", text)
        if same == played
        else Finding("open-loop replay", "warning", text, _REMEDY)
    )
    return [outcome, _orientation(ways)]


def _orientation(ways: set[tuple[str, str]]) -> Finding:
    """What the first frames say; `ways` are camera and way of turning."""
    check = "image orientation in the simulator"
    wrong = ", ".join(f"{camera} {way}" for camera, way in sorted(ways) if way != "upright")
    if not ways:
        return Finding(check, "unknown", "no camera to compare")
    if wrong:
        return Finding(check, "warning", wrong, "turn the images when converting")
    return Finding(check, "ok", "first frames are nearest to the upright ones")


def _play(env: Any, episode: EpisodeView, seed: int) -> tuple[bool, dict[str, str]]:
    """Whether the actions lead to success, and how each camera's first frame stands to the simulator's."""
    observation, _ = env.reset(seed=seed)
    cameras = [camera for camera in episode.cameras if camera in observation]
    frames = {camera: nearest_turn(episode.frame(camera, 0), observation[camera]) for camera in cameras}
    env.unwrapped.cameras = False  # the rest of the episode needs no images
    try:
        for action in episode.array("action"):
            _, _, terminated, truncated, info = env.step(np.asarray(action, np.float32))
            if terminated or truncated:
                return bool(info["success"]), frames
    except (InvalidAction, SimulatorError):
        return False, frames
    finally:
        env.unwrapped.cameras = True
    return False, frames


def nearest_turn(frame: np.ndarray[Any, Any], upright: np.ndarray[Any, Any]) -> str:
    """Which way of turning an image brings it nearest to another, both uint8 [H, W, 3] of one size."""
    ways = {
        "upright": frame,
        "upside down": frame[::-1, ::-1],
        "flipped top to bottom": frame[::-1],
        "mirrored left to right": frame[:, ::-1],
        "red and blue swapped": frame[..., ::-1],
    }
    wanted = upright.astype(np.float64)
    return min(ways, key=lambda way: float(np.abs(ways[way] - wanted).mean()))


def _recorded(episode: EpisodeView, name: str) -> Any:
    return next((value for key, value in episode.metadata.items() if key.rpartition("/")[2] == name), None)
