"""Open-loop replay: recorded actions executed in the simulator from the recorded seed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.checks.finding import Finding
from embodio.datasets.checks.hypotheses import Attempt, as_recorded, hypotheses
from embodio.datasets.checks.turns import nearest_orientation, with_swapped_colours
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView, robot_of
from embodio.datasets.errors import CorruptRecordError, FeatureError
from embodio.envs.embodiment import Embodiment, in_short
from embodio.envs.errors import EnvError, InvalidAction, SimulatorError
from embodio.envs.registry import embodiment_of, known_embodiments, known_envs, make_env

_REMEDY = "replay with the versions that recorded it; then check action meaning, order and limits of the embodiment"
_DRIFT = 0.02  # of a state dimension's range in the episode: the tolerance for other machines
_BETTER = 0.4  # of the drift as recorded, from which a hypothesis explains it
_MOVED = (96, 0.003)  # grey values, and the share of pixels that differ by more if an object has moved
_SEEDS = "replay with the versions and on the kind of machine that recorded it; then check the seeds in the metadata"
_TRIED = 2  # episodes for which hypotheses are tried


@dataclass
class _Replayed:
    """What was found so far."""

    played: int = 0
    elsewhere: int = 0
    same: int = 0
    succeeded: int = 0
    drifts: list[float] = field(default_factory=list)
    ways: set[tuple[str, str]] = field(default_factory=set)
    suspects: list[tuple[str, str]] = field(default_factory=list)


def environment_of(source: EpisodeSource) -> str | None:
    """The name of our environment whose robot recorded the data; None if there is none.

    A robot with the name and action of ours counts even if details differ: `check_robot` names them.
    """
    robot = robot_of(source)
    if robot is None:
        return None
    ours = {name: found for name, found in known_embodiments().items() if found.name == robot.name}
    exact = [name for name, found in ours.items() if not found.differences(robot)]
    alike = [n for n, found in ours.items() if len(found.action.dimensions) == len(robot.action.dimensions)]
    return next(iter([*exact, *alike]), None)


def check_robot(source: EpisodeSource) -> Finding:
    """Compares the robot that the data set describes with that of our environment; images may have another size."""
    name, robot = environment_of(source), robot_of(source)
    if name is None or robot is None:
        return Finding("robot", "unknown", "it does not belong to any of our environments")
    sizes = ("height", "width")
    found = [d for d in embodiment_of(name).differences(robot) if not d.field.endswith(sizes)]
    if found:
        text = f"differs from {name} in {in_short(found)}"
        return Finding(
            "robot", "warning", text, "correct embodiment.json or the YAML file, or convert the data to ours"
        )
    return Finding("robot", "ok", f"{robot.name}, as in {name}")


def replay(
    source: EpisodeSource, episodes: Sequence[int], *, done: Callable[[int], None] = lambda count: None
) -> list[Finding]:
    """Executes the actions of episodes; compares how they end, the states on the way, and the first frames.

    Episodes whose first frames show another scene than the simulator makes from their seed cannot be replayed, and are
    counted separately: where objects come to rest may depend on the machine. If states drift, or the outcome differs,
    common faults of recordings are tried until one reproduces the recorded states.

    Args:
        source: recorded in one of our environments, with the seed in the metadata.
        episodes: their numbers.
        done: called after each with the number of episodes done so far.

    Returns:
        The findings "open-loop replay" and "images and simulator".
    """
    name = environment_of(source)
    if name is None:
        return [Finding("open-loop replay", "unknown", "the robot does not belong to any of our environments")]
    found, envs = _Replayed(), dict[tuple[str, bool], Any]()
    try:
        for count, number in enumerate(episodes, start=1):
            try:
                episode = source.episode(number)
                seed, success = _recorded(episode, "seed"), _recorded(episode, "success")
                if len(episode) and seed is not None and seed >= 0 and success is not None:
                    env = _environment(envs, name, episode)
                    _replay_one(env, embodiment_of(name), episode, int(seed), bool(success), found)
            except (CorruptRecordError, FeatureError):  # damaged; `verify` counts these
                continue
            finally:
                done(count)
    except EnvError as error:
        return [Finding("open-loop replay", "unknown", str(error))]
    finally:
        for env in envs.values():
            env.close()
    if not found.played and not found.elsewhere:
        return [Finding("open-loop replay", "unknown", "the episodes do not record seed and success")]
    return [_outcome(found), _orientation(found.ways)]


def _environment(envs: dict[tuple[str, bool], Any], name: str, episode: EpisodeView) -> Any:
    """The environment of a recorded episode, cached in `envs`.

    Recordings of our commands name it; those of VIMA name the task, which their oracle played in scenes for training.
    Other names are ignored, because they would decide what code is imported.
    """
    task, recorded = _recorded(episode, "task"), _recorded(episode, "environment")
    expert = _recorded(episode, "agent") in (None, "expert")
    if isinstance(recorded, str) and recorded in known_envs() and embodiment_of(recorded) == embodiment_of(name):
        name = recorded
    elif name.startswith("vima/"):
        name = f"vima/{task}/train"
    oracle = expert and name.startswith("vima/")
    if (name, oracle) not in envs:
        envs[name, oracle] = make_env(name, oracle_goals=True) if oracle else make_env(name)
    return envs[name, oracle]


def _replay_one(env: Any, robot: Embodiment, episode: EpisodeView, seed: int, success: bool, found: _Replayed) -> None:
    actions = np.asarray(episode.array("action"), np.float32)
    observation, _ = env.reset(seed=seed)
    cameras = [camera for camera in episode.cameras if camera in observation]
    frames = {camera: (episode.frame(camera, 0), observation[camera]) for camera in cameras}
    found.ways |= {(camera, nearest_orientation(*pair)) for camera, pair in frames.items()}
    if frames and all(_moved(*pair) for pair in frames.values()):
        found.elsewhere += 1
        return
    with _without_images(env):
        succeeded, drift = _play(env, episode, seed, as_recorded(actions))
        found.played, found.succeeded = found.played + 1, found.succeeded + succeeded
        found.same += succeeded == success
        if drift is not None:
            found.drifts.append(drift)
        fits = succeeded == success and (drift is None or drift <= _DRIFT)
        if fits or drift is None or len(found.suspects) >= _TRIED:
            return
        best = min(
            ((_play(env, episode, seed, attempt)[1], attempt) for attempt in hypotheses(actions, robot)),
            key=lambda pair: np.inf if pair[0] is None else pair[0],
        )
        if best[0] is not None and best[0] <= _BETTER * drift:
            found.suspects.append((best[1].found, best[1].remedy))


def _play(env: Any, episode: EpisodeView, seed: int, attempt: Attempt) -> tuple[bool, float | None]:
    """Executes actions; whether they lead to success, and by how much states differ from the recorded ones.

    The difference is a share of the range that each dimension has in the episode, averaged; None without states.
    """
    observation, _ = env.reset(seed=seed)
    states = episode.array("state") if "state" in episode.observation_keys else None
    gaps, success = [_gap(observation, states, int(attempt.moments[0]))], False
    for action, moment in zip(attempt.actions, attempt.moments[1:], strict=True):
        try:
            observation, _, terminated, truncated, info = env.step(action)
        except (InvalidAction, SimulatorError):
            break
        gaps.append(_gap(observation, states, int(moment)))
        if terminated or truncated:
            success = bool(info["success"])
            break
    known = [gap for gap in gaps if gap is not None]
    return success, _drift(known, states) if states is not None and known else None


def _gap(observation: Any, states: npt.NDArray[Any] | None, moment: int) -> npt.NDArray[np.float64] | None:
    if states is None or moment < 0 or "state" not in observation:
        return None
    return np.abs(np.asarray(observation["state"], np.float64) - states[moment])


def _drift(gaps: list[npt.NDArray[np.float64]], states: npt.NDArray[Any]) -> float | None:
    reach = np.ptp(states.astype(np.float64), axis=0)
    moving = reach > 1e-6
    return float((np.mean(gaps, axis=0)[moving] / reach[moving]).mean()) if moving.any() else None


def _outcome(found: _Replayed) -> Finding:
    text = f"{found.same} of {found.played} episodes end as recorded, {found.succeeded} succeed"
    if found.elsewhere:
        text += f"; {found.elsewhere} more show another scene than the simulator makes from their seed"
    if found.elsewhere > found.played:
        return Finding("open-loop replay", "warning", text, _SEEDS)
    drift = max(found.drifts, default=0.0)
    if found.drifts:
        text += f"; states differ by at most {drift:.1%} of their range"
    if found.same == found.played and drift <= _DRIFT:
        return Finding("open-loop replay", "ok", text)
    if found.suspects:
        what, remedy = max(found.suspects, key=found.suspects.count)
        return Finding("open-loop replay", "warning", f"{text}; {what}", remedy)
    return Finding("open-loop replay", "warning", text, _REMEDY)


def _orientation(ways: set[tuple[str, str]]) -> Finding:
    """The finding on first frames; `ways` are pairs of camera and orientation."""
    check = "images and simulator"
    wrong = ", ".join(f"{camera} {way}" for camera, way in sorted(ways) if way != "upright")
    if not ways:
        return Finding(check, "unknown", "no camera to compare")
    if wrong:
        return Finding(check, "warning", wrong, "turn the images when converting")
    return Finding(check, "ok", "first frames are nearest to the upright ones")


def _moved(frame: npt.NDArray[Any], upright: npt.NDArray[Any]) -> bool:
    """Whether objects lie elsewhere in an image than in another, whatever its orientation; compression changes less."""
    if frame.shape != upright.shape:
        return False
    levels, share = _MOVED
    gaps = np.abs(
        with_swapped_colours(frame)[nearest_orientation(frame, upright)].astype(np.int16) - upright.astype(np.int16)
    )
    return bool((gaps.max(axis=-1) > levels).mean() > share)


@contextlib.contextmanager
def _without_images(env: Any) -> Iterator[None]:
    """Skips rendering, which the rest of an episode does not need."""
    env.unwrapped.cameras = False
    try:
        yield
    finally:
        env.unwrapped.cameras = True


def _recorded(episode: EpisodeView, name: str) -> Any:
    return next((value for key, value in episode.metadata.items() if key.rpartition("/")[2] == name), None)
