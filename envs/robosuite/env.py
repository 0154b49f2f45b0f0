"""RobosuiteEnv: a robosuite task as a gymnasium environment, reproducible to the pixel from its seed."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodio.envs.actions import action_box, checked_action
from embodio.envs.errors import EnvError, SimulatorError, UnknownEnv
from embodio.envs.observation_space import RENDER_MODES, observation_space, require_settings
from embodio.envs.perturbing.mujoco_world import Decoration, MujocoWorld
from embodio.envs.robosuite import simulator as sim_tools
from embodio.envs.robosuite.panda import CONTROL_HZ, SIMULATOR_CAMERAS, panda_osc_pose
from embodio.envs.robosuite.tasks import TASKS

if TYPE_CHECKING:
    from robosuite.environments.manipulation.manipulation_env import ManipulationEnv

Observation = dict[str, Any]

_RENDER_SIZE = 256  # pixels, for videos
# The gripper points down with its fingers along y. A quaternion and its negative are the same rotation; the one nearest
# to this pose is used, so that the sign changes only half a turn away from it.
_REFERENCE_QUATERNION = np.array([1.0, 1.0, 0.0, 0.0]) / np.sqrt(2.0)


class RobosuiteEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One robosuite task with a Panda arm.

    An observation is a dict of
        agentview, wrist: upright RGB images, uint8 [image_size, image_size, 3] (absent with `cameras=False`);
        state: float32 [9], gripper position xyz (m, world frame), gripper rotation as quaternion xyzw with a
            continuous sign, the two finger positions (m);
        instruction: the instruction as text.
    An action is float32 [7] in [-1, 1]; `embodiment` describes each number.

    `terminated` means success (also `info["success"]`); `truncated` means that `horizon` steps have passed. The same
    seed given to `reset` yields the same pixels, whatever happened before and in any process.

    Works in gymnasium's vector environments. If a graphics card renders, give AsyncVectorEnv `context="spawn"`: its
    driver does not survive the fork of a process that has already rendered.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (declared so by gymnasium)
        "render_modes": RENDER_MODES,
        "render_fps": int(CONTROL_HZ),
    }

    def __init__(
        self,
        task: str = "lift",
        horizon: int = 200,
        cameras: bool = True,
        image_size: int = 128,
        render_mode: str | None = None,
    ) -> None:
        """Configure the environment; the simulator itself starts at the first `reset`.

        Args:
            task: a key of `TASKS`.
            horizon: number of steps after which an episode is truncated.
            cameras: whether observations hold images; without them a step is several times faster.
            image_size: height and width of the images, in pixels.
            render_mode: None, or "rgb_array" for a larger view of the scene from `render`.

        Raises:
            UnknownEnv: the task is unknown.
            EnvError: `horizon` is not positive or `render_mode` is unknown.
        """
        if task not in TASKS:
            raise UnknownEnv(task, TASKS)
        require_settings(horizon, render_mode)
        self.task = TASKS[task]
        self.horizon = horizon
        self.cameras = cameras
        self.render_mode = render_mode
        self.embodiment = panda_osc_pose(image_size)
        self.action_space = action_box(self.embodiment.action.dimensions)
        self.observation_space = observation_space(self.embodiment, cameras)
        self._simulator: ManipulationEnv | None = None
        self._stop: Callable[[], object] | None = None
        self._steps = 0
        self._decorations: list[Decoration] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: determines the episode completely; None continues with the current generator.
            options: not used.

        Returns:
            The first observation and `{"success": False}`.

        Raises:
            SimulatorError: the simulator could not be started or reset.
        """
        super().reset(seed=seed)
        simulator = self._simulator or self._start()
        self._steps = 0
        try:
            with sim_tools.errors_as_simulator_error("resetting the simulator"):
                sim_tools.seed(simulator, self.np_random)
                simulator.reset()
            sim_tools.require_healthy(simulator)
            return self._observe(), {"success": False}
        except SimulatorError:
            self._discard_broken()
            raise

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Execute one action for 1/20 s.

        Args:
            action: float32 [7] in [-1, 1].

        Returns:
            observation, reward (1.0 on success, else 0.0), terminated, truncated, info with "success".

        Raises:
            InvalidAction: the shape is wrong, or a number is not finite or outside the limits; names the dimension.
            SimulatorError: the simulator failed. The next `reset` starts a new one.
        """
        command = checked_action(action, self.embodiment.action.dimensions)
        simulator = self._running()
        try:
            with sim_tools.errors_as_simulator_error("stepping the simulator"):
                simulator.step(command)
                success = self.task.success(simulator)
            sim_tools.require_healthy(simulator)
            observation = self._observe()
        except SimulatorError:
            self._discard_broken()
            raise
        self._steps += 1
        return observation, float(success), success, self._steps >= self.horizon, {"success": success}

    def render(self) -> NDArray[np.uint8] | None:
        """The scene as uint8 [256, 256, 3] if `render_mode` is "rgb_array", else None."""
        if self.render_mode is None:
            return None
        return sim_tools.render(self._running(), SIMULATOR_CAMERAS["agentview"], _RENDER_SIZE, self._decorations)

    def close(self) -> None:
        """Stop the simulator and free its memory; `reset` would start it again."""
        stop, self._stop, self._simulator = self._stop, None, None
        if stop is not None:
            stop()

    def body_pose(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pose of an object in the world frame: position [3] (m) and rotation matrix [3, 3].

        This is privileged information for scripted experts, not for policies.

        Raises:
            EnvError: the environment was not reset, or has no such object.
        """
        simulator = self._running()
        bodies = {item.name: item.root_body for item in simulator.model.mujoco_objects}
        if name not in bodies:
            raise EnvError(f"there is no object {name!r} in this task; there are: {', '.join(bodies)}")
        index = simulator.sim.model.body_name2id(bodies[name])
        data = simulator.sim.data
        return np.array(data.body_xpos[index]), np.array(data.body_xmat[index]).reshape(3, 3)

    def mujoco_world(self) -> MujocoWorld:
        """The present simulation, for perturbations.

        Raises:
            EnvError: the environment was not reset.
        """
        sim = self._running().sim
        return MujocoWorld(
            model=sim.model._model,
            data=sim.data._data,
            cameras=SIMULATOR_CAMERAS if self.cameras else {},
            groups=sim_tools.GEOM_GROUPS,
            upload=partial(sim_tools.upload_texture, self._running()),
            observe=self._observe,
            decorations=self._decorations,
        )

    def _observe(self) -> Observation:
        simulator = self._running()
        observation: Observation = {
            camera.name: sim_tools.render(simulator, SIMULATOR_CAMERAS[camera.name], camera.height, self._decorations)
            for camera in (self.embodiment.cameras if self.cameras else ())
        }
        observation["state"] = self._state(simulator)
        observation["instruction"] = self.task.instruction
        return observation

    @staticmethod
    def _state(simulator: ManipulationEnv) -> NDArray[np.float32]:
        """Proprioception, float32 [9]: gripper position, gripper quaternion xyzw, two finger positions."""
        robot, data = simulator.robots[0], simulator.sim.data
        arm = robot.arms[0]
        site = robot.eef_site_id[arm]
        fingers = data.qpos[robot._ref_gripper_joint_pos_indexes[arm]]
        rotation = np.asarray(data.site_xmat[site]).reshape(3, 3)
        return np.concatenate([data.site_xpos[site], quaternion_xyzw(rotation), fingers]).astype(np.float32)

    def _running(self) -> ManipulationEnv:
        if self._simulator is None:
            raise EnvError("the environment is not running; call reset() first")
        return self._simulator

    def _start(self) -> ManipulationEnv:
        simulator = sim_tools.start(self.task.class_name, offscreen=self.cameras or self.render_mode is not None)
        # Also frees the simulator of an environment that is garbage-collected without being closed.
        finalizer = weakref.finalize(self, sim_tools.stop, simulator)
        finalizer.atexit = False
        self._simulator, self._stop = simulator, finalizer
        return simulator

    def _discard_broken(self) -> None:
        """Drop a failed simulator, so that the next `reset` starts a new one."""
        with contextlib.suppress(SimulatorError):  # the original failure is being reported
            self.close()


def quaternion_xyzw(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quaternion [4] (x, y, z, w) of a rotation matrix [3, 3], with the sign nearest to pointing down."""
    import mujoco

    wxyz = np.empty(4)
    mujoco.mju_mat2Quat(wxyz, np.ascontiguousarray(rotation, np.float64).ravel())
    xyzw = wxyz[[1, 2, 3, 0]]
    return xyzw if xyzw @ _REFERENCE_QUATERNION >= 0 else -xyzw
