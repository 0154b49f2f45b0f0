"""Each check of a data set finds what was put wrong on purpose, and is content with what is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from embodio.datasets.checks import replay as verify_replay
from embodio.datasets.checks.gripper import check_gripper
from embodio.datasets.checks.hypotheses import Attempt, as_recorded, hypotheses
from embodio.datasets.checks.motion import check_motion
from embodio.datasets.checks.replay import check_robot, environment_of, replay
from embodio.datasets.checks.turns import nearest_orientation
from embodio.datasets.checks.verify import check_bins, check_clipping, check_constant, check_finite, verify
from embodio.datasets.errors import FeatureError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.envs.embodiment import Dimension, Embodiment
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.toy import write_toy_dataset

NAMES = {"action": ("x", "turn", "gripper")}
DIMENSIONS = make_embodiment().action.dimensions


def actions(steps: int = 400) -> npt.NDArray[np.float64]:
    generator = np.random.default_rng(3)
    values = generator.uniform(-0.29, 0.99, (steps, 3))
    values[:, 2] = np.sign(values[:, 2])
    return values


def test_numbers_that_are_not_finite() -> None:
    values = actions()
    assert check_finite({"action": values}, NAMES).status == "ok"
    values[[3, 7], 1] = np.nan, np.inf
    finding = check_finite({"action": values}, NAMES)
    assert (finding.status, finding.found) == ("warning", "action turn 2 steps")
    assert finding.remedy


def test_constant_dimensions() -> None:
    values = actions()
    assert check_constant({"action": values}, NAMES).status == "ok"
    values[:, 0] = 0.25
    finding = check_constant({"action": values}, NAMES)
    assert (finding.status, finding.found) == ("note", "action x")
    assert finding.remedy
    values[:, 0], values[0, 0] = 0.25, 1.0
    finding = check_constant({"action": values}, NAMES)
    assert finding.found == "every dimension changes; constant but for outliers: action x"
    assert finding.status == "note" and "minmax" in finding.remedy


def test_clipping() -> None:
    values = actions()
    assert check_clipping(values, DIMENSIONS).status == "ok"
    values[:240, 0] = 1.0
    finding = check_clipping(values, DIMENSIONS)
    assert finding.status == "warning"
    assert "x 60.0%, turn 0.0%" in finding.found
    values = actions()
    values[:4, 1] = 2.5
    assert "beyond the limits: turn 1.0%" in check_clipping(values, DIMENSIONS).found
    assert check_clipping(values, ()).status == "unknown"


def test_bin_use_counts_the_levels_of_the_codec() -> None:
    values = actions()
    assert check_bins(values, DIMENSIONS, 201).status == "ok"
    values[:, 0] *= 0.001
    finding = check_bins(values, DIMENSIONS, 201)
    assert finding.status == "warning"
    assert "x 0.5%" in finding.found
    assert "close together: x" in finding.found
    values[:, 0] = 0.0
    assert check_bins(values, DIMENSIONS, 201).status == "ok"  # constants are told elsewhere
    every = np.linspace(-1, 1, 201)
    full = np.stack([every, every * 0 + 1, every], axis=1)
    assert "x 100.0%, turn 0.5%" in check_bins(full, DIMENSIONS, 201).found


def gripper(sign: float) -> tuple[Embodiment, list[npt.NDArray[np.float64]], list[npt.NDArray[np.float64]]]:
    """Fingers that close when the command has this sign."""
    command = np.repeat([-1.0, 1.0, -1.0, 1.0], 20) * sign
    opening = 0.04 + np.cumsum(-0.001 * sign * command)
    action = np.stack([command * 0, command * 0, command], axis=1)
    return make_embodiment(), [action], [np.stack([opening * 0, opening], axis=1)]


def test_the_gripper_follows_its_sign() -> None:
    robot, action, state = gripper(1.0)
    assert check_gripper(robot, action, state)[0] == "ok"
    status, _, remedy = check_gripper(robot, [-values for values in action], state)
    assert status == "warning"
    assert "closed_is_low" in remedy
    low = replace(robot, action=replace(robot.action, gripper="closed_is_low"))
    assert check_gripper(low, action, state)[0] == "warning"
    assert check_gripper(low, [-values for values in action], state)[0] == "ok"


def test_what_a_gripper_cannot_tell() -> None:
    robot, action, state = gripper(1.0)
    assert check_gripper(None, action, state)[0] == "unknown"
    assert check_gripper(robot, [np.abs(action[0])], state)[0] == "unknown"
    assert check_gripper(robot, action, [state[0] * 0])[0] == "unknown"
    assert check_gripper(robot, [action[0][:2]], [state[0][:2]])[0] == "unknown"
    assert check_gripper(robot, action, [])[0] == "unknown"


@pytest.mark.parametrize(
    ("way", "turned"),
    [
        ("upright", lambda image: image),
        ("upside down", lambda image: image[::-1, ::-1]),
        ("flipped top to bottom", lambda image: image[::-1]),
        ("mirrored left to right", lambda image: image[:, ::-1]),
        ("red and blue swapped", lambda image: image[..., ::-1]),
    ],
)
def test_turned_images_are_told(way: str, turned: object) -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    noisy = np.clip(image.astype(int) + 5, 0, 255).astype(np.uint8)
    assert nearest_orientation(turned(noisy), image) == way  # type: ignore[operator]


def test_a_data_set_with_and_without_a_robot(tmp_path: Path) -> None:
    folder, counts = write_toy_dataset(tmp_path / "toy", episodes=3, steps=8), []
    source = RLDSReader(folder)
    findings = {finding.check: finding for finding in verify(source, 2, done=counts.append)}
    assert counts == [1, 2]
    assert findings["finite numbers"].found == "16 steps"
    assert all(finding.remedy for finding in findings.values() if finding.status == "warning")
    assert environment_of(source) is None
    assert [finding.status for finding in replay(source, [0])] == ["unknown"]
    (folder / "embodiment.json").unlink()
    bare = {finding.check: finding.status for finding in verify(RLDSReader(folder))}
    assert bare["finite numbers"] == "ok"
    assert {bare[check] for check in ("clipping", "bin use", "gripper sign", "image orientation")} == {"unknown"}


def moving(
    delay: int, steps: int = 60
) -> tuple[Embodiment, list[npt.NDArray[np.float64]], list[npt.NDArray[np.float64]]]:
    """A robot that moves so many steps after it was told to."""
    generator = np.random.default_rng(0)
    told = [np.convolve(generator.normal(size=steps + 6), [0.25, 0.5, 0.25], "same") for _ in range(3)]
    robot = make_embodiment()
    robot = replace(robot, state=(Dimension("eef_x", "m", -1, 1), *robot.state[1:]))
    spec = replace(robot.action, dimensions=(Dimension("delta_x", "0.05 m", -1, 1), *robot.action.dimensions[1:]))
    actions = [np.stack([row, row * 0, row * 0], axis=1) for row in told]
    states = [np.stack([0.02 * np.cumsum(np.roll(row, 1 + delay)), row * 0], axis=1) for row in told]
    return replace(robot, action=spec), [a[6:-6] for a in actions], [s[6:-6] for s in states]


@pytest.mark.parametrize(("delay", "status"), [(-3, "warning"), (-1, "warning"), (0, "ok"), (2, "ok")])
def test_motion_comes_after_its_command(delay: int, status: str) -> None:
    finding = check_motion(*moving(delay))
    assert finding.status == status and f"best after {delay} steps" in finding.found
    assert (f"at least {-delay} steps late" in finding.remedy) == (delay < 0)


def test_motion_of_a_robot_that_is_told_where_to_be() -> None:
    robot, actions, states = moving(1)
    absolute = replace(robot, action=replace(robot.action, mode="absolute"))
    summed = [np.cumsum(action, axis=0) for action in actions]
    assert "best after 1 steps" in check_motion(absolute, summed, states).found


def test_what_motion_cannot_tell() -> None:
    robot, actions, states = moving(0)
    assert check_motion(None, actions, states).status == "unknown"
    assert check_motion(robot, actions, []).status == "unknown"
    assert check_motion(make_embodiment(), actions, states).status == "unknown"
    assert check_motion(robot, actions, [state * 0 for state in states]).status == "unknown"
    assert check_motion(robot, [a[:1] for a in actions], [s[:1] for s in states]).status == "unknown"


def test_damaged_episodes_are_counted(tmp_path: Path) -> None:
    source = RLDSReader(write_toy_dataset(tmp_path / "toy", episodes=3, steps=8))
    read = source.episode

    def episode(index: int) -> object:
        if index == 1:
            raise FeatureError("the frames are gone")
        return read(index)

    source.episode = episode  # type: ignore[method-assign,assignment]
    finding = verify(source)[0]
    assert finding.status == "warning" and finding.found == "1 of 3 are damaged: 1; the frames are gone"


FAULTS = {
    "": lambda a: a,
    "too late by 1 step": lambda a: a[np.maximum(np.arange(len(a)) - 1, 0)],
    "too early by 2 steps": lambda a: a[np.minimum(np.arange(len(a)) + 2, len(a) - 1)],
    "each lasts as long as two": lambda a: a[::2],
    "two last as long as one": lambda a: np.repeat(a, 2, axis=0),
    "gripper has the wrong sign": lambda a: a * [1, 1, -1],
}


def integrator(actions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """States [T, 3] of a robot that adds up what it is told."""
    return np.concatenate([np.zeros((1, 3)), np.cumsum(actions, axis=0)[:-1]])


@pytest.mark.parametrize("fault", FAULTS)
def test_hypotheses_name_the_fault(fault: str) -> None:
    """Of all hypotheses, the one that brings the recorded states about is the fault."""
    generator = np.random.default_rng(1)
    told = generator.choice([-0.5, 0.25, 0.5], size=(40, 3))
    told[:4] = told[0]  # what came before an early recording is not known; a robot sets off gently
    told = np.repeat(told[::2], 2, axis=0) if "each lasts" in fault else told
    recorded = FAULTS[fault](told)
    states = integrator(told)[::2] if "each lasts" in fault else integrator(told)
    states = np.repeat(states, 2, axis=0) if "two last" in fault else states

    def gap(attempt: Attempt) -> float:
        reached = np.concatenate([integrator(attempt.actions), attempt.actions.sum(axis=0, keepdims=True)])
        known = attempt.moments >= 0
        return float(np.abs(reached[known] - states[attempt.moments[known]]).mean())

    first = as_recorded(recorded)
    assert (gap(first) == 0) == (not fault)
    if fault:
        best = min(hypotheses(recorded, make_embodiment()), key=gap)
        assert fault in best.found and best.remedy and gap(best) < 0.4 * gap(first)


class ReplayEnv:
    """Shows the first frames of an episode, and succeeds when all its actions arrive in order."""

    def __init__(self, source: RLDSReader, turned: bool = False, shift: float = 0.0) -> None:
        self.unwrapped, self.cameras = self, True
        self._source, self._turned, self._shift = source, turned, np.float32(shift)

    def reset(self, *, seed: int) -> tuple[dict[str, npt.NDArray[np.uint8]], dict[str, bool]]:
        """The toy data set's seeds are its episodes' numbers."""
        self._episode, self._right, self._step = self._source.episode(seed), True, 0
        way = -1 if self._turned else 1
        return {camera: self._episode.frame(camera, 0)[::way, ::way] for camera in self._episode.cameras}, {}

    def step(self, action: npt.NDArray[np.float32]) -> tuple[object, float, bool, bool, dict[str, bool]]:
        """Compares with the record."""
        wanted = self._episode.array("action")[self._step] + self._shift
        self._right &= bool(np.array_equal(action, wanted))
        self._step += 1
        over = self._step == len(self._episode)
        return {}, 0.0, over and self._right, over, {"success": over and self._right}

    def close(self) -> None:
        """Nothing to close."""


def install_robot(monkeypatch: pytest.MonkeyPatch, robot: Embodiment) -> None:
    """Makes it that of the only environment."""
    monkeypatch.setattr(verify_replay, "known_envs", lambda: ("toy",))
    monkeypatch.setattr(verify_replay, "known_embodiments", lambda: {"toy": robot})
    monkeypatch.setattr(verify_replay, "embodiment_of", lambda name: robot)


def test_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = RLDSReader(write_toy_dataset(tmp_path / "toy", episodes=2, steps=4))
    install_robot(monkeypatch, make_embodiment())
    monkeypatch.setattr(verify_replay, "make_env", lambda name: ReplayEnv(source))
    assert check_robot(source).status == "ok"
    good = replay(source, [0, 1])
    assert (good[0].status, good[0].found) == ("ok", "2 of 2 episodes end as recorded, 2 succeed")
    assert good[1].status == "ok"
    monkeypatch.setattr(verify_replay, "make_env", lambda name: ReplayEnv(source, turned=True))
    assert "front upside down, hand upside down" in replay(source, [0])[1].found
    monkeypatch.setattr(verify_replay, "make_env", lambda name: ReplayEnv(source, shift=0.5))
    wrong = replay(source, [0, 1])[0]
    assert (wrong.status, wrong.found) == ("warning", "0 of 2 episodes end as recorded, 0 succeed")
    assert wrong.remedy


def test_a_robot_that_is_described_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = RLDSReader(write_toy_dataset(tmp_path / "toy", episodes=1, steps=4))
    install_robot(monkeypatch, replace(make_embodiment(), control_hz=40.0))
    finding = check_robot(source)
    assert environment_of(source) == "toy"
    assert finding.status == "warning" and "control_hz: expected 40.0, found" in finding.found and finding.remedy
    install_robot(monkeypatch, replace(make_embodiment(), name="other"))
    assert environment_of(source) is None and check_robot(source).status == "unknown"


def test_the_robot_that_fits_in_all_wins_over_one_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = RLDSReader(write_toy_dataset(tmp_path / "toy", episodes=1, steps=4))
    near, exact = replace(make_embodiment(), control_hz=40.0), make_embodiment()
    monkeypatch.setattr(verify_replay, "known_embodiments", lambda: {"near": near, "exact": exact})
    assert environment_of(source) == "exact"
