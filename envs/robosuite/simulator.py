"""The robosuite simulator: starts it headless with fast rendering, and reports all failures as SimulatorError."""

from __future__ import annotations

import contextlib
import logging
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs import headless_mujoco
from embodio.envs.errors import SimulatorError
from embodio.envs.headless_mujoco import GL_REMEDY, prefer_headless
from embodio.envs.perturbing.mujoco_world import Decoration
from embodio.envs.robosuite.controls import CONTROLS
from embodio.envs.robosuite.embodiments import CONTROL_HZ, DEFAULT_CONTROL, DEFAULT_ROBOT
from embodio.envs.robosuite.robots import ROBOTS

if TYPE_CHECKING:
    from robosuite.environments.manipulation.manipulation_env import ManipulationEnv

# The model itself (e.g. the size of the cube) is sampled once from this seed, so that all simulators are identical and
# only the seed given to `reset` determines an episode.
_MODEL_SEED = 0
GEOM_GROUPS = (False, True, True, True, True, True)
"""Which of MuJoCo's groups of geoms robosuite draws: not the first, which holds shapes for collisions."""


def start(
    class_name: str,
    offscreen: bool,
    robot: str = DEFAULT_ROBOT,
    control: str = DEFAULT_CONTROL,
    arms: int = 1,
    gripper: bool = True,
) -> ManipulationEnv:
    """Start the simulator of one robosuite task.

    Args:
        class_name: robosuite's name of the task, e.g. "Lift".
        offscreen: whether images will be rendered.
        robot: a key of `ROBOTS`.
        control: a key of `CONTROLS`.
        arms: number of arms.
        gripper: whether the arms have their gripper; without, they have the tool of the task.

    Raises:
        SimulatorError: robosuite cannot be imported, the task cannot be built or there is no OpenGL to render with.
    """
    robosuite = _import_robosuite()
    with errors_as_simulator_error("starting the simulator"):
        arm = ROBOTS[robot]
        task_class = _edited(robosuite.environments.base.REGISTERED_ENVS[class_name], arm.overlapping, arms)
        simulator = _build(
            task_class,
            robots=[arm.class_name] * arms,
            controller_configs=[_controller(robosuite, arm.class_name, CONTROLS[control].part) for _ in range(arms)],
            use_camera_obs=False,
            use_object_obs=False,
            has_renderer=False,
            has_offscreen_renderer=offscreen,
            renderer="mujoco",
            control_freq=CONTROL_HZ,
            ignore_done=True,
            hard_reset=False,
            seed=_MODEL_SEED,
            **({"gripper_types": arm.gripper} if gripper else {}),
        )
    # Observations are read straight from the simulation; robosuite would compute each of them at every physics step.
    for name in simulator.observation_names:
        simulator.modify_observable(name, "enabled", False)
    return simulator


