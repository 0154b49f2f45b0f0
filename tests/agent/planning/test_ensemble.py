"""Ensembles average rotations as rotations: whole turns change nothing, near ones average as numbers, limits hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from embodio.agent import Agent, AgentError, AgentOptions
from embodio.agent.planning.ensemble import Ensemble
from embodio.envs.embodiment import ActionSpec, Dimension
from embodio.envs.vima.robot import vima_pick_place
from tests.support.agent.policies import make_checkpoint
from tests.support.agent.robots import observation_of, poses, require_valid

FORMS = {
    "yaw": ("yaw",),
    "axis_angle": ("rx", "ry", "rz"),
    "euler_xyz": ("roll", "pitch", "yaw"),
    "euler_zyx": ("yaw", "pitch", "roll"),
    "quaternion": ("qx", "qy", "qz", "qw"),
}
UNITS = {"rad": 1.0, "degrees": math.pi / 180, "0.5 rad": 0.5, "turn": 2 * math.pi}
SEEDS = st.integers(0, 10_000)


def robot(form: str, unit: str = "rad", reach: float = math.pi, mode: str = "absolute") -> ActionSpec:
    """x, a rotation of at most `reach` radians per number, and a gripper."""
    unit, reach = ("quaternion", 1.0) if form == "quaternion" else (unit, reach / UNITS[unit])
    turns = (Dimension(name, unit, -reach, reach) for name in FORMS[form])
    dimensions = (Dimension("x", "m", -1.0, 1.0), *turns, Dimension("gripper", "", 0.0, 1.0, "binary"))
    return ActionSpec(dimensions, mode, "base", form, "closed_is_high", "test")  # type: ignore[arg-type]


def rotations(form: str, unit: str, predictions: np.ndarray) -> Rotation:
    part = predictions[..., 1:-1].astype(np.float64) * (1.0 if form == "quaternion" else UNITS[unit])
    if form == "yaw":
        return Rotation.from_euler("z", part)
    if form == "axis_angle":
        return Rotation.from_rotvec(part)
    if form == "quaternion":
        return Rotation.from_quat(part)
    return Rotation.from_euler("xyz", part[..., :: -1 if form == "euler_zyx" else 1])


def random(spec: ActionSpec, seed: int, count: int, spread: float | None = None) -> np.ndarray:
    """Predictions inside the limits; with a spread, all that near to the first, in shares of the range."""
    generator = np.random.default_rng(seed)
    low, high = (np.array([getattr(d, end) for d in spec.dimensions]) for end in ("low", "high"))
    values = generator.uniform(low, high, (count, len(low)))
    if spread is not None:
        centre = low + (high - low) * generator.uniform(0.35, 0.65, len(low))
        values = centre + (values - centre) * spread
    values[:, -1] = generator.integers(0, 2, count)
    return values.astype(np.float32)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25)  # of each of the twenty kinds
@given(seed=SEEDS, count=st.integers(2, 8), decay=st.floats(0, 2))
def test_the_mean_is_that_of_rotations_and_stays_inside(
    form: str, unit: str, seed: int, count: int, decay: float
) -> None:
    spec = robot(form, unit)
    predictions = random(spec, seed, count)
    action = Ensemble(spec, decay)(predictions)
    weights = np.exp(-decay * np.arange(count))
    for value, d in zip(action.tolist(), spec.dimensions, strict=True):
        assert d.low <= value <= d.high
    assert action[0] == pytest.approx(np.average(predictions[:, 0], weights=weights), abs=1e-6)
    assert action[-1] in (0.0, 1.0)
    expected = rotations(form, unit, predictions).mean(weights)
    off = (rotations(form, unit, action[None])[0] * expected.inv()).magnitude()
    assert off < 1e-3


@pytest.mark.parametrize("form", FORMS)
@given(seed=SEEDS, turns=st.lists(st.integers(-2, 2), min_size=4, max_size=4))
def test_whole_turns_change_nothing(form: str, seed: int, turns: list[int]) -> None:
    spec = robot(form, reach=6 * math.pi)
    first = random(robot(form), seed, 4)
    turned = first.astype(np.float64)
    for row, turn in enumerate([*turns[:3], 0]):  # the newest says in which turn the result is written
        if form == "quaternion":
            turned[row, 1:-1] *= -1.0 if turn % 2 else 1.0
        elif form == "axis_angle":
            vector = turned[row, 1:-1]
            vector += vector / np.linalg.norm(vector) * (2 * math.pi * turn)
        else:
            turned[row, 1 + row % len(FORMS[form])] += 2 * math.pi * turn
    found = [Ensemble(spec, 0.3)(values.astype(np.float32)) for values in (first, turned)]
    np.testing.assert_allclose(found[0], found[1], atol=2e-4)


@pytest.mark.parametrize("form", FORMS)
@given(seed=SEEDS, count=st.integers(1, 6))
def test_near_predictions_average_as_numbers_and_equal_ones_stay(form: str, seed: int, count: int) -> None:
    spec = robot(form)
    near, weights = random(spec, seed, count, spread=1e-3), np.exp(-0.5 * np.arange(count))
    mean = np.average(near.astype(np.float64), axis=0, weights=weights)[:-1]
    found = Ensemble(spec, 0.5)(near)
    if form == "quaternion" and count > 1:
        mean[1:] /= np.linalg.norm(mean[1:])
    np.testing.assert_allclose(found[:-1], mean, atol=2e-4)
    same = np.repeat(random(spec, seed, 1), count, axis=0)
    np.testing.assert_array_equal(Ensemble(spec, 0.5)(same), same[0])


@pytest.mark.parametrize("form", ["yaw", "axis_angle", "euler_xyz"])
def test_deltas_and_poses_that_do_not_turn_are_averaged_as_numbers(form: str) -> None:
    spec = robot(form, mode="delta")
    predictions = random(spec, 3, 5)
    found = Ensemble(spec, 0.0)(predictions)
    np.testing.assert_allclose(found[:-1], predictions[:, :-1].mean(axis=0), atol=1e-6)


def test_turns_across_the_end_of_their_range() -> None:
    spec = vima_pick_place().action
    predictions = np.tile(np.array([0, 0.5, 0, 350, 0.5, 0, 5], np.float32), (2, 1))
    predictions[1, [3, 6]] = 20, 355
    found = Ensemble(spec, 0.0)(predictions)
    np.testing.assert_allclose(found[[3, 6]], [5, 360], atol=1e-3)  # 360 is nearer to the newest, 355, than 0
    opposed = predictions.copy()
    opposed[:, 3] = 90, 270
    assert Ensemble(spec, 0.0)(opposed)[3] == 270  # nothing lies in the middle: the newest
    down = Ensemble(robot("euler_xyz"), 0.0)(np.array([[0, 3.0, 1.5707964, 0.2, 0], [0, 2.9, 1.5707964, 0.1, 0]], "f4"))
    np.testing.assert_allclose(down[1:4], [2.9, math.pi / 2, 0.1], atol=1e-3)


def test_a_mean_beyond_the_limits_leaves_the_newest() -> None:
    spec = ActionSpec((Dimension("yaw", "degrees", 0.0, 270.0),), "absolute", "base", "yaw", "none", "test")
    assert Ensemble(spec, 0.0)(np.array([[10], [260]], np.float32)) == 260
    assert Ensemble(spec, 0.0)(np.array([[10], [60]], np.float32)) == 35
    quaternion = robot("quaternion")
    nothing = np.zeros((2, 6), np.float32)
    nothing[1, 1] = 1e-20
    np.testing.assert_array_equal(Ensemble(quaternion, 0.0)(nothing), nothing[1])


@pytest.mark.parametrize(
    ("form", "units"),
    [("euler_xyz", ("rad", "rad", "")), ("yaw", ("", "", "")), ("quaternion", ("rad", "rad", "rad"))],
)
def test_a_rotation_that_is_not_declared_is_refused(form: str, units: tuple[str, ...]) -> None:
    dimensions = tuple(Dimension(f"d{index}", unit, -1.0, 1.0) for index, unit in enumerate(units))
    spec = ActionSpec(dimensions, "absolute", "base", form, "none", "test")  # type: ignore[arg-type]
    with pytest.raises(AgentError, match=rf"ensemble: .*{form}.*correct units in the embodiment"):
        Ensemble(spec, 0.0)


def test_an_agent_of_poses_plays_its_ensemble() -> None:
    policy_format = poses(whole_episode=False, separator=",")
    agent = Agent(make_checkpoint(policy_format), options=AgentOptions(replan=1, ensemble=0.1))
    agent.reset(instruction="put it there")
    for step in range(6):
        require_valid(policy_format, agent.act(observation_of(policy_format, step)))
