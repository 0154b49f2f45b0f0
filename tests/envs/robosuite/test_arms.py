"""Other arms and other controls: every task can have each, and its expert acts in all of them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from embodio.envs import EnvError, InvalidAction, embodiment_of, known_envs, make_env, make_expert, run_episode
from embodio.envs.robosuite import TASKS, controls, robots
from embodio.envs.robosuite.arm import quaternion_xyzw
from embodio.envs.robosuite.control import ArmPose
from embodio.envs.robosuite.controls import CONTROLS
from embodio.envs.robosuite.embodiments import embodiment, panda_osc_pose
from embodio.envs.robosuite.robots import ROBOTS

BASE = Rotation.from_euler("z", 90, degrees=True).as_matrix()
DOWN = Rotation.from_quat([np.sqrt(0.5), np.sqrt(0.5), 0, 0])


def pose(jacobian: np.ndarray | None = None) -> ArmPose:
    return ArmPose(np.array([0.1, 0.2, 0.9]), DOWN.as_matrix(), BASE, np.eye(6) if jacobian is None else jacobian)


@pytest.mark.parametrize(("found", "folder"), [(ROBOTS, robots), (CONTROLS, controls)])
def test_every_file_of_the_folder_is_listed(found, folder) -> None:
    assert set(found) == {file.stem for file in Path(folder.__path__[0]).glob("*.py")} - {"__init__"}


@pytest.mark.parametrize(("robot", "control"), list(itertools.product(ROBOTS, CONTROLS)))
def test_every_task_can_have_every_robot_and_control(robot: str, control: str) -> None:
    for name, task in TASKS.items():
        made = embodiment(name, robot, control)
        moved = {"osc_pose": 6, "osc_pose_absolute": 7, "joint_position": len(ROBOTS[robot].joints)}[control]
        assert len(made.action.dimensions) == task.arms * (moved + task.gripper)
        env = make_env(f"robosuite/{name}", robot=robot, control=control)
        assert env.embodiment == made and env.action_space.shape == (len(made.action.dimensions),)
        variant = robot if control == "osc_pose" else f"{robot}-{control}"
        full = f"robosuite/{name}" if variant == "panda" else f"robosuite/{name}/{variant}"
        assert full in known_envs() and embodiment_of(full) == made


def test_the_usual_robot_is_as_it_was() -> None:
    usual = embodiment("lift")
    assert usual == panda_osc_pose() and usual.name == "robosuite/panda-osc-pose"
    assert [one.name for one in usual.state][-2:] == ["finger_left", "finger_right"]
    assert len({embodiment("lift", robot, control).name for robot in ROBOTS for control in CONTROLS}) == 12


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"robot": "sawer"}, r"robot: 'sawer' is not known\. Did you mean 'sawyer'"),
        ({"control": "osc_pos"}, r"control: 'osc_pos' is not known\. Did you mean 'osc_pose'"),
    ],
)
def test_unknown_ones_are_named(chosen: dict[str, str], says: str) -> None:
    with pytest.raises(EnvError, match=says):
        make_env("robosuite/lift", **chosen)


def test_a_delta_is_seen_from_the_base() -> None:
    numbers = CONTROLS["osc_pose"].moved(pose(), np.array([0.0, 0.05, 0.0]), np.array([0.5, 0.0, 0.0]))
    np.testing.assert_allclose(numbers, [1, 0, 0, 0, -1, 0], atol=1e-12)


def test_an_absolute_pose_is_that_after_the_motion_and_needs_a_rotation() -> None:
    control = CONTROLS["osc_pose_absolute"]
    numbers = control.moved(pose(), np.array([0.0, 0.1, 0.0]), np.array([0.0, 0.0, 0.3]))
    np.testing.assert_allclose(numbers[:3], [0.1, 0.3, 0.9])
    given = control.command(np.concatenate([numbers[:3], 0.5 * numbers[3:]]))
    turned = Rotation.from_rotvec(given[3:]) * DOWN.inv()
    np.testing.assert_allclose(turned.as_rotvec(), [0, 0, 0.3], atol=1e-9)
    with pytest.raises(InvalidAction, match="almost zero"):
        control.command(np.zeros(7))


def test_joints_move_the_gripper_as_wanted_and_none_of_them_too_fast() -> None:
    control, jacobian = CONTROLS["joint_position"], np.random.default_rng(0).normal(size=(6, 7))
    wanted = np.array([0.01, 0, 0, 0, 0, 0.01])
    numbers = control.moved(pose(jacobian), wanted[:3], wanted[3:])
    np.testing.assert_allclose(jacobian @ numbers * 0.2, wanted, atol=1e-3)
    assert np.abs(control.moved(pose(jacobian), 100 * wanted[:3], wanted[3:])).max() == pytest.approx(1)


def test_the_sign_of_a_quaternion_is_that_seen_from_the_base() -> None:
    plain = quaternion_xyzw(DOWN.as_matrix())
    turned = quaternion_xyzw(BASE @ DOWN.as_matrix(), BASE)
    np.testing.assert_allclose((Rotation.from_matrix(BASE) * Rotation.from_quat(plain)).as_quat(), turned, atol=1e-9)


@pytest.mark.sim
@pytest.mark.parametrize("name", ["lift/sawyer-joint_position", "lift/ur5e-osc_pose_absolute"])
def test_an_expert_acts_in_other_arms(name: str) -> None:
    env = make_env(f"robosuite/{name}", cameras=False)
    assert run_episode(env, make_expert(f"robosuite/{name}", env), seed=3000).status == "success"
    assert env.observation_space.contains(env.reset(seed=1)[0])
    env.close()


@pytest.mark.sim
@pytest.mark.slow
@pytest.mark.parametrize("variant", ["sawyer", "iiwa", "ur5e", "panda-joint_position", "panda-osc_pose_absolute"])
def test_the_expert_lifts_with_every_arm(variant: str) -> None:
    env = make_env(f"robosuite/lift/{variant}", cameras=False)
    results = [run_episode(env, make_expert(f"robosuite/lift/{variant}", env), seed=seed) for seed in (3000, 3001)]
    assert [result.status for result in results] == ["success"] * 2
    env.close()
