"""TableWorld: things and surroundings as a MuJoCo model, with the assets that all worlds share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.corpus.scenes.things import MATERIALS, Surroundings, Thing

TIME_STEP = 0.002
"""Seconds of one step of the physics."""
LARGEST_IMAGE = 512
"""Pixels of a side that can be rendered."""
_TABLE_HALF_THICKNESS, _FLOOR = 0.02, -0.6  # m
_DIVERGED = 1e3
_SPARE = 4096  # bytes: MuJoCo 3.9 has room for 8 contacts of two boxes, and up to 50 are written, of 80 bytes each
_GEOMS = {
    "box": ("box", (1.0, 1.0, 1.0)),
    "ball": ("sphere", (1.0,)),
    "cylinder": ("cylinder", (0.8, 0.9)),
    "capsule": ("capsule", (0.6, 0.8)),
    "egg": ("ellipsoid", (0.75, 1.2, 0.75)),
    "tile": ("box", (1.3, 1.3, 0.3)),
    "stick": ("box", (2.2, 0.35, 0.35)),
}
"""Shape -> geometry of MuJoCo, and its sizes in radii."""

_REPEATED = {"plain": 1, "checked": 6, "tiled": 8, "shaded": 1}
"""Pattern of a table, also a texture -> how often it is repeated along and across."""
_TEXTURES = """
<texture name="plain" type="2d" builtin="flat" rgb1="1 1 1" width="8" height="8"/>
<texture name="checked" type="2d" builtin="checker" rgb1="1 1 1" rgb2=".7 .7 .7" width="64" height="64"/>
<texture name="tiled" type="2d" builtin="flat" mark="edge" rgb1="1 1 1" markrgb=".6 .6 .6" width="48" height="48"/>
<texture name="shaded" type="2d" builtin="gradient" rgb1="1 1 1" rgb2=".6 .6 .6" width="128" height="128"/>
<texture name="speckled" type="2d" builtin="flat" mark="random" rgb1=".85 .85 .85" markrgb="1 1 1" random="0.3"
 width="128" height="128"/>
<texture name="grain" type="cube" builtin="gradient" mark="edge" rgb1="1 .97 .93" rgb2=".75 .65 .55"
 markrgb=".55 .45 .35" width="32" height="192"/>
