"""A drawing: one large thing on a table, made up and rendered now, with what it shows in words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from embodio.datasets.corpus.scenes import wording
from embodio.datasets.corpus.scenes.camera import draw_camera
from embodio.datasets.corpus.scenes.painter import painter
from embodio.datasets.corpus.scenes.things import SIZES, draw_surroundings, draw_thing
from embodio.datasets.corpus.scenes.world import make_world
from embodio.datasets.corpus.source import generator_of
from embodio.model.example import Image

_PIXELS = 192
_NEAREST, _FURTHEST = 0.4, 0.5  # m


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawing.

    Attributes:
        image: uint8 [H, W, 3].
        name: of the thing, such as "red ball".
        caption: one right description.
    """

    image: Image
    name: str
    caption: str


def draw_one(seed: int) -> Drawing:
    """The drawing of a seed.

    Raises:
        SourceAbsent: there is nothing to render with.
    """
    generator = generator_of(seed, "tour-drawing")
    drawn = draw_thing(generator)
    large = replace(drawn, size="large", radius=SIZES["large"], material="plastic")
    thing = replace(large, position=(0.0, 0.0, large.half_height))
    world = make_world([thing], draw_surroundings(generator))
    image = painter().picture(world, draw_camera(generator, _NEAREST, _FURTHEST), _PIXELS)
    seen = wording.SeenThing(thing, 0.5, _NEAREST, _PIXELS)
    return Drawing(image, thing.name, wording.captions([seen], [], world.surroundings, generator)[0])
