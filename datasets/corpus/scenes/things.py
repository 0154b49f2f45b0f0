"""Things on a table and their surroundings: shapes, colours, materials, sizes, drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Rgb = tuple[float, float, float]
Vector = tuple[float, float, float]

COLOURS: Mapping[str, Rgb] = {
    "red": (0.80, 0.10, 0.08),
    "green": (0.12, 0.60, 0.18),
    "blue": (0.10, 0.25, 0.80),
    "yellow": (0.92, 0.80, 0.10),
    "orange": (0.95, 0.48, 0.08),
    "purple": (0.48, 0.15, 0.65),
    "pink": (0.95, 0.50, 0.68),
    "brown": (0.40, 0.23, 0.10),
    "white": (0.93, 0.93, 0.93),
    "black": (0.08, 0.08, 0.08),
    "grey": (0.50, 0.50, 0.50),
    "cyan": (0.15, 0.75, 0.80),
}
_SPREAD = 0.05  # of a colour around its name


@dataclass(frozen=True)
class Substance:
    """How a substance looks, bounces and sounds.

    Attributes:
        density: kg/m³.
        damping: damping ratio of contacts; the smaller, the higher a ball bounces.
        friction: coefficient of sliding friction.
        specular: strength of highlights, 0 to 1.
        opacity: 1 is opaque.
        pitch: frequency in Hz of the lowest mode of a thing of 5 cm radius.
        modes: frequencies of the modes as multiples of the lowest.
        ringing: seconds in which the lowest mode decays to 1/e.
        hardness: share of the noise of the blow itself.
    """

    density: float
    damping: float
    friction: float
    specular: float
    opacity: float
    pitch: float
    modes: tuple[float, ...]
    ringing: float
    hardness: float


MATERIALS: Mapping[str, Substance] = {
    "wooden": Substance(600, 0.55, 0.5, 0.1, 1.0, 620, (1, 2.57, 4.12, 6.33), 0.035, 0.30),
    "metal": Substance(2700, 0.35, 0.3, 0.9, 1.0, 1150, (1, 2.76, 5.40, 8.93), 0.40, 0.15),
    "glass": Substance(2500, 0.40, 0.3, 0.8, 0.55, 1900, (1, 2.32, 4.25), 0.18, 0.20),
    "rubber": Substance(1100, 0.12, 0.9, 0.0, 1.0, 170, (1, 1.6, 2.4), 0.025, 0.05),
    "plastic": Substance(900, 0.45, 0.4, 0.5, 1.0, 820, (1, 2.1, 3.3, 5.2), 0.022, 0.25),
}
"""The frequencies are those of bars and plates; they are made to be told apart, not measured."""

SHAPES = ("box", "ball", "cylinder", "capsule", "egg", "tile", "stick")
SIZES: Mapping[str, float] = {"small": 0.028, "medium-sized": 0.042, "large": 0.060}  # radius, m
TABLES = ("wooden", "metal", "glass", "plastic")
PATTERNS = ("plain", "checked", "tiled", "shaded")


@dataclass(frozen=True)
class Thing:
    """One thing.

    Attributes:
        shape: one of `SHAPES`.
        colour: name of its colour.
        rgb: the colour itself.
        material: a key of `MATERIALS`.
        size: a key of `SIZES`.
        radius: half its extent, m.
        position: of its centre at the start, m; the table's top is at z = 0.
        yaw: rotation about the vertical at the start, rad.
        velocity: at the start, m/s.
    """

    shape: str
    colour: str
    rgb: Rgb
    material: str
    size: str
    radius: float
    position: Vector
    yaw: float
    velocity: Vector = (0.0, 0.0, 0.0)

    @property
    def name(self) -> str:
        """Such as "red ball"."""
        return f"{self.colour} {self.shape}"

    @property
    def half_height(self) -> float:
        """Half its extent along the vertical as it starts, m."""
        return {"tile": 0.3, "capsule": 1.4, "cylinder": 0.9, "egg": 0.75, "stick": 0.35}.get(
            self.shape, 1.0
        ) * self.radius


@dataclass(frozen=True)
class Surroundings:
    """Table, floor and light.

    Attributes:
        table: a key of `MATERIALS`.
        table_colour: name of its colour.
        table_rgb: the colour.
        pattern: one of `PATTERNS`, of the table.
        is_round: whether it is round.
        extent: half its width, m.
        floor_rgb: colour of the floor.
        light: direction of the light, downwards.
        brightness: of the light, 0 to 1.
    """

    table: str
    table_colour: str
    table_rgb: Rgb
    pattern: str
    is_round: bool
    extent: float
    floor_rgb: Rgb
    light: Vector
    brightness: float


def draw_surroundings(generator: np.random.Generator) -> Surroundings:
    """A table with a colour, somewhere, in some light."""
    colour = pick(generator, tuple(COLOURS))
    angle, tilt = generator.uniform(0, 2 * np.pi), generator.uniform(0.1, 0.8)
    pale = float(generator.uniform(0.25, 0.95))
    return Surroundings(
        table=pick(generator, TABLES),
        table_colour=colour,
        table_rgb=_near(generator, COLOURS[colour], 0.75),
        pattern=pick(generator, PATTERNS),
        is_round=bool(generator.random() < 0.3),
        extent=float(generator.uniform(0.42, 0.6)),
        floor_rgb=_near(generator, (pale, pale, pale), 1.0, 0.12),
        light=(float(np.cos(angle) * tilt), float(np.sin(angle) * tilt), -1.0),
        brightness=float(generator.uniform(0.45, 0.8)),
    )


def draw_thing(generator: np.random.Generator, avoid: frozenset[str] = frozenset()) -> Thing:
    """A thing at the origin, moving nowhere; its name is not among those to avoid, where that can be done."""
    for _ in range(10):
        colour, shape = pick(generator, tuple(COLOURS)), pick(generator, SHAPES)
        if f"{colour} {shape}" not in avoid:
            break
    size = pick(generator, tuple(SIZES))
    return Thing(
        shape=shape,
        colour=colour,
        rgb=_near(generator, COLOURS[colour], 1.0),
        material=pick(generator, tuple(MATERIALS)),
        size=size,
        radius=float(SIZES[size] * generator.uniform(0.93, 1.07)),
        position=(0.0, 0.0, 0.0),
        yaw=float(generator.uniform(0, 2 * np.pi)),
    )


def pick(generator: np.random.Generator, choices: Sequence[str]) -> str:
    """One of several words."""
    return choices[int(generator.integers(len(choices)))]


def pick_some(generator: np.random.Generator, choices: Sequence[str], count: int) -> list[str]:
    """Several different ones of the words."""
    return [choices[int(index)] for index in generator.permutation(len(choices))[:count]]


def _near(generator: np.random.Generator, rgb: Rgb, brightness: float, spread: float = _SPREAD) -> Rgb:
    """A colour like another one."""
    red, green, blue = np.clip(np.asarray(rgb) * brightness + generator.normal(0, spread, 3), 0.02, 0.98)
    return float(red), float(green), float(blue)
