"""Questions about presence: whether an object of some class is in the image, answered yes or no.

Of an image with a cup, and "dog" among the classes of the data set, the question is "Is there a cup in the image?",
answered "yes", or with "dog", answered "no", each in half of the cases.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, absent, one_of
from embodio.model.tasks.families.answer_question import Question
from embodio.model.tasks.families.detect import Detected

YES, NO = "yes", "no"


def ask_presence(
    annotations: Sequence[Detected], generator: np.random.Generator, classes: Sequence[str]
) -> Question | None:
    """A question about a class that is there or not; None unless both could be asked for.

    All objects of the classes have to be annotated, as in COCO, and not only some of them.
    """
    own = annotations[0]
    missing = absent(own.labels, classes)
    if own.boxes is None or not own.labels or not missing:
        return None
    there = bool(generator.random() < 0.5)
    name = one_of(own.labels if there else missing, generator).strip()
    article = "an" if name[:1].lower() in "aeiou" else "a"
    question, answer = f"Is there {article} {name} in the image?", YES if there else NO
    return Question(media=own.media, question=question, text=answer, choices=(YES, NO))


AUGMENTATION = TaskAugmentation(takes=("detect",), make=ask_presence, gives="answer_question")
