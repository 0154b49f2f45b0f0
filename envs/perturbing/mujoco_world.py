"""MujocoWorld: the view of a MuJoCo environment that perturbations change, whatever the environment is built on.

An environment takes part by having a method `mujoco_world()` that returns one; it is called after every reset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

_FIELDS = (
    "cam_pos",
    "cam_quat",
    "cam_pos0",
    "cam_poscom0",
    "cam_mat0",
    "light_dir",
    "light_diffuse",
    "light_ambient",
    "light_specular",
    "mat_rgba",
    "geom_rgba",
)
_HEADLIGHT = ("ambient", "diffuse", "specular")


@dataclass(frozen=True)
class Decoration:
    """A shape that is seen and not touched.

    Attributes:
        kind: name of a shape of MuJoCo: "sphere", "box", "cylinder", "ellipsoid".
        size: half extents [3] (m), as MuJoCo has them for the shape.
        position: of its centre in the world [3] (m).
        heading: rotation about the vertical (rad).
        rgba: colour [4], 0 to 1.
    """

    kind: str
    size: NDArray[np.float64]
    position: NDArray[np.float64]
    heading: float
    rgba: NDArray[np.float64]

    def draw(self, scene: Any) -> None:
        """Adds it to a `mujoco.MjvScene` that was just updated."""
        import mujoco

        if scene.ngeom >= scene.maxgeom:
            return
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        rotation = np.array([cos, -sin, 0.0, sin, cos, 0.0, 0.0, 0.0, 1.0])
        kind = getattr(mujoco.mjtGeom, f"mjGEOM_{self.kind.upper()}")
        shape = scene.geoms[scene.ngeom]
        mujoco.mjv_initGeom(shape, kind, self.size, self.position, rotation, self.rgba.astype(np.float32))
        shape.category = mujoco.mjtCatBit.mjCAT_STATIC
        scene.ngeom += 1


@dataclass
class MujocoWorld:
    """A running simulation.

    Attributes:
        model: the `mujoco.MjModel`.
        data: the `mujoco.MjData`.
        cameras: name of a camera in observations -> its name in the model; empty without images.
        groups: whether geoms of each of MuJoCo's six groups are seen.
        upload: gives the renderers a texture that was changed, by its number.
        observe: makes the observation of the present state once more.
        decorations: the list of shapes that the environment draws into every image.
    """

    model: Any
    data: Any
    cameras: Mapping[str, str]
    groups: tuple[bool, ...]
    upload: Callable[[int], None]
    observe: Callable[[], Any]
    decorations: list[Decoration]
    _changed_textures: set[int] = field(default_factory=set)

    def robot_roots(self) -> set[int]:
        """The top-level bodies of what is actuated."""
        model = self.model
        joints = [int(model.actuator_trnid[i, 0]) for i in range(model.nu) if model.actuator_trntype[i] in (0, 1)]
        return {int(model.body_rootid[model.jnt_bodyid[joint]]) for joint in joints}

    def objects(self) -> list[int]:
        """The bodies that can move and are not part of the robot."""
        robots, model = self.robot_roots(), self.model
        bodies = range(1, model.nbody)
        return [body for body in bodies if model.body_weldid[body] and int(model.body_rootid[body]) not in robots]

    def surfaces(self) -> list[int]:
        """The visible geoms that cannot move and are not part of the robot: tables, walls, the floor."""
        robots, model = self.robot_roots(), self.model
        bodies = model.geom_bodyid
        return [
            geom
            for geom in range(model.ngeom)
            if not model.body_weldid[bodies[geom]] and int(model.body_rootid[bodies[geom]]) not in robots
            if self.visible(geom)
        ]

    def visible(self, geom: int) -> bool:
        """Whether a geom is drawn."""
        group = min(max(int(self.model.geom_group[geom]), 0), len(self.groups) - 1)
        material = int(self.model.geom_matid[geom])
        rgba = self.model.mat_rgba[material] if material >= 0 else self.model.geom_rgba[geom]
        return bool(self.groups[group] and rgba[3] > 0)

    def geoms_of(self, bodies: list[int]) -> list[int]:
        """The visible geoms of some bodies."""
        chosen = set(bodies)
        return [g for g in range(self.model.ngeom) if int(self.model.geom_bodyid[g]) in chosen and self.visible(g)]

    def materials_of(self, geoms: list[int]) -> list[int]:
        """The materials of some geoms, each once."""
        return sorted({int(self.model.geom_matid[geom]) for geom in geoms if self.model.geom_matid[geom] >= 0})

    def textures_of(self, geoms: list[int]) -> list[int]:
        """The textures of the materials of some geoms, each once."""
        found = self.model.mat_texid[self.materials_of(geoms)]
        return sorted({int(texture) for texture in np.ravel(found) if texture >= 0})

    def texture(self, number: int) -> NDArray[np.uint8]:
        """The pixels of a texture, uint8 [H, W, channels], for reading and, before `upload`, for writing."""
        model = self.model
        height, width, channels = (
            int(getattr(model, f"tex_{name}")[number]) for name in ("height", "width", "nchannel")
        )
        begin = int(model.tex_adr[number])
        pixels: NDArray[np.uint8] = model.tex_data[begin : begin + height * width * channels]
        return pixels.reshape(height, width, channels)

    def repaint(self, number: int, pixels: NDArray[np.uint8]) -> None:
        """Replaces the pixels of a texture."""
        self.texture(number)[...] = pixels
        self._changed_textures.add(number)
        self.upload(number)


@runtime_checkable
class HasMujocoWorld(Protocol):
    """An environment whose scene can be perturbed."""

    def mujoco_world(self) -> MujocoWorld:
        """The present simulation; the environment was reset."""


class Nominal:
    """The appearance of a model before any perturbation, to return to."""

    def __init__(self, model: Any) -> None:
        """Copies the fields that perturbations may change."""
        self.model = model
        self._fields = {name: getattr(model, name).copy() for name in _FIELDS}
        self._headlight = {name: getattr(model.vis.headlight, name).copy() for name in _HEADLIGHT}
        self._textures = model.tex_data.copy()
        self._repainted: set[int] = set()

    def restore(self, world: MujocoWorld) -> None:
        """Puts the fields back, and gives the renderers the textures that were changed."""
        for name, value in self._fields.items():
            getattr(self.model, name)[...] = value
        for name, value in self._headlight.items():
            getattr(self.model.vis.headlight, name)[...] = value
        for number in self._repainted:
            begin, size = int(self.model.tex_adr[number]), world.texture(number).size
            world.texture(number).reshape(-1)[...] = self._textures[begin : begin + size]
            world.upload(number)
        self._repainted = set()
        world.decorations.clear()

    def note(self, world: MujocoWorld) -> None:
        """Remembers which textures an episode has changed."""
        self._repainted |= world._changed_textures
