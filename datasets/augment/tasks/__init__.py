"""Task augmentations (paper, appendix D.11), found by listing this folder: annotations asked in another way.

An augmentation is one module with the augmentation's name and a constant `AUGMENTATION`. A worked example opens each.
Plans, descriptions and judgements of a robot's actions, and goal and sub-goal images, which are part of D.11 too, are
made of episodes: they are the tasks `plan`, `instruction_from_video`, `action_right`, `goal_image` and
`sub_goal_image` of `embodio.datasets.tasks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embodio.datasets.plug_ins import PlugIns, UnknownPlugInError

if TYPE_CHECKING:
    from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation


class UnknownTaskAugmentationError(UnknownPlugInError):
    """An unknown name of a task augmentation; the message lists the known ones."""


_AUGMENTATIONS = PlugIns(__name__, "AUGMENTATION", kind="task augmentation", error=UnknownTaskAugmentationError)


def task_augmentation_names() -> list[str]:
    """The names of all task augmentations, in alphabetical order; nothing is imported."""
    return _AUGMENTATIONS.names()


def task_augmentation_summaries() -> dict[str, str]:
    """Name of an augmentation -> the first sentence of its module; nothing is imported."""
    return _AUGMENTATIONS.summaries()


def named_task_augmentation(name: str) -> TaskAugmentation[Any]:
    """A task augmentation by its name; raises UnknownTaskAugmentationError."""
    found: TaskAugmentation[Any] = _AUGMENTATIONS.named(name)
    return found


def task_augmentations_of(family: str) -> dict[str, TaskAugmentation[Any]]:
    """Name -> the augmentations that take annotations of a family."""
    every = {name: named_task_augmentation(name) for name in task_augmentation_names()}
    return {name: one for name, one in every.items() if family in one.takes}
