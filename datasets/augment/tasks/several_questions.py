"""Several questions at once: two to four questions about an image in one prompt, answered in their order.

"What is on the table?" and "Which colour is it?" become "1. Which colour is it? 2. What is on the table?", answered
"1. red 2. a cup".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, shuffled
from embodio.model.tasks.families.answer_question import Question
from embodio.model.tasks.families.follow_instruction import InstructionItem

MOST_QUESTIONS = 4


def several_questions(
    annotations: Sequence[Question], generator: np.random.Generator, classes: Sequence[str]
) -> InstructionItem | None:
    """The first question and others with answers; None if it has none or is the only one."""
    first, *rest = annotations
    known = {one.question: one for one in reversed(rest) if one.text and one.question != first.question}
    if not first.text or not known:
        return None
    others = list(known.values())
    count = int(generator.integers(1, MOST_QUESTIONS - 1, endpoint=True))
    chosen = shuffled([first, *shuffled(others, generator)[:count]], generator)
    instruction = " ".join(f"{number}. {one.question.strip()}" for number, one in enumerate(chosen, 1))
    text = " ".join(f"{number}. {str(one.text).strip()}" for number, one in enumerate(chosen, 1))
    return InstructionItem(media=first.media, instruction=instruction, text=text)


AUGMENTATION = TaskAugmentation(takes=("answer_question",), make=several_questions, gives="follow_instruction")
