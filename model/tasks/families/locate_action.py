"""Temporal localisation: the frames of a video in which an action happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextFamily, TextItem
from embodio.model.tasks.prompts.filling import Filling


@dataclass(frozen=True, eq=False, kw_only=True)
class ActionSought(TextItem):
    """An action, and when it happens, such as "frames 2 to 4"; the first frame is 1.

    Attributes:
        action: name of the action.
    """

    action: str


class LocateAction(TextFamily[ActionSought]):
    """Action localisation (paper, Table 11): video and action in, its first and last frame out, in words."""

    name = "locate_action"
    annotation = ActionSought
    tokens = 16
    metrics = ("exact_match",)

    def slots(self, annotation: ActionSought, codec: TaskCodec) -> Mapping[str, Filling]:
        """The action."""
        return {"action": annotation.action}


FAMILY = LocateAction()
