"""The expert that brings an object to a goal: each phase follows from the present poses alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from embodio.envs import make_env, make_expert, run_episode
from embodio.envs.robosuite.pick_place import Grasp, PickPlaceExpert
from embodio.envs.robosuite.reaching import heading, pointing_down, yaw_to_hold

DOWN = Rotation.from_quat([np.sqrt(0.5), np.sqrt(0.5), 0, 0])
OPEN, HELD = 0.08, 0.041
GOAL = np.array([0.2, 0.1, 0.87])


class FakeObject:
    """An object somewhere, for experts that look into their environment."""

    def __init__(self, *position: float, yaw: float = 0.0) -> None:
        self.position, self.rotation = np.array(position), Rotation.from_rotvec([0, 0, yaw]).as_matrix()

    def body_pose(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        assert name == "block"
        return self.position, self.rotation


def act(thing: FakeObject, gripper: Any, opening: float) -> np.ndarray:
    expert = PickPlaceExpert(thing, Grasp("block", width=0.04, symmetry=np.pi / 2), lambda poses: GOAL)
    state = np.concatenate([gripper, DOWN.as_quat(), [opening / 2, -opening / 2]]).astype(np.float32)
    action = expert.act({"state": state})
    assert action.dtype == np.float32 and np.abs(action).max() <= 1
    return action


def test_comes_with_open_fingers_and_descends_only_when_above() -> None:
    far = act(FakeObject(0.1, -0.1, 0.82), (0, 0, 0.9), OPEN)
    assert far[0] == 1 and far[1] == -1 and far[6] == -1
    beside = act(FakeObject(0, 0, 0.82), (0.05, 0, 0.85), OPEN)
    assert beside[2] > 0
    above = act(FakeObject(0, 0, 0.82), (0, 0, 0.88), OPEN)
    assert above[2] == -1


def test_closes_around_the_object_and_lifts_before_it_carries() -> None:
    closing = act(FakeObject(0, 0, 0.82), (0.002, 0, 0.822), OPEN)
    assert closing[6] == 1 and np.abs(closing[:3]).max() < 0.1
    lifting = act(FakeObject(0, 0, 0.82), (0, 0, 0.82), HELD)
    assert lifting[6] == 1 and lifting[2] == 1 and np.abs(lifting[:2]).max() == 0
    carrying = act(FakeObject(0, 0, 0.95), (0, 0, 0.95), HELD)
    assert carrying[6] == 1 and carrying[0] == 1 and abs(carrying[2]) < 0.1


def test_lowers_the_object_over_the_goal_lets_go_and_retreats() -> None:
    x, y, z = GOAL
    lowering = act(FakeObject(x, y, z + 0.08), (x, y, z + 0.08), HELD)
    assert lowering[6] == 1 and lowering[2] == -1
    releasing = act(FakeObject(x, y, z), (x, y, z), HELD)
    assert releasing[6] == -1 and np.abs(releasing[:3]).max() == 0
    retreating = act(FakeObject(x, y, z), (x, y, z), OPEN)
    assert retreating[6] == -1 and retreating[2] == 1


def test_opens_again_when_nothing_was_caught() -> None:
    assert act(FakeObject(0, 0, 0.82), (0, 0, 0.82), 0.01)[6] == -1


@pytest.mark.parametrize("yaw", np.linspace(-3, 3, 7))
def test_a_box_is_held_across_its_narrow_side(yaw: float) -> None:
    box = Rotation.from_rotvec([0, 0, yaw]).as_matrix()
    turned = pointing_down(heading(DOWN) + yaw_to_hold(DOWN, box, np.pi, axis=0))
    assert abs(np.cos(heading(turned) - yaw)) == pytest.approx(1)
    assert yaw_to_hold(DOWN, box, 0.0) == 0
    assert abs(yaw_to_hold(DOWN, box, np.pi / 2)) <= np.pi / 4 + 1e-9


@pytest.mark.sim
@pytest.mark.parametrize("task", ["stack", "pick_place_can"])
def test_the_expert_solves_the_task(task: str) -> None:
    env = make_env(f"robosuite/{task}", cameras=False)
    assert run_episode(env, make_expert(f"robosuite/{task}", env), seed=770000).status == "success"
    env.close()
