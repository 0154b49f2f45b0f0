"""Tasks: `TaskRunner` asks the network in words, decodes as each task needs, and answers with typed values."""

from embodio.model.tasks.errors import AnswerError, PromptError, TaskError
from embodio.model.tasks.prompts import Prompts
from embodio.model.tasks.results import (
    Choice,
    DepthMap,
    FoundBox,
    FoundBoxes,
    FoundCuboids,
    GeneratedSound,
    Mask,
    Normals,
    People,
    PersonPose,
    Picture,
    TextAnswer,
    ViewChange,
)
from embodio.model.tasks.task_runner import TaskRunner

__all__ = [
    "AnswerError",
    "Choice",
    "DepthMap",
    "FoundBox",
    "FoundBoxes",
    "FoundCuboids",
    "GeneratedSound",
    "Mask",
    "Normals",
    "People",
    "PersonPose",
    "Picture",
    "PromptError",
    "Prompts",
    "TaskError",
    "TaskRunner",
    "TextAnswer",
    "ViewChange",
]
