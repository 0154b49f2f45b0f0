"""Plain language: an instruction or a question, perhaps with a text or media that it is about, answered in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextFamily, TextItem
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class InstructionItem(TextItem):
    """An instruction and the answer to it.

    Attributes:
        instruction: what to do, or what is asked.
        context: a text that it is about, such as a passage or the turns of a dialogue so far; empty for none.
    """

    instruction: str
    context: str = ""


class FollowInstruction(TextFamily[InstructionItem]):
    """Instruction following (paper, appendices D.1 and D.5): instruction, and context or media, in; free text out.

    Several turns are `chat`, steps before the answer `reason`.
    """

    name = "follow_instruction"
    annotation = InstructionItem
    groups = groups_of(
        plain={"instruction": "name three fruits"},
        context={"instruction": "who is it about?", "context": "Ada wrote a program."},
    )
    metrics = ("rouge_l", "exact_match")

    def group(self, annotation: InstructionItem) -> str:
        """`context` or `plain`."""
        return "context" if annotation.context else "plain"

    def slots(self, annotation: InstructionItem, codec: TaskCodec) -> Mapping[str, Filling]:
        """The instruction, and the context if there is one."""
        slots: dict[str, Filling] = {"instruction": annotation.instruction}
        return slots | {"context": annotation.context} if annotation.context else slots


FAMILY = FollowInstruction()
