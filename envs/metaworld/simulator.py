"""TaskSimulator: Meta-World's simulation of one task, seeded, with quick rendering and the goal in its right place."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.errors import SimulatorError
from embodio.envs.family import Simulator
from embodio.envs.headless_mujoco import GL_REMEDY, errors_as_simulator_error, prefer_headless, require_healthy
from embodio.envs.metaworld.robot import CAMERAS
from embodio.envs.perturbing.mujoco_world import Decoration, MujocoWorld

SIMULATOR = Simulator(
    "metaworld",
    "run `pip install --no-deps metaworld==3.1.1 imageio==2.38.1`; its own dependencies would bring an older MuJoCo",
)
_VERSION = "v3"
_UPSIDE_DOWN = "corner2"
_GEOM_GROUPS = (True, True, True, False, False, False)
"""Which of MuJoCo's groups of geoms its renderer draws."""
_CORNER2 = (0.75, 0.075, 0.7)
"""Position of the camera corner2 (m); as shipped it shows objects a few pixels wide."""


class TaskSimulator:
    """One task of Meta-World. It draws its scenes from the generator given to `reset`, and never ends by itself.

    Attributes:
        observation: the simulator's own observation, float64 [39], with the poses of objects and the goal: privileged
            information for experts.
        decorations: shapes that are drawn into every image and are not there.
    """

    def __init__(self, task: str) -> None:
        """Loads the model; OpenGL starts with the first picture.

        Args:
            task: Meta-World's name without version, such as "door-open".

        Raises:
            EnvError: Meta-World is not installed.
            SimulatorError: it cannot be imported or started.
        """
        SIMULATOR.require()
        prefer_headless()
        try:
            classes = importlib.import_module("metaworld.env_dict").ALL_V3_ENVIRONMENTS
        except (ImportError, AttributeError) as error:
            raise SimulatorError(f"metaworld cannot be imported: {error}. {GL_REMEDY}") from error
        with errors_as_simulator_error("starting the simulator"):
            env = classes[f"{task}-{_VERSION}"]()
        env.seeded_rand_vec, env._freeze_rand_vec, env._set_task_called = True, False, True
        env._partially_observable = False
        env.__dict__.pop("sawyer_observation_space", None)  # cached without the goal
        env.max_path_length = np.inf  # the environment around it counts steps
        self._env = env
        self._pictures = _Pictures(env.model)
        self.observation: NDArray[np.float64] = np.zeros(0)
        self.decorations: list[Decoration] = []

    def reset(self, generator: np.random.Generator) -> None:
        """Sets up a scene drawn from `generator`.

        Raises:
            SimulatorError: the simulator failed.
        """
        import mujoco

        env = self._env
        env.np_random = generator
        with errors_as_simulator_error("resetting the simulator"):
            mujoco.mj_resetData(env.model, env.data)  # what the last episode did must not matter
            env.reset()
            # Meta-World leaves the marker of the goal where the last scene had it, until the first step.
            mujoco.mj_forward(env.model, env.data)
            self.observation = env._get_obs()
        require_healthy(env.data)

    def step(self, action: NDArray[np.float64]) -> bool:
        """Simulates 1/80 s; returns whether the task is done by Meta-World's own rule.

        Raises:
            SimulatorError: the simulator failed.
        """
        with errors_as_simulator_error("stepping the simulator"):
            self.observation, *_, info = self._env.step(action)
        require_healthy(self._env.data)
        return bool(info["success"])

    def render(self, camera: str, size: int) -> NDArray[np.uint8]:
        """An upright RGB image, uint8 [size, size, 3].

        Raises:
            SimulatorError: there is no OpenGL to render with, or it failed.
        """
        image = self._pictures.render(self._env.data, camera, size, self.decorations)
        return np.ascontiguousarray(image[::-1, ::-1] if camera == _UPSIDE_DOWN else image)

    def world(self, observe: Callable[[], Any]) -> MujocoWorld:
        """The simulation for perturbations.

        Args:
            observe: makes the observation of the present state.
        """
        return MujocoWorld(
            model=self._env.model,
            data=self._env.data,
            cameras={name: name for name in CAMERAS},
            groups=_GEOM_GROUPS,
            upload=self._pictures.upload,
            observe=observe,
            decorations=self.decorations,
        )

    def close(self) -> None:
        """Frees OpenGL."""
        self._pictures.close()


class _Pictures:
    """The OpenGL side of a model, in a tenth of the time of the simulator's own settings.

    Multi-sampling, shadows and reflections are off.
    """

    def __init__(self, model: Any) -> None:
        model.vis.quality.offsamples = 0
        model.vis.quality.shadowsize = 1
        model.mat_reflectance[:] = 0
        model.cam_pos[model.camera(_UPSIDE_DOWN).id] = _CORNER2
        self._model = model
        self._renderers: dict[int, Any] = {}

    def render(self, data: Any, camera: str, size: int, decorations: Sequence[Decoration] = ()) -> NDArray[np.uint8]:
        renderer = self._renderers.get(size) or self._start(size)
        with errors_as_simulator_error(f"rendering camera {camera!r}"):
            renderer.update_scene(data, camera)
            for decoration in decorations:
                decoration.draw(renderer.scene)
            image: NDArray[np.uint8] = renderer.render()
        return image

    def upload(self, texture: int) -> None:
        """Gives the renderers a texture that was changed in the model; those that start later take it from there."""
        import mujoco

        for renderer in self._renderers.values():
            with errors_as_simulator_error("changing a texture"):
                renderer._gl_context.make_current()
                mujoco.mjr_uploadTexture(self._model, renderer._mjr_context, texture)

    def _start(self, size: int) -> Any:
        import mujoco

        try:
            with errors_as_simulator_error("starting the renderer"):
                renderer = mujoco.Renderer(self._model, size, size)
        except RuntimeError as error:  # MuJoCo's words for a machine without OpenGL
            raise SimulatorError(f"nothing can be rendered: {error}. {GL_REMEDY}") from error
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            renderer.scene.flags[flag] = 0
        self._renderers[size] = renderer
        if not _OPEN:
            atexit.register(_close_all)  # before MuJoCo ends OpenGL, which it does at exit, too
        _OPEN.add(self)
        return renderer

    def close(self) -> None:
        while self._renderers:
            _, renderer = self._renderers.popitem()
            with contextlib.suppress(SimulatorError), errors_as_simulator_error("closing the renderer"):
                renderer.close()


_OPEN: weakref.WeakSet[_Pictures] = weakref.WeakSet()


def _close_all() -> None:
    for pictures in tuple(_OPEN):
        pictures.close()
