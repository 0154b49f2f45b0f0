"""Painter: renders worlds as colours, depth and numbers of things, with one graphics context for all of them."""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.corpus.scenes.camera import Floats, Viewpoint
from embodio.datasets.corpus.scenes.things import draw_surroundings
from embodio.datasets.corpus.scenes.world import LARGEST_IMAGE, TableWorld, xml
from embodio.datasets.corpus.source import SourceAbsent
from embodio.model.example import Image

_MOST_GEOMS = 64
_FINER = 2  # colours are rendered at this multiple of the size and averaged
_REMEDY = "on Debian and Ubuntu `apt-get install libegl1 libgl1-mesa-dri` brings it"
TABLE, NOTHING = 254, 0
"""Values of the table, and of what is neither table nor a thing, in a mask; thing i has the value i + 1."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """What a camera sees.

    Attributes:
        image: uint8 [H, W, 3].
        depth: along the camera's axis, float64 [H, W], m.
        masks: uint8 [H, W]: i + 1 for thing i, `TABLE`, or `NOTHING`.
    """

    image: Image
    depth: Floats
    masks: npt.NDArray[np.uint8]


class Painter:
    """Renders worlds, whatever is in them; one for each process, see `painter`.

    Raises:
        SourceAbsent: there is not an OpenGL to render with.
    """

    def __init__(self) -> None:
        try:
            import mujoco

            self._gl = mujoco.GLContext(LARGEST_IMAGE, LARGEST_IMAGE)
            atexit.register(self._gl.free)  # while the modules that it needs are there
            self._gl.make_current()
            model = mujoco.MjModel.from_xml_string(xml((), draw_surroundings(np.random.default_rng(0))))
            self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        except (ImportError, AttributeError, RuntimeError) as error:  # their words for a machine without OpenGL
            raise SourceAbsent(f"there is nothing to render with ({error}); {_REMEDY}") from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._options = mujoco.MjvOption()

    def picture(self, world: TableWorld, camera: Viewpoint, size: int) -> Image:
        """Colours only, uint8 [size, size, 3]."""
        self._gl.make_current()
        return self._colours(self._scene(world, camera), size)

    def rendering(self, world: TableWorld, camera: Viewpoint, size: int) -> Rendering:
        """Colours, depth and masks of one view."""
        import mujoco

        self._gl.make_current()
        scene = self._scene(world, camera)
        image = self._colours(scene, size)
        scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0  # from here on they only cost time
        for drawn in scene.geoms[: scene.ngeom]:  # what is transparent would leave no depth
            drawn.rgba[3], drawn.transparent = 1, 0
        _, depth = self._read(scene, size, with_depth=True)
        return Rendering(image, _metres(depth, world.model), self._masks(scene, world, size))

    def _scene(self, world: TableWorld, camera: Viewpoint) -> Any:
        import mujoco

        view = mujoco.MjvCamera()
        view.azimuth, view.elevation = np.degrees(camera.azimuth) + 180, -np.degrees(camera.elevation)
        view.distance, view.lookat[:] = camera.distance, camera.target
        scene = mujoco.MjvScene(world.model, _MOST_GEOMS)
        every = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(world.model, world.data, self._options, None, view, every, scene)
        return scene

    def _colours(self, scene: Any, size: int) -> Image:
        fine, _ = self._read(scene, size * _FINER)
        cells = fine.reshape(size, _FINER, size, _FINER, 3).astype(np.uint16)
        return ((cells.sum(axis=(1, 3)) + _FINER) // _FINER**2).astype(np.uint8)

    def _masks(self, scene: Any, world: TableWorld, size: int) -> npt.NDArray[np.uint8]:
        import mujoco

        flags = (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR)
        for flag in flags:
            scene.flags[flag] = 1
        colours, _ = self._read(scene, size)
        for flag in flags:
            scene.flags[flag] = 0
        numbers = colours.astype(np.int32) @ np.array([1, 1 << 8, 1 << 16])  # 0 is the background
        values = np.zeros(scene.ngeom + 1, np.uint8)
        things = {geom: index + 1 for index, geom in enumerate(world.geoms)} | dict.fromkeys(world.table_geoms, TABLE)
        for index in range(scene.ngeom):
            drawn = scene.geoms[index]
            if drawn.segid >= 0 and drawn.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                values[drawn.segid + 1] = things.get(drawn.objid, NOTHING)
        return values[np.minimum(numbers, scene.ngeom)]

    def _read(self, scene: Any, size: int, *, with_depth: bool = False) -> tuple[Image, npt.NDArray[np.float32]]:
        """Renders; image [size, size, 3] and, if asked for, depth [size, size] as OpenGL has it, upright."""
        import mujoco

        area = mujoco.MjrRect(0, 0, size, size)
        mujoco.mjr_render(area, scene, self._context)
        image = np.empty((size, size, 3), np.uint8)
        depth = np.empty((size, size), np.float32)
        mujoco.mjr_readPixels(image, depth if with_depth else None, area, self._context)
        return image[::-1], depth[::-1]


def _metres(depth: npt.NDArray[np.float32], model: Any) -> Floats:
    """Depth in metres of OpenGL's depth, which is 1 at the near plane and 0 at the far one."""
    near, far = model.vis.map.znear * model.stat.extent, model.vis.map.zfar * model.stat.extent
    found: Floats = near * far / (near + depth.astype(np.float64) * (far - near))
    return found


@cache
def painter() -> Painter:
    """The painter of this process."""
    return Painter()
