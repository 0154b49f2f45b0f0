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
from embodio.envs.robosuite.arm import Arm, arms
from embodio.envs.robosuite.controls import CONTROLS
from embodio.envs.robosuite.embodiments import CONTROL_HZ, DEFAULT_CONTROL, DEFAULT_ROBOT, embodiment, simulator_cameras
from embodio.envs.robosuite.tasks import TASKS

if TYPE_CHECKING:
    from robosuite.environments.manipulation.manipulation_env import ManipulationEnv

Observation = dict[str, Any]

_RENDER_SIZE = 256  # pixels, for videos


class RobosuiteEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One robosuite task with one arm or two.

    An observation is a dict of
        agentview, wrist (wrist0, wrist1 with two arms): upright RGB images, uint8 [image_size, image_size, 3] (absent
            with `cameras=False`);
        state: float32 [S], of each arm: gripper position xyz (m, world frame), gripper rotation as quaternion xyzw with
            a continuous sign, the positions of its fingers if it has any, and under joint control the joints' angles;
        instruction: the instruction as text.
    An action is float32 [A], for each arm the numbers of its control and then its gripper; `embodiment` describes each
    number of both. A Panda under its default control has 9 and 7.

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
        robot: str = DEFAULT_ROBOT,
        control: str = DEFAULT_CONTROL,
        horizon: int | None = None,
        cameras: bool = True,
        image_size: int = 128,
        render_mode: str | None = None,
    ) -> None:
        """Configure the environment; the simulator itself starts at the first `reset`.

        Args:
            task: a key of `TASKS`.
            robot: the arm, a key of `ROBOTS`.
            control: what the numbers of an action mean, a key of `CONTROLS`.
            horizon: number of steps after which an episode is truncated; None for that of the task.
            cameras: whether observations hold images; without them a step is several times faster.
            image_size: height and width of the images, in pixels.
            render_mode: None, or "rgb_array" for a larger view of the scene from `render`.

        Raises:
            UnknownEnv: the task is unknown.
            EnvError: `robot`, `control` or `render_mode` is unknown, or `horizon` is not positive.
        """
        if task not in TASKS:
            raise UnknownEnv(task, TASKS)
        require_settings(horizon, render_mode)
        self.task = TASKS[task]
        self.horizon = self.task.horizon if horizon is None else horizon
        self.cameras = cameras
        self.render_mode = render_mode
        self.embodiment = embodiment(task, robot, control, image_size)
        self.robot, self.control = robot, control
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
            action: float32 [A], within the limits of `embodiment`.

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
                simulator.step(self._for_simulator(command))
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
        return sim_tools.render(self._running(), "agentview", _RENDER_SIZE, self._decorations)

    def close(self) -> None:
        """Stop the simulator and free its memory; `reset` would start it again."""
        stop, self._stop, self._simulator = self._stop, None, None
        if stop is not None:
            stop()

    def body_pose(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pose of an object in the world frame: position [3] (m) and rotation matrix [3, 3].

        This is privileged information for scripted experts, not for policies.

        Args:
            name: of an object, or of a body of the model, such as "Door_latch".

        Raises:
            EnvError: the environment was not reset, or has no such object.
        """
        simulator = self._running()
        objects = {item.name: item.root_body for item in simulator.model.mujoco_objects}
        body, known = objects.get(name, name), simulator.sim.model.body_names
        if body not in known:
            raise EnvError(f"there is no object {name!r} in this task; there are: {', '.join((*objects, *known))}")
        index = simulator.sim.model.body_name2id(body)
        data = simulator.sim.data
        return np.array(data.body_xpos[index]), np.array(data.body_xmat[index]).reshape(3, 3)

    @property
    def simulator(self) -> ManipulationEnv:
        """The simulator of the present episode, privileged information for experts, not for policies.

        Raises:
            EnvError: the environment was not reset.
        """
        return self._running()

    def arms(self) -> list[Arm]:
        """The arms, with what scripted experts may know of them and policies may not.

        Raises:
            EnvError: the environment was not reset.
        """
        return arms(self._running())

    def mujoco_world(self) -> MujocoWorld:
        """The present simulation, for perturbations.

        Raises:
            EnvError: the environment was not reset.
        """
        sim = self._running().sim
        return MujocoWorld(
            model=sim.model._model,
            data=sim.data._data,
            cameras=simulator_cameras(self.task) if self.cameras else {},
            groups=sim_tools.GEOM_GROUPS,
            upload=partial(sim_tools.upload_texture, self._running()),
            observe=self._observe,
            decorations=self._decorations,
        )

    def _observe(self) -> Observation:
        simulator, names = self._running(), simulator_cameras(self.task)
        observation: Observation = {
            camera.name: sim_tools.render(simulator, names[camera.name], camera.height, self._decorations)
            for camera in (self.embodiment.cameras if self.cameras else ())
        }
        observation["state"] = self._state()
        observation["instruction"] = self.task.instruction
        return observation

    def _state(self) -> NDArray[np.float32]:
        """Proprioception of all arms, float32 [S]."""
        joints = CONTROLS[self.control].joints
        return np.concatenate([arm.state(self.task.gripper, joints) for arm in self.arms()]).astype(np.float32)

    def _for_simulator(self, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """What robosuite is given for an action."""
        control, fingers = CONTROLS[self.control], int(self.task.gripper)
        given = []
        for part in np.split(action, self.task.arms):
            given += [control.command(part[: len(part) - fingers]), part[len(part) - fingers :]]
        return np.concatenate(given)

    def _running(self) -> ManipulationEnv:
        if self._simulator is None:
            raise EnvError("the environment is not running; call reset() first")
        return self._simulator

    def _start(self) -> ManipulationEnv:
        simulator = sim_tools.start(
            self.task.class_name,
            offscreen=self.cameras or self.render_mode is not None,
            robot=self.robot,
            control=self.control,
            arms=self.task.arms,
            gripper=self.task.gripper,
        )
        # Also frees the simulator of an environment that is garbage-collected without being closed.
        finalizer = weakref.finalize(self, sim_tools.stop, simulator)
        finalizer.atexit = False
        self._simulator, self._stop = simulator, finalizer
        return simulator

    def _discard_broken(self) -> None:
        """Drop a failed simulator, so that the next `reset` starts a new one."""
        with contextlib.suppress(SimulatorError):  # the original failure is being reported
            self.close()
