"""Tasks: `TaskRunner` asks the network in words, decodes as each task needs, and answers with typed values."""

from embodio.model.runner.errors import AnswerError, PromptError, TaskError
from embodio.model.runner.prompts import Prompts
from embodio.model.runner.results import (
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
from embodio.model.runner.task_runner import TaskRunner

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