def _controller(robosuite: Any, robot: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the controllers of a robot, with those of its arm changed."""
    settings: dict[str, Any] = robosuite.load_composite_controller_config(controller="BASIC", robot=robot)
    settings["body_parts"]["right"] |= part
    return settings


def _build(task_class: type[ManipulationEnv], **settings: Any) -> ManipulationEnv:
    try:
        return task_class(**settings)
    except (ImportError, RuntimeError) as error:  # robosuite's words for a machine without OpenGL
        raise SimulatorError(f"the simulator cannot be started: {error}. {GL_REMEDY}") from error


def seed(simulator: ManipulationEnv, generator: np.random.Generator) -> None:
    """Make the next reset (robot noise and every object placement) draw from `generator`."""
    simulator.rng = simulator.model.mujoco_arena.rng = generator  # an arena draws where dirt is
    pending = [simulator.placement_initializer] if hasattr(simulator, "placement_initializer") else []
    while pending:
        sampler = pending.pop()
        sampler.rng = generator
        pending.extend(getattr(sampler, "samplers", {}).values())


def render(
    simulator: ManipulationEnv, camera: str, size: int, decorations: Sequence[Decoration] = ()
) -> NDArray[np.uint8]:
    """One upright RGB image, uint8 [size, size, 3], from robosuite's camera, with shapes that are only seen."""
    with errors_as_simulator_error(f"rendering camera {camera!r}"):
        _make_current(simulator)
        upside_down = simulator.sim.render(size, size, camera_name=camera)
        if decorations:
            upside_down = _decorated(simulator, size, decorations)
    return np.ascontiguousarray(upside_down[::-1])


def _decorated(simulator: ManipulationEnv, size: int, decorations: Sequence[Decoration]) -> NDArray[np.uint8]:
    """The image that was rendered last, upside down, once more with decorations."""
    import mujoco

    context = simulator.sim._render_context_offscreen
    for decoration in decorations:
        decoration.draw(context.scn)
    mujoco.mjr_render(mujoco.MjrRect(0, 0, size, size), context.scn, context.con)
    image: NDArray[np.uint8] = context.read_pixels(size, size)
    return image


def upload_texture(simulator: ManipulationEnv, number: int) -> None:
    """Gives the renderer a texture that was changed in the model; does nothing without rendering."""
    context = simulator.sim._render_context_offscreen
    if context is not None:
        with errors_as_simulator_error("changing a texture"):
            context.upload_texture(number)


def stop(simulator: ManipulationEnv) -> None:
    """Free a simulator, broken or not; it cannot be used afterwards."""
    with errors_as_simulator_error("stopping the simulator"):
        _make_current(simulator)
        simulator.close()


def require_healthy(simulator: ManipulationEnv) -> None:
    """Raise SimulatorError if the physics diverged."""
    headless_mujoco.require_healthy(simulator.sim.data)


def errors_as_simulator_error(doing: str) -> contextlib.AbstractContextManager[None]:
    """Turn every exception type with which MuJoCo, robosuite and OpenGL report a failure into SimulatorError."""
    from robosuite.utils.errors import robosuiteError

    return headless_mujoco.errors_as_simulator_error(doing, robosuiteError)


def _make_current(simulator: ManipulationEnv) -> None:
    """Make this simulator's OpenGL context current.

    robosuite leaves the context of the simulator created last, so rendering (or freeing) one of several would use the
    buffers of another.
    """
    context = simulator.sim._render_context_offscreen
    if context is None:  # made without rendering
        return
    try:
        context.gl_ctx.make_current()
    except RuntimeError as error:
        raise SimulatorError(f"the OpenGL context is lost: {error}. Reset the environment to continue.") from error


def _import_robosuite() -> Any:
    """Import robosuite headless and quiet."""
    prefer_headless()
    notices = logging.getLogger("robosuite_logs")
    notices.addFilter(_only_errors)
    try:
        import robosuite
        import robosuite.environments.base
    except (ImportError, AttributeError) as error:
        raise SimulatorError(f"robosuite cannot be imported: {error}. {GL_REMEDY}") from error
    return robosuite


def _only_errors(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _edited(
    task_class: type[ManipulationEnv], overlapping: Sequence[tuple[str, str]], arms: int
) -> type[ManipulationEnv]:
    """A subclass of a task with another model.

    It renders in a quarter of the time, without multi-sampling and reflections.

    Args:
        task_class: robosuite's.
        overlapping: pairs of bodies of each arm whose contact is switched off, see `RobosuiteRobot`.
        arms: number of arms.
    """

    class Edited(task_class):  # type: ignore[misc, valid-type]
        def edit_model_xml(self, xml: str) -> str:
            root = ElementTree.fromstring(super().edit_model_xml(xml))
            visual = root.find("visual")
            if visual is None:
                visual = ElementTree.SubElement(root, "visual")
            quality = visual.find("quality")
            if quality is None:
                quality = ElementTree.SubElement(visual, "quality")
            quality.set("offsamples", "0")
            for material in root.iter("material"):
                material.set("reflectance", "0")
            contact = ElementTree.SubElement(root, "contact") if overlapping else root
            for arm in range(arms):
                for one, other in overlapping:
                    ElementTree.SubElement(contact, "exclude", body1=one.format(arm), body2=other.format(arm))
            return ElementTree.tostring(root, encoding="unicode")

    return Edited
