"""Wording: what can be said of a rendered scene, as captions, relations, questions and answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embodio.datasets.corpus.scenes.things import SHAPES, Surroundings, Thing, pick, pick_some

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_PLURALS = {"box": "boxes"}
_APART = 0.12  # of the image's width: nearer to each other, neither is left or right of the other
_BEHIND = 0.10  # m of depth
_SIDES = {"to the left of": "left", "to the right of": "right"}
_PLACES = (("on the left", 0.0, 0.30), ("in the middle", 0.38, 0.62), ("on the right", 0.70, 1.0))
"""Answers to where a thing is, with the columns of its middle as fractions of the width; between them nobody asks."""
_GAP = 0.08  # between two places
_LOOKS = {"metal": "shiny", "glass": "transparent"}


@dataclass(frozen=True)
class SeenThing:
    """A thing as a camera sees it.

    Attributes:
        thing: the thing.
        x: column of its middle, as a fraction of the image's width.
        depth: of its middle, m.
        pixels: number of pixels that show it.
    """

    thing: Thing
    x: float
    depth: float
    pixels: int


def relations(seen: Sequence[SeenThing], stacked: Sequence[tuple[int, int]]) -> list[tuple[int, str, int]]:
    """What holds between things, from the camera: (one, "to the left of", other), and so on."""
    found = []
    for one, a in enumerate(seen):
        for other, b in enumerate(seen):
            if one == other:
                continue
            if (one, other) in stacked:
                found.append((one, "on top of", other))
            elif (other, one) in stacked:
                found.append((one, "under", other))
            elif b.x - a.x > _APART:
                found.append((one, "to the left of", other))
            elif a.x - b.x > _APART:
                found.append((one, "to the right of", other))
            elif b.depth - a.depth > _BEHIND:
                found.append((one, "in front of", other))
            elif a.depth - b.depth > _BEHIND:
                found.append((one, "behind", other))
    return found


def captions(
    seen: Sequence[SeenThing],
    between: Sequence[tuple[int, str, int]],
    around: Surroundings,
    generator: np.random.Generator,
) -> list[str]:
    """Several descriptions of a picture, each of them true and different."""
    things = [row.thing for row in seen]
    table = f"{'round ' if around.is_round else ''}{around.table_colour} table"
    if not things:
        return [f"an empty {table}", "nothing is on the table", "a table without anything on it"]
    listed = listing(things)
    lines = [
        pick(generator, (f"{listed} on a {table}", f"a {table} with {listed}", f"{listed}")),
        pick(generator, (f"there {_be(things)} {listed} here", f"a picture of {listed}", f"{listed} in a room")),
        pick(generator, (f"{_count(things)} on a {table}", f"a {table} with {_count(things)} on it")),
    ]
    thing = things[int(generator.integers(len(things)))]
    if is_unique(thing, things):
        lines.append(f"the {thing.colour} {thing.shape} is {thing.size} and made of {substance(thing)}")
        lines.append(f"{article(_described(thing))} on a table")
    unique = [row for row in between if is_unique(things[row[0]], things) and is_unique(things[row[2]], things)]
    for index in generator.permutation(len(unique))[:2]:
        one, relation, other = unique[int(index)]
        lines.append(f"the {things[one].name} is {relation} the {things[other].name}")
    if len(things) > 2 and len({row.pixels for row in seen}) == len(seen):
        nearest = min(seen, key=lambda row: row.depth).thing
        lines.append(f"the nearest of the {NUMBERS[len(things)]} things is {article(nearest.name)}")
    return list(dict.fromkeys(lines))


def questions(
    seen: Sequence[SeenThing],
    between: Sequence[tuple[int, str, int]],
    around: Surroundings,
    generator: np.random.Generator,
) -> list[tuple[str, str]]:
    """Questions about a picture, a few of those that can be asked: each has one right answer, seen in the picture."""
    things = [row.thing for row in seen]
    asked = [
        ("how many things are there?", NUMBERS[len(things)]),
        ("what colour is the table?", around.table_colour),
    ]
    shapes, colours = Counter(t.shape for t in things), Counter(t.colour for t in things)
    for shape, count in shapes.items():
        asked.append((f"how many {plural(shape)} are there?", NUMBERS[count]))
        if count == 1:
            only = next(thing for thing in things if thing.shape == shape)
            asked.append((f"what colour is the {shape}?", only.colour))
    for colour, count in colours.items():
        if count == 1:
            asked.append((f"what is {colour}?", article(next(t.shape for t in things if t.colour == colour))))
    for shape in pick_some(generator, tuple(SHAPES), 2):
        asked.append((f"is there {article(shape)}?", "yes" if shapes[shape] else "no"))
    for row in seen:
        place = _place(row.x)
        if place is not None and is_unique(row.thing, things):
            asked.append((f"where is the {row.thing.name}?", place))
    for one, relation, other in between:
        if relation in _SIDES and is_unique(things[one], things) and is_unique(things[other], things):
            question = f"is the {things[one].name} to the left or to the right of the {things[other].name}?"
            asked.append((question, _SIDES[relation]))
    chosen = generator.permutation(len(asked))[:6]
    return [asked[int(index)] for index in sorted(chosen)]


def listing(things: Sequence[Thing]) -> str:
    """Such as "a red box, two blue balls and a green egg"."""
    counts = Counter((thing.colour, thing.shape) for thing in things)
    parts = [
        article(f"{colour} {shape}") if count == 1 else f"{NUMBERS[count]} {colour} {plural(shape)}"
        for (colour, shape), count in counts.items()
    ]
    return joined(parts)


def joined(parts: Sequence[str]) -> str:
    """Such as "one, two and three"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def is_unique(thing: Thing, things: Sequence[Thing]) -> bool:
    """Whether its name means it and no other."""
    return sum(other.name == thing.name for other in things) == 1


def article(noun: str) -> str:
    """Such as "an orange ball"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(shape: str) -> str:
    """Such as "boxes"."""
    return _PLURALS.get(shape, f"{shape}s")


def places_of(x: float) -> tuple[str, ...]:
    """Where a thing is whose middle is at a share of the width: one place, or two where it is between them."""
    place = _place(x)
    return (place,) if place is not None else tuple(n for n, low, high in _PLACES if low - _GAP < x < high + _GAP)


def _place(x: float) -> str | None:
    """Where a thing is, of the column of its middle; None if that is between two places."""
    return next((name for name, low, high in _PLACES if low <= x <= high), None)


def _count(things: Sequence[Thing]) -> str:
    shapes = {thing.shape for thing in things}
    noun = next(iter(shapes)) if len(shapes) == 1 else "thing"
    return article(noun) if len(things) == 1 else f"{NUMBERS[len(things)]} {plural(noun)}"


def _be(things: Sequence[Thing]) -> str:
    return "is" if sum(thing.name == things[0].name for thing in things) == 1 else "are"


def _described(thing: Thing) -> str:
    look = _LOOKS.get(thing.material, "")
    words = [thing.size, look, thing.colour, thing.material, thing.shape]
    return " ".join(word for word in words if word)


def substance(thing: Thing) -> str:
    """What it is made of, as a noun."""
    return {"wooden": "wood"}.get(thing.material, thing.material)
