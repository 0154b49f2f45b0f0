"""Made-up scenes: simple shapes on a table, in words, depth, normals, masks, boxes and several views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from embodio.datasets.corpus.encoding import depth_png, facts, jpeg, png, view_facts
from embodio.datasets.corpus.scenes import wording
from embodio.datasets.corpus.scenes.camera import Viewpoint, draw_camera, surface_normals
from embodio.datasets.corpus.scenes.painter import TABLE, Rendering, painter
from embodio.datasets.corpus.scenes.settled import on_top, settled_scene
from embodio.datasets.corpus.scenes.world import TableWorld
from embodio.datasets.corpus.source import CorpusItem, CorpusPlan, CorpusRequest, generator_of

_SIZE = 192  # pixels
_VIEWS = 2
_DISTANCES = 0.5, 0.65  # m of the cameras: most things are 8 to 30 of 96 pixels wide
_FEWEST_PIXELS = 12  # of a thing that counts as seen


@dataclass(frozen=True)
class MadeUpScenes:
    """Things at rest on a table, rendered by MuJoCo.

    Attributes:
        count: scenes, unless `limit` says otherwise.
    """

    count: int = 24000
    title: str = "scenes of simple shapes: captions, questions, depth, normals, masks, boxes, several views"
    licence: str = "our own"
    ships: bool = True
    packages: tuple[str, ...] = ("libegl1", "libgl1-mesa-dri")
    layout: Literal["webdataset", "jsonl"] = "webdataset"
    shard_records: int = 200
    version: int = 2

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Numbers the scenes; raises SourceAbsent if there is nothing to render with."""
        painter()
        items = [CorpusItem(f"scene-{index:06d}", {}) for index in range(request.limit or self.count)]
        return CorpusPlan(items, may_crash=True)

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """One scene, seen by one camera with all annotations, and by others with their poses."""
        generator = generator_of(seed, item.key)
        world, camera = settled_scene(generator), draw_camera(generator, *_DISTANCES)
        main = painter().rendering(world, camera, _SIZE)
        shown = [index for index in range(len(world.things)) if (main.masks == index + 1).sum() >= _FEWEST_PIXELS]
        others = [draw_camera(generator, *_DISTANCES) for _ in range(_VIEWS)]
        sample: dict[str, bytes | str] = {
            f"view{number}.jpg": jpeg(painter().picture(world, other, _SIZE)) for number, other in enumerate(others)
        }
        texts = _texts(world, main, camera, shown, generator)
        return sample | {
            "jpg": jpeg(main.image),
            "depth.png": depth_png(main.depth),
            "normals.png": png(_as_colours(surface_normals(main.depth, camera.intrinsics(_SIZE)))),
            "masks.png": png(main.masks),
            "txt": "\n".join(texts.pop("captions")),
            "json": facts(texts | _places(world, main, camera, shown) | {"views": [_view(one) for one in others]}),
        }


def _texts(
    world: TableWorld, main: Rendering, camera: Viewpoint, shown: Sequence[int], generator: np.random.Generator
) -> dict[str, Any]:
    """All that is said in words."""
    to_camera = np.linalg.inv(camera.pose)
    places = world.positions()
    seen = []
    for index in shown:
        rows, columns = np.nonzero(main.masks == index + 1)
        depth = float((to_camera @ [*places[index], 1.0])[2])
        seen.append(wording.SeenThing(world.things[index], float(columns.mean()) / _SIZE, depth, rows.size))
    number = {index: place for place, index in enumerate(shown)}
    stacked = [(number[a], number[b]) for a, b in on_top(world) if a in number and b in number]
    between = wording.relations(seen, stacked)
    return {
        "captions": wording.captions(seen, between, world.surroundings, generator),
        "relations": between,
        "questions": wording.questions(seen, between, world.surroundings, generator),
    }


def _places(world: TableWorld, main: Rendering, camera: Viewpoint, shown: Sequence[int]) -> dict[str, Any]:
    """All that is said in numbers; lists of one length have one entry for each thing that is seen."""
    boxes = []
    for index in shown:
        rows, columns = np.nonzero(main.masks == index + 1)
        boxes.append([int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1])
    things = [world.things[index] for index in shown]
    return {
        "labels": [thing.name for thing in things],
        "boxes": boxes,
        "mask_values": [index + 1 for index in shown],
        "materials": [thing.material for thing in things],
        "sizes": [thing.size for thing in things],
        "positions": [[round(float(value), 4) for value in world.positions()[index]] for index in shown],
        "table": {"mask_value": TABLE, "label": f"{world.surroundings.table_colour} table"},
        **_view(camera),
    }


def _view(camera: Viewpoint) -> dict[str, Any]:
    return view_facts(camera.pose, camera.intrinsics(_SIZE))


def _as_colours(normals: np.ndarray) -> np.ndarray:
    """Red, green and blue from 0 to 255 for x, y and z from -1 to 1."""
    return np.round((normals + 1) * 127.5).astype(np.uint8)


SOURCE = MadeUpScenes()