<texture name="smooth" type="cube" builtin="flat" rgb1="1 1 1" width="8" height="48"/>
<material name="floor" texture="speckled" texrepeat="6 6" specular="0"/>
<material name="slab" texture="smooth" specular=".2" shininess=".3"/>
"""
_TOPS = "".join(
    f'<material name="{name}" texture="{name}" texrepeat="{repeat} {repeat}" specular=".2" shininess=".3"/>\n'
    for name, repeat in _REPEATED.items()
)
_LOOKS = "".join(
    f'<material name="{name}" texture="{"grain" if name == "wooden" else "smooth"}" specular="{look.specular}"'
    f' shininess="{0.3 + 0.6 * look.specular:.2f}"/>\n'
    for name, look in MATERIALS.items()
)
ASSETS = _TEXTURES + _TOPS + _LOOKS
"""Equal in all models, and colours are set on the geometries: so one graphics context draws all of them."""


class PhysicsError(Exception):
    """MuJoCo gives up, which it does for some pairs of boxes that touch along an edge."""


@contextlib.contextmanager
def _physics_errors() -> Iterator[None]:
    import mujoco

    try:
        yield
    except (mujoco.FatalError, mujoco.UnexpectedError) as error:
        raise PhysicsError(str(error)) from error


@dataclass
class TableWorld:
    """A simulated world.

    Attributes:
        model: MuJoCo's MjModel.
        data: MuJoCo's MjData.
        things: what is in it.
        surroundings: of the things.
        geoms: number of each thing's geometry in the model.
        table_geoms: numbers of the table's geometries.
    """

    model: Any
    data: Any
    things: tuple[Thing, ...]
    surroundings: Surroundings
    geoms: tuple[int, ...]
    table_geoms: tuple[int, ...]

    def step(self) -> None:
        """Lets `TIME_STEP` seconds pass; raises PhysicsError."""
        import mujoco

        with _physics_errors():
            mujoco.mj_step(self.model, self.data)

    def forward(self) -> None:
        """Computes all that follows from the positions of the things; raises PhysicsError."""
        import mujoco

        with _physics_errors():
            mujoco.mj_forward(self.model, self.data)

    def positions(self) -> npt.NDArray[np.float64]:
        """Centres of the things, float64 [things, 3], m."""
        found: npt.NDArray[np.float64] = self.data.geom_xpos[list(self.geoms)].copy()
        return found

    def is_sane(self) -> bool:
        """Whether the physics has not diverged."""
        state = self.data.qpos
        return bool(np.isfinite(state).all() and np.abs(state).max() < _DIVERGED)


def make_world(things: Sequence[Thing], surroundings: Surroundings) -> TableWorld:
    """Builds the model and puts the things to their places; raises PhysicsError."""
    import mujoco

    model = mujoco.MjModel.from_xml_string(xml(things, surroundings))
    data = mujoco.MjData(model)
    data.narena -= _SPARE  # what is written past the end before MuJoCo gives up then hurts nothing
    for index, thing in enumerate(things):
        data.qvel[6 * index : 6 * index + 3] = thing.velocity
    geoms = tuple(model.geom(f"thing{index}").id for index in range(len(things)))
    table = tuple(model.geom(name).id for name in (("table",) if surroundings.is_round else ("table", "top")))
    world = TableWorld(model, data, tuple(things), surroundings, geoms, table)
    world.forward()
    return world


def xml(things: Sequence[Thing], surroundings: Surroundings) -> str:
    """The model in MuJoCo's XML."""
    around = surroundings
    table = MATERIALS[around.table]
    shape = "cylinder" if around.is_round else "box"
    half = f"{around.extent:.4f}"
    size = f"{half} {_TABLE_HALF_THICKNESS}" if around.is_round else f"{half} {half} {_TABLE_HALF_THICKNESS}"
    light = _numbers(around.light)
    source = _numbers([-2.0 * part for part in around.light])  # so that the shadows' map is centred on the table
    table_rgb = f"{_numbers(around.table_rgb)} 1"
    top = (
        f'<geom name="top" type="plane" size="{half} {half} .1" pos="0 0 .0004" material="{around.pattern}"'
        f' rgba="{table_rgb}" contype="0" conaffinity="0"/>'
    )
    bodies = "\n".join(_body(index, thing) for index, thing in enumerate(things))
    return f"""<mujoco>
<option timestep="{TIME_STEP}" integrator="implicitfast"/>
<statistic extent="1" center="0 0 0"/>
<visual><quality offsamples="0" shadowsize="1024"/><map znear="0.05" zfar="30" shadowclip="1"/>
<headlight ambient=".42 .42 .42" diffuse=".2 .2 .2" specular=".1 .1 .1"/>
<global offwidth="{LARGEST_IMAGE}" offheight="{LARGEST_IMAGE}"/></visual>
<asset>{ASSETS}</asset>
<worldbody>
<light directional="true" dir="{light}" pos="{source}" diffuse="{_numbers((around.brightness,) * 3)}"
 specular=".4 .4 .4" castshadow="true"/>
<geom name="floor" type="plane" size="0 0 .1" pos="0 0 {_FLOOR}" material="floor"
 rgba="{_numbers(around.floor_rgb)} 1"/>
<geom name="table" type="{shape}" size="{size}" pos="0 0 {-_TABLE_HALF_THICKNESS}" material="slab" rgba="{table_rgb}"
 friction=".6 .005 .0005" solref=".006 {table.damping}"/>
{"" if around.is_round else top}
{bodies}
</worldbody></mujoco>"""


def _body(index: int, thing: Thing) -> str:
    material, (kind, factors) = MATERIALS[thing.material], _GEOMS[thing.shape]
    turn = f"{np.cos(thing.yaw / 2):.5f} 0 0 {np.sin(thing.yaw / 2):.5f}"
    size = _numbers([thing.radius * factor for factor in factors])
    return f"""<body pos="{_numbers(thing.position)}" quat="{turn}"><freejoint/>
<geom name="thing{index}" type="{kind}" size="{size}" material="{thing.material}"
 rgba="{_numbers(thing.rgb)} {material.opacity}" density="{material.density}"
 friction="{material.friction} .01 .002" solref=".006 {material.damping}" condim="4"/>
</body>"""


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.5f}" for value in values)
