"""Plans as text: one sentence for each pick and place or push, with value tokens for places and turns, and back.

`1: pick from ( X Y R ) and place to ( X Y R ) 2: ...`, or `1: push from ( X Y R ) and push to ( X Y R )`, as the
released models write VIMA's tasks (paper, appendix D.10). X, Y and R are value tokens of shares in [0, 1]; what they
are shares of, `embodio.envs.planar_poses` knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.model.errors import ModelError
from embodio.model.vocabulary import SENTINELS, VALUE_BINS, Vocabulary

Tool = Literal["suction", "spatula"]
"""What holds or moves things: suction picks and places, the spatula pushes."""
VALUES = 6
"""Numbers of one sentence: x, y, turn where it begins, then where it ends."""
_VERBS: dict[Tool, tuple[str, str]] = {"suction": ("pick", "place"), "spatula": ("push", "push")}
_VALUE = r"\s*<extra_id_(\d+)>"
_POSE = rf"\s*\({_VALUE * 3}\s*\)\s*"
_SENTENCE = re.compile(rf"\s*(\d+)\s*:\s*(pick|push)\s+from{_POSE}and\s+(place|push)\s+to{_POSE}")


class PlanError(ModelError, ValueError):
    """A text that is no plan, or numbers that cannot be written as one."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What a robot shall do, step by step.

    Attributes:
        tool: which end effector it is for.
        shares: float64 [T, 6] in [0, 1]: x, y, turn where each step begins, then where it ends.
    """

    tool: Tool
    shares: npt.NDArray[np.float64]


def sentence(number: int, tool: Tool) -> list[str | None]:
    """One step of a plan in parts: texts, and None where a value token stands. `number` counts from 1."""
    first, second = _VERBS[tool]
    return [f"{number}: {first} from (", None, None, None, f") and {second} to (", None, None, None, ")"]


def write_plan(
    plan: Plan, vocabulary: Vocabulary, rounding: Literal["nearest", "trunc"] = "nearest"
) -> list[str | int]:
    """A plan as a prompt or target: texts and the ids of value tokens.

    Args:
        plan: at least one step.
        vocabulary: whose ids.
        rounding: "nearest" comes back within half a bin; "trunc" is the rule of the released weights.

    Raises:
        PlanError: there is no step, or not [T, 6] numbers in [0, 1].
    """
    shares = np.asarray(plan.shares, dtype=np.float64)
    if shares.ndim != 2 or shares.shape[1] != VALUES or not len(shares):
        raise PlanError(f"plan: expected shares [T, {VALUES}] with at least one step, got shape {shares.shape}")
    if not ((shares >= 0) & (shares <= 1)).all():
        raise PlanError("plan: a share is outside [0, 1] or undefined; clip it first")
    parts: list[str | int] = []
    for number, ids in enumerate(vocabulary.values_to_ids(shares, rounding).tolist(), start=1):
        values = iter(ids)
        parts += [next(values) if part is None else part for part in sentence(number, plan.tool)]
    return parts


def read_plan(answer: str | Sequence[int] | npt.NDArray[np.integer], vocabulary: Vocabulary) -> Plan:
    """Reads an answer: token ids, or the text that `vocabulary.decode` makes of them.

    Raises:
        PlanError: it is not a plan from the first to the last sign, the steps are not numbered 1, 2, ..., or it
            changes tools. The message quotes where it goes wrong.
    """
    text = answer if isinstance(answer, str) else vocabulary.decode(answer)
    place, verbs, rows = 0, None, list[list[float]]()
    while text[place:].strip():
        found = _SENTENCE.match(text, place)
        if found is None:
            raise PlanError(f"plan: expected step {len(rows) + 1}, found {text[place : place + 60].strip()!r}")
        number, pair = found[1], (found[2], found[6])
        if number != str(len(rows) + 1):
            raise PlanError(f"plan: step {len(rows) + 1} is numbered {number[:20]}")
        if pair not in _VERBS.values() or (verbs is not None and pair != verbs):
            raise PlanError(f"plan: step {number} says {pair[0]} and {pair[1]}; a plan keeps to one tool")
        verbs = pair
        rows.append([_share(text, found[group]) for group in (3, 4, 5, 7, 8, 9)])
        place = found.end()
    if verbs is None:
        raise PlanError("plan: it is empty")
    tool: Tool = "suction" if verbs == _VERBS["suction"] else "spatula"
    return Plan(tool, np.array(rows))


def _share(text: str, number: str) -> float:
    value_bin = int(number) - SENTINELS if len(number) < 6 else VALUE_BINS
    if not 0 <= value_bin < VALUE_BINS:
        raise PlanError(f"plan: <extra_id_{number[:20]}> in {text[:60]!r} is no value token")
    return value_bin / (VALUE_BINS - 1)
