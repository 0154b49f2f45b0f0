"""Sentences made by a small grammar: instructions to robots and descriptions of a table, for speech and text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "white", "black", "grey", "cyan")
THINGS = ("cube", "ball", "cup", "bottle", "bowl", "plate", "can", "box", "cylinder", "block", "spoon", "apple", "pen")
_PLACES = (
    *("on the table", "on the shelf", "on the tray", "into the drawer", "into the bin", "into the box"),
    *("in the middle", "on the left", "on the right", "in front of me", "back where it was"),
)
_NUMBERS = ("two", "three", "four", "five", "six", "seven")
_RELATIONS = ("to the left of", "to the right of", "in front of", "behind", "on top of", "next to")
_INSTRUCTIONS = (
    "pick up the {a}",
    "lift the {a}",
    "put the {a} {place}",
    "push the {a} to the {b}",
    "stack the {a} on the {b}",
    "place the {a} next to the {b}",
    "move the {a} away from the {b}",
    "please hand me the {a}",
    "open the drawer and take out the {a}",
    "close the drawer",
    "open the door",
    "turn the {a} around",
    "wipe the table",
    "knock over the {a}",
    "roll the {a} forward",
    "stop",
    "wait for me",
    "go back to the start",
    "move your arm up",
    "move your arm to the left",
    "open the gripper",
    "close the gripper",
    "where is the {a}?",
    "how many {things} are there?",
    "which {thing} is the largest?",
)
_DESCRIPTIONS = (
    "a {a} on the table",
    "the {a} is {relation} the {b}",
    "there are {number} {things}",
    "{number} {colour} {things} and a {b}",
    "the arm holds the {a}",
    "the gripper is above the {a}",
    "the {a} falls from the table",
    "the {a} rolls and hits the {b}",
    "I can see a {a} {relation} a {b}",
    "the {thing} is {colour}",
)


def instruction(generator: np.random.Generator) -> str:
    """What one might say to a robot."""
    return _filled(_INSTRUCTIONS, generator)


def description(generator: np.random.Generator) -> str:
    """What one might say about things on a table."""
    return _filled(_DESCRIPTIONS, generator)


def _filled(forms: Sequence[str], generator: np.random.Generator) -> str:
    def pick(choices: Sequence[str]) -> str:
        return choices[int(generator.integers(len(choices)))]

    thing = pick(THINGS)
    return pick(forms).format(
        a=f"{pick(COLOURS)} {pick(THINGS)}",
        b=f"{pick(COLOURS)} {pick(THINGS)}",
        thing=thing,
        things=f"{thing}es" if thing == "box" else f"{thing}s",
        colour=pick(COLOURS),
        number=pick(_NUMBERS),
        relation=pick(_RELATIONS),
        place=pick(_PLACES),
    )
