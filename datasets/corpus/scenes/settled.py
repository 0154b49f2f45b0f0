"""Settled scenes: things drawn at random, dropped onto a table and at rest there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from embodio.datasets.corpus.scenes.things import Thing, draw_surroundings, draw_thing
from embodio.datasets.corpus.scenes.world import TIME_STEP, PhysicsError, TableWorld, make_world

MOST_THINGS = 5
_SPREAD = 0.17  # m from the table's middle, along and across
_TRIES = 60
_SETTLING = 0.8  # seconds
_GAP = 0.015  # m between things


def settled_scene(generator: np.random.Generator) -> TableWorld:
    """One to five things on a table, some stacked; those that fell off are not in it."""
    things = _placed(generator)
    around = draw_surroundings(generator)
    try:
        world = make_world(things, around)
        for _ in range(int(_SETTLING / TIME_STEP)):
            world.step()
        if world.is_sane():
            kept = [index for index, position in enumerate(world.positions()) if position[2] > 0]
            return world if len(kept) == len(things) else _only(world, kept)
    except PhysicsError:
        pass
    return make_world(things[:1], around)


def on_top(world: TableWorld) -> list[tuple[int, int]]:
    """Pairs (upper, lower) of things that touch, where one rests on the other."""
    places = world.positions()
    number = {geom: index for index, geom in enumerate(world.geoms)}
    found = set()
    for contact in world.data.contact[: world.data.ncon]:
        pair = [number.get(int(geom)) for geom in contact.geom]
        if pair[0] is None or pair[1] is None or abs(contact.frame[2]) < 0.8:  # the normal is not upright
            continue
        upper, lower = sorted((pair[0], pair[1]), key=lambda index: -places[index][2])
        found.add((upper, lower))
    return sorted(found)


def _placed(generator: np.random.Generator) -> list[Thing]:
    """Things that do not overlap; some are put on flat ones."""
    things: list[Thing] = []
    repeated = bool(generator.random() < 0.25)  # several of one kind, to be counted
    count = int(generator.integers(1, MOST_THINGS + 1))
    model = draw_thing(generator)
    for _ in range(count):
        names = frozenset(thing.name for thing in things)
        thing = draw_thing(generator, names)
        if repeated and generator.random() < 0.7:
            thing = replace(model, yaw=thing.yaw)
        base = _flat(things, generator) if things and generator.random() < 0.2 else None
        if base is not None and thing.shape in ("box", "cylinder", "tile") and thing.radius <= base.radius * 1.4:
            x, y, z = base.position
            top = z + base.half_height + thing.half_height + 0.002
            things.append(replace(thing, position=(x, y, top), yaw=base.yaw))
            continue
        for _ in range(_TRIES):
            x, y = (float(value) for value in generator.uniform(-_SPREAD, _SPREAD, 2))
            if all(np.hypot(x - o.position[0], y - o.position[1]) > _reach(thing) + _reach(o) + _GAP for o in things):
                things.append(replace(thing, position=(x, y, thing.half_height + 0.002)))
                break
    return things


def _flat(things: list[Thing], generator: np.random.Generator) -> Thing | None:
    """One of the things that others can be put on and that carries nothing; None if there is not one."""
    taken = {thing.position[:2] for thing in things if thing.position[2] > thing.half_height + 0.01}
    free = [t for t in things if t.shape in ("box", "cylinder", "tile") and t.position[:2] not in taken]
    return free[int(generator.integers(len(free)))] if free else None


def _reach(thing: Thing) -> float:
    """Radius of the circle that it needs on the table, m."""
    return {"tile": 1.85, "stick": 2.3, "box": 1.45, "egg": 1.25, "capsule": 1.45}.get(thing.shape, 1.0) * thing.radius


def _only(world: TableWorld, kept: list[int]) -> TableWorld:
    """The same world without the other things; raises PhysicsError."""
    smaller = make_world([world.things[index] for index in kept], world.surroundings)
    for new, old in enumerate(kept):
        smaller.data.qpos[7 * new : 7 * new + 7] = world.data.qpos[7 * old : 7 * old + 7]
    smaller.forward()
    return smaller
