"""Multiple choice: a question with an open answer, asked with the right and some wrong answers to choose from.

"What is on the table?", answered "a cup", becomes "What is on the table? (A) a dog (B) a cup", answered B. The wrong
answers are those of other questions about the image, and classes of the data set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, absent, shuffled, some_of
from embodio.model.tasks.families.answer_question import Question
from embodio.model.tasks.families.multiple_choice import ChoiceQuestion

MOST_WRONG = 4


def choose_answer(
    annotations: Sequence[Question], generator: np.random.Generator, classes: Sequence[str]
) -> ChoiceQuestion | None:
    """The first question with options; None if it has no answer or there is nothing else to choose."""
    own = annotations[0]
    if own.text is None or not own.text.strip():
        return None
    right = own.text.strip()
    others = [*own.choices, *(one.text or "" for one in annotations[1:]), *classes]
    wrong = [name for name in absent([right, *own.references], [text.strip() for text in others]) if name]
    options = [right, *some_of(wrong, MOST_WRONG, generator)]
    if len(options) < 2:
        return None
    options = shuffled(options, generator)
    chosen = options.index(right)
    return ChoiceQuestion(media=own.media, question=own.question, options=tuple(options), chosen=chosen)


AUGMENTATION = TaskAugmentation(takes=("answer_question",), make=choose_answer, gives="multiple_choice")
