"""Motion: things that fall, roll, slide and knock each other over, filmed, with the sounds of their impacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from embodio.datasets.corpus.scenes.camera import Viewpoint
from embodio.datasets.corpus.scenes.impacts import Impact, ImpactRecorder, loudness
from embodio.datasets.corpus.scenes.painter import painter
from embodio.datasets.corpus.scenes.things import Thing, draw_surroundings, draw_thing
from embodio.datasets.corpus.scenes.wording import NUMBERS, article, substance
from embodio.datasets.corpus.scenes.world import TIME_STEP, TableWorld, make_world

_ROLLING = ("ball", "ball", "ball", "egg")
_CLEAR = 0.15  # loudness of what counts as a knock
_STANDING = ("box", "cylinder", "capsule", "box")
_TIMES = {1: "once", 2: "twice"}


@dataclass(frozen=True, eq=False)
class Take:
    """What was filmed.

    Attributes:
        world: as it is at the end.
        frames: uint8 [T, H, W, 3].
        impacts: in their order.
        fallen: numbers of the things that fell from the table.
    """

    world: TableWorld
    frames: npt.NDArray[np.uint8]
    impacts: tuple[Impact, ...]
    fallen: tuple[int, ...]


def draw_play(generator: np.random.Generator) -> list[Thing]:
    """Things that will fall, roll into each other, or slide."""
    kind = ("drop", "roll", "slide", "topple")[int(generator.integers(4))]
    if kind == "drop":
        return _falling(generator)
    runner = _named(generator, _ROLLING if kind != "slide" else ("box", "tile"), frozenset())
    angle = generator.uniform(0, 2 * np.pi)
    ahead = np.array([np.cos(angle), np.sin(angle)])
    speed = float(generator.uniform(0.7, 1.6))
    x, y = (float(value) for value in -0.28 * ahead)
    moving = replace(
        runner,
        position=(x, y, runner.half_height + 0.001),
        yaw=float(angle),
        velocity=(float(speed * ahead[0]), float(speed * ahead[1]), 0.0),
    )
    things, height = [moving], 0.0
    for _ in range(int(generator.integers(1, 4))):
        other = _named(generator, _STANDING, frozenset(thing.name for thing in things))
        if kind == "topple":  # a tower in the way
            height += other.half_height
            place = np.array([*(0.03 * ahead), height + 0.001])
            height += other.half_height
        else:
            side = generator.normal(0, 0.03) if len(things) == 1 else generator.uniform(-0.2, 0.2)
            place = np.array([*((0.02 + 0.13 * (len(things) - 1)) * ahead), other.half_height + 0.001])
            place[:2] += side * np.array([-ahead[1], ahead[0]])
        things.append(replace(other, position=(float(place[0]), float(place[1]), float(place[2]))))
    return things


def film(things: Sequence[Thing], camera: Viewpoint, size: int, rate: float, frames: int, world: TableWorld) -> Take:
    """Simulates a play and films it.

    Args:
        things: of the world.
        camera: stands still.
        size: pixels of a side.
        rate: frames a second.
        frames: number of frames.
        world: holds the things.
    """
    recorder, pictures = ImpactRecorder(world), []
    for number in range(frames):
        pictures.append(painter().picture(world, camera, size))
        while world.data.time < (number + 1) / rate - TIME_STEP / 2:
            world.step()
            recorder.notice()
    places = world.positions()
    fallen = tuple(index for index in range(len(things)) if places[index][2] < -0.1)
    return Take(world, np.stack(pictures), tuple(recorder.impacts()), fallen)


def play(generator: np.random.Generator) -> TableWorld:
    """A world in which something is about to happen."""
    return make_world(draw_play(generator), draw_surroundings(generator))


def story(take: Take) -> list[str]:
    """What happens, in several wordings; each is true."""
    things, lines = take.world.things, []
    knocks = Counter(impact.one for impact in _knocks(take) if impact.other == -1)
    table = article(f"{take.world.surroundings.table_colour} table")
    for index, thing in enumerate(things):
        name = article(thing.name)
        if any(thing.velocity):
            lines.append(f"{name} {_moves(thing)} across {table}")
        elif thing.position[2] > 3 * thing.radius and knocks[index] > 0:  # it did not stand on the table
            lines.append(f"{name} falls onto {table}")
            if 1 < knocks[index] <= len(NUMBERS):
                times = knocks[index] - 1
                lines.append(f"{name} falls and bounces {_TIMES.get(times, f'{NUMBERS[times]} times')}")
    for one, other in dict.fromkeys((i.one, i.other) for i in take.impacts if i.other >= 0):
        a, b = (one, other) if any(things[one].velocity) or not any(things[other].velocity) else (other, one)
        lines.append(f"{article(things[a].name)} hits {article(things[b].name)}")
        if any(things[a].velocity):
            lines.append(f"{article(things[a].name)} {_moves(things[a])} into {article(things[b].name)}")
    lines += [f"{article(things[index].name)} falls off the table" for index in take.fallen]
    return list(dict.fromkeys(lines))


def heard(take: Take) -> list[str]:
    """What can be heard, in several wordings."""
    if not _knocks(take):
        return ["silence"]
    count = len(_knocks(take))
    many = NUMBERS[count] if count <= 10 else "many"
    loud = max(take.impacts, key=lambda impact: impact.impulse)
    first = substance(take.world.things[loud.one])
    second = "table" if loud.other == -1 else "floor" if loud.other == -2 else ""
    onto = f"a {second}" if second else substance(take.world.things[loud.other])
    return [
        f"the sound of {first} hitting {onto}",
        f"{many} knock{'s' * (count != 1)}" if count <= 10 else "a rattle of many knocks",
    ]


def _falling(generator: np.random.Generator) -> list[Thing]:
    """One to three things above the table, each a little higher than the one before."""
    things: list[Thing] = []
    for _ in range(int(generator.integers(1, 4))):
        thing = draw_thing(generator, frozenset(other.name for other in things))
        x, y = (float(value) for value in generator.uniform(-0.16, 0.16, 2))
        height = float(generator.uniform(0.15, 0.3)) + 0.16 * len(things) + thing.radius
        things.append(replace(thing, position=(x, y, height)))
    return things


def _named(generator: np.random.Generator, shapes: Sequence[str], avoid: frozenset[str]) -> Thing:
    """A thing of one of some shapes, neither small nor of a name that is taken."""
    shape = shapes[int(generator.integers(len(shapes)))]
    for _ in range(20):
        thing = replace(draw_thing(generator), shape=shape)
        if thing.name not in avoid and thing.size != "small":
            break
    return thing


def _knocks(take: Take) -> list[Impact]:
    """The impacts that stand out."""
    return [impact for impact in take.impacts if loudness(impact) > _CLEAR]


def _moves(thing: Thing) -> str:
    return "rolls" if thing.shape in _ROLLING else "slides"
