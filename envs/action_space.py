"""Descriptions of the action space in words, for prompts (paper, section D.10)."""

from __future__ import annotations

from embodio.envs.embodiment import ActionSpec, Dimension

_GRIPPER = {
    "closed_is_high": " The gripper closes towards the high end.",
    "closed_is_low": " The gripper closes towards the low end.",
    "none": "",
}


def describe_actions(action: ActionSpec) -> str:
    """Describes the numbers of an action: mode, frame, and each dimension with unit and limits."""
    kind = "changes" if action.mode == "delta" else "positions"
    numbers = ", ".join(_describe(dimension) for dimension in action.dimensions)
    return f"An action is {len(action.dimensions)} {kind} in frame {action.frame}: {numbers}.{_GRIPPER[action.gripper]}"


def _describe(dimension: Dimension) -> str:
    unit = f" {dimension.unit}" if dimension.unit else ""
    if dimension.kind == "word":
        return f"{dimension.name} one of {', '.join(dimension.words)}"
    if dimension.kind == "binary":
        return f"{dimension.name} either {dimension.low:g} or {dimension.high:g}{unit}"
    return f"{dimension.name} from {dimension.low:g} to {dimension.high:g}{unit}"
