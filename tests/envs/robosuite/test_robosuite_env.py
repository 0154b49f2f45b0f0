"""robosuite Lift behaves as a gymnasium environment whose seed decides every pixel."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.spatial.transform import Rotation

from embodio.envs import EnvError, InvalidAction, SimulatorError, make_env
from embodio.envs.robosuite import simulator as sim_tools
from embodio.envs.robosuite.arm import quaternion_xyzw
from embodio.envs.robosuite.env import RobosuiteEnv

pytestmark = pytest.mark.sim
STILL = np.zeros(7, np.float32)
RIGHT = np.array([0, 1, 0, 0, 0, 0, -1], np.float32)


@pytest.fixture(scope="module")
def env() -> Iterator[RobosuiteEnv]:
    made = RobosuiteEnv(horizon=6, render_mode="rgb_array")
    yield made
    made.close()


@pytest.fixture(scope="module")
def blind() -> Iterator[RobosuiteEnv]:
    made = RobosuiteEnv(horizon=6, cameras=False)
    yield made
    made.close()


def play(env: RobosuiteEnv, seed: int, action: np.ndarray = RIGHT, steps: int = 3) -> list[dict]:
    """Observations of a short episode."""
    observations = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        observations.append(env.step(action)[0])
    return observations


def assert_same(first: list[dict], second: list[dict]) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key], err_msg=key)


def test_gymnasium_accepts_it():
    made = gymnasium.make("embodio/robosuite-lift-v0", render_mode="rgb_array", image_size=32).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*infinity.*")  # the state is an open box on purpose
        check_env(made)


def test_observation_is_as_described(env):
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert info == {"success": False}
    assert observation["instruction"] == "lift the red cube"
    for camera in env.embodiment.cameras:
        assert observation[camera.name].shape == (camera.height, camera.width, camera.channels)
        assert observation[camera.name].std() > 10  # there is something to see
    assert observation["state"].dtype == np.float32


def test_same_seed_same_pixels_whatever_came_before(env):
    first = play(env, seed=11)
    play(env, seed=12, action=np.ones(7, np.float32), steps=5)
    assert_same(first, play(env, seed=11))


def test_same_seed_same_pixels_in_another_simulator(env):
    other = make_env("robosuite/lift")
    assert_same(play(env, seed=13), play(other, seed=13))
    other.close()


def test_closed_env_starts_again_with_the_same_pixels():
    made = RobosuiteEnv(image_size=32)
    first = play(made, seed=2, steps=1)
    made.close()
    assert_same(first, play(made, seed=2, steps=1))
    made.close()


def test_other_seeds_place_the_cube_elsewhere(blind):
    places = []
    for seed in range(5):
        blind.reset(seed=seed)
        places.append(blind.body_pose("cube")[0][:2])
    assert len({tuple(place) for place in places}) == 5


def test_reset_without_seed_goes_on_with_the_generator(blind):
    def two_resets() -> list[np.ndarray]:
        blind.reset(seed=5)
        first = blind.body_pose("cube")[0]
        blind.reset()
        return [first, blind.body_pose("cube")[0]]

    one, two = two_resets(), two_resets()
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one[0], one[1])


def test_images_are_upright(env):
    """The arm comes down from above: the upper edge of the scene is darker than the white table below."""
    observation, _ = env.reset(seed=0)
    image = observation["agentview"].astype(float).mean(axis=2)
    assert image[:20].mean() < image[-20:].mean() - 30
    red, green, blue = np.moveaxis(observation["agentview"].astype(float), -1, 0)
    rows, _ = np.nonzero((red > 2 * green) & (red > 2 * blue))
    assert len(rows) > 20
    assert 50 < rows.mean() < 80  # the cube, near the middle of the table


def test_render_is_a_larger_view_of_the_same_scene(env):
    observation, _ = env.reset(seed=0)
    frame = env.render()
    assert frame.shape == (256, 256, 3)
    assert frame.dtype == np.uint8
    shrunk = frame.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - observation["agentview"]).mean() < 5
    assert RobosuiteEnv().render() is None


def test_several_envs_do_not_draw_into_each_other(env):
    """Neither a second environment, nor closing it, nor dropping it unclosed changes what the first one sees."""
    first = play(env, seed=14)
    observations = [env.reset(seed=14)[0]]
    other = RobosuiteEnv(image_size=32)
    other.reset(seed=1)
    observations.append(env.step(RIGHT)[0])
    other.close()
    observations.append(env.step(RIGHT)[0])
    other.reset(seed=1)
    del other
    gc.collect()
    observations.append(env.step(RIGHT)[0])
    assert_same(first, observations)


def test_image_size_is_an_option():
    small = RobosuiteEnv(image_size=32)
    assert small.reset(seed=0)[0]["wrist"].shape == (32, 32, 3)
    assert [camera.width for camera in small.embodiment.cameras] == [32, 32]
    small.close()


def test_horizon_truncates(blind):
    blind.reset(seed=0)
    outcomes = [blind.step(STILL) for _ in range(6)]
    assert [outcome[3] for outcome in outcomes] == [False] * 5 + [True]
    assert not any(outcome[2] for outcome in outcomes)
    assert all(outcome[4] == {"success": False} for outcome in outcomes)


def test_actions_move_as_the_embodiment_says(blind):
    """Positive y moves along +y in the world frame; the gripper axis closes at its high end."""
    start = play(blind, seed=0, steps=0)[0]["state"]
    moved = play(blind, seed=0, action=np.array([0, 1, 0, 0, 0, 0, 1], np.float32), steps=5)[-1]["state"]
    assert moved[1] - start[1] > 0.02
    assert abs(moved[2] - start[2]) < 0.01
    opened = play(blind, seed=0, action=np.array([0, 0, 0, 0, 0, 0, -1], np.float32), steps=5)[-1]["state"]
    assert moved[7] - moved[8] < 0.03 < opened[7] - opened[8]


def test_positive_rotation_about_z_turns_counter_clockwise(blind):
    turn = np.array([0, 0, 0, 0, 0, 1, -1], np.float32)
    states = [observation["state"] for observation in play(blind, seed=0, action=turn, steps=5)]
    rotation = Rotation.from_quat(states[-1][3:7]) * Rotation.from_quat(states[0][3:7]).inv()
    assert rotation.as_rotvec()[2] > 0.1


def test_success_terminates_with_reward(blind):
    blind.reset(seed=0)
    simulator = blind._simulator
    joint = simulator.cube.joints[0]
    pose = simulator.sim.data.get_joint_qpos(joint).copy()
    pose[2] += 0.2
    simulator.sim.data.set_joint_qpos(joint, pose)
    _, reward, terminated, truncated, info = blind.step(STILL)
    assert (reward, terminated, truncated, info) == (1.0, True, False, {"success": True})


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros(6), r"shape \(7,\), got \(6,\)"),
        (np.zeros((1, 7)), r"shape \(7,\)"),
        (np.array([0, 0, 1.01, 0, 0, 0, 0]), "'delta_z' is 1.01"),
        (np.array([0, 0, 0, 0, 0, np.nan, 0]), "'delta_rz' is nan"),
        (np.array([0, 0, 0, 0, 0, 0, -np.inf]), "'gripper' is -inf"),
    ],
)
def test_invalid_actions_name_what_is_wrong(blind, action, message):
    blind.reset(seed=0)
    with pytest.raises(InvalidAction, match=message):
        blind.step(action)


def test_diverged_physics_is_a_simulator_error_and_reset_recovers(blind):
    expected = play(blind, seed=4)
    blind.reset(seed=4)
    blind._simulator.sim.data.qvel[:] = np.nan
    with pytest.raises(SimulatorError, match="diverged"):
        blind.step(STILL)
    assert_same(expected, play(blind, seed=4))


def test_failures_of_the_libraries_become_simulator_errors(blind, monkeypatch):
    import mujoco
    from robosuite.utils.errors import RandomizationError

    for failure in (mujoco.FatalError("broken"), RandomizationError("broken"), np.linalg.LinAlgError("broken")):
        with (
            pytest.raises(SimulatorError, match=f"{type(failure).__name__}: broken"),
            sim_tools.errors_as_simulator_error("stepping"),
        ):
            raise failure

    def fail(*_: object) -> None:
        raise mujoco.FatalError("broken")

    blind.reset(seed=0)
    monkeypatch.setattr(blind._simulator, "step", fail)
    with pytest.raises(SimulatorError, match="FatalError: broken"):
        blind.step(STILL)


def test_missing_libraries_are_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "robosuite", None)
    with pytest.raises(SimulatorError, match="apt-get install libegl1"):
        RobosuiteEnv(cameras=False).reset(seed=0)


def test_bugs_are_not_taken_for_simulator_errors(blind, monkeypatch):
    blind.reset(seed=0)
    monkeypatch.setattr(sim_tools, "require_healthy", lambda _: {}["bug"])
    with pytest.raises(KeyError):
        blind.step(STILL)


def test_misuse_is_told():
    with pytest.raises(EnvError, match=r"call reset\(\) first"):
        RobosuiteEnv().step(STILL)
    with pytest.raises(EnvError, match="horizon"):
        RobosuiteEnv(horizon=0)
    with pytest.raises(EnvError, match="render_mode"):
        RobosuiteEnv(render_mode="human")


def test_unknown_object_is_named(blind):
    blind.reset(seed=0)
    with pytest.raises(EnvError, match=r"'ball'.*cube"):
        blind.body_pose("ball")


def test_quaternion_does_not_jump_near_the_working_pose():
    """Turning and tilting about straight down never flips the sign, and the rotation stays what it is."""
    down = Rotation.from_quat([np.sqrt(0.5), np.sqrt(0.5), 0, 0])
    quaternions = []
    for angle in np.linspace(-2.5, 2.5, 101):
        rotation = Rotation.from_rotvec([0.2 * np.sin(7 * angle), 0.2 * np.cos(5 * angle), angle]) * down
        quaternions.append(quaternion_xyzw(rotation.as_matrix()))
        np.testing.assert_allclose(Rotation.from_quat(quaternions[-1]).as_matrix(), rotation.as_matrix(), atol=1e-9)
    assert np.abs(np.diff(quaternions, axis=0)).max() < 0.1
