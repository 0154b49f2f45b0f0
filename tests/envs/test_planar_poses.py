"""Planar poses: degrees and quaternions, and the way back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from embodio.envs.errors import InvalidAction
from embodio.envs.planar_poses import from_planar, quaternions_of, to_planar, yaw_degrees

STAY = (0.5, 0.0, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("quaternion", "degrees"),
    [
        ((0, 0, 0, 1), 0.0),
        ((0, 0, math.sin(math.pi / 4), math.cos(math.pi / 4)), 90.0),  # half of 90 degrees, in radians
        ((0, 0, 1, 0), 180.0),
        ((0, 0, -math.sin(math.pi / 4), math.cos(math.pi / 4)), 270.0),
        ((0, 0, 0, -1), 0.0),
        ((0, 0, 3.0, 3.0), 90.0),
    ],
)
def test_turns_are_degrees(quaternion: tuple[float, ...], degrees: float) -> None:
    assert yaw_degrees(quaternion) == pytest.approx(degrees, abs=1e-9)
    back = quaternions_of(degrees)
    unit = np.array(quaternion) / np.linalg.norm(quaternion)
    assert abs(float(back @ unit)) == pytest.approx(1.0) and back[3] >= 0


@given(st.floats(-720, 720))
def test_a_turn_comes_back(degrees: float) -> None:
    found = float(yaw_degrees(quaternions_of(degrees)))
    assert 0 <= found < 360
    assert abs(math.remainder(found - degrees, 360)) < 1e-4


@given(arrays.arrays(np.float64, (3, 6), elements=st.floats(0, 1)))
def test_planar_actions_come_back(shares: np.ndarray) -> None:
    planar = shares * np.array([0.5, 1.0, 360.0, 0.5, 1.0, 360.0])
    actions = from_planar(planar)
    assert actions.dtype == np.float32 and actions.shape == (3, 12)
    assert np.allclose(np.linalg.norm(actions[:, 2:6], axis=1), 1, atol=1e-6)
    gap = np.abs(to_planar(actions) - planar)
    gap[:, [2, 5]] = np.minimum(gap[:, [2, 5]], 360 - gap[:, [2, 5]])  # a full turn is none
    assert gap.max() < 1e-4


def test_a_tiny_negative_turn_is_less_than_a_full_one() -> None:
    assert 0 <= float(yaw_degrees((0, 0, -1e-300, 1))) < 360


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([*STAY, 0.5, 0, 0.3, 0, 0, 1], "tilts"),
        ([*STAY, 0.5, 0, 0, 0, 0, 0], "is zero"),
        ([*STAY, math.nan, 0, 0, 0, 0, 1], "not finite"),
        (STAY, "expected 12 numbers"),
    ],
)
def test_no_planar_pose(action: list[float], message: str) -> None:
    with pytest.raises(InvalidAction, match=message):
        to_planar(action)


@pytest.mark.parametrize("planar", [[0.5] * 5, [math.nan] * 6])
def test_no_planar_action(planar: list[float]) -> None:
    with pytest.raises(InvalidAction):
        from_planar(planar)
    with pytest.raises(InvalidAction):
        quaternions_of(math.inf)
