"""The tasks and levels of VIMA's benchmark, by their names in this package."""

from __future__ import annotations

from dataclasses import dataclass

TRAIN = "train"
PARTITIONS = {
    "L1": "placement_generalization",
    "L2": "combinatorial_generalization",
    "L3": "novel_object_generalization",
    "L4": "novel_task_generalization",
}
"""Levels of the published protocol and the benchmark's names for them."""
_TRAINING = (TRAIN, "L1", "L2", "L3")


@dataclass(frozen=True)
class VimaTask:
    """A task of the benchmark.

    Attributes:
        family: the benchmark's task family.
        oracle_steps: number of actions of the benchmark's oracle; the published protocol allows two more.
        levels: its levels: "train" (the scenes of the training data) and L1 to L4.
    """

    family: str
    oracle_steps: int
    levels: tuple[str, ...] = _TRAINING


TASKS = {
    "visual_manipulation": VimaTask("instruction following", 3),
    "scene_understanding": VimaTask("instruction following", 3),
    "rotate": VimaTask("instruction following", 3),
    "rearrange": VimaTask("rearrangement", 5),
    "rearrange_then_restore": VimaTask("memory", 8),
    "manipulate_old_neighbor": VimaTask("memory", 4),
    "pick_in_order_then_restore": VimaTask("memory", 4),
    "novel_adj": VimaTask("novel concepts", 3),
    "novel_noun": VimaTask("novel concepts", 3),
    "novel_adj_and_noun": VimaTask("novel concepts", 3, ("L4",)),
    "twist": VimaTask("novel concepts", 5),
    "follow_motion": VimaTask("imitation", 4, ("L4",)),
    "follow_order": VimaTask("imitation", 4),
    "sweep_without_exceeding": VimaTask("constraints", 8, (TRAIN, "L1", "L2")),
    "sweep_without_touching": VimaTask("constraints", 14, ("L4",)),
    "same_texture": VimaTask("reasoning", 4, ("L4",)),
    "same_shape": VimaTask("reasoning", 4),
}


def default_level(task: str) -> str:
    """The first level of the published protocol at which a task is evaluated."""
    return next(level for level in TASKS[task].levels if level != TRAIN)
