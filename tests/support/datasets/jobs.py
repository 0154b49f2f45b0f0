"""Jobs for engines, in a module that their processes load in no time."""

from __future__ import annotations

import os

from embodio.datasets.errors import FeatureError


def square(number: int) -> int:
    return number * number


def refuse(number: int) -> int:
    if number == 2:
        raise FeatureError(f"job {number} is refused")
    return number


def die(number: int) -> int:
    if number == 1:
        os._exit(9)
    return number
