"""CompleteView: complete a view of which few patches are seen, with another view as context (paper, C.1: CroCo).

With two views of a scene, and most patches of the second one hidden:

    prompt   [Image] [R]
    history  the first view, whole
    image    the second view, without the hidden patches
    target   the second view, whole

The codes in hidden patches are marked for dynamic masking by the `Processor`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveConfig, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, frame_slots
from embodio.datasets.objectives.parts.hidden_patches import hidden_in_image
from embodio.datasets.objectives.parts.material import unusable
from embodio.datasets.records.record import Record
from embodio.model.example import Example


@dataclass(frozen=True, kw_only=True)
class CompleteViewConfig(ObjectiveConfig):
    """Settings of CompleteView.

    Attributes:
        hidden: share of the patches of the second view that are hidden; CroCo (arXiv 2210.10716) hides 0.9.
    """

    hidden: float = 0.75

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        super().__post_init__()
        if not 0.0 < self.hidden < 1.0:
            raise DatasetError(f"hidden: got {self.hidden}, expected a share of the patches between 0 and 1")


class CompleteView(ConfiguredObjective[CompleteViewConfig]):
    """One view whole and another one in part in, the other one whole out."""

    settings = CompleteViewConfig

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with two views, for networks with an image history that write images."""
        return len(record.views) > 1 and frame_slots(context) > 0 and able(context, ["image"], "image")

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """Two views are drawn, then the patches that are hidden, of those that show something.

        Raises:
            UnusableRecord: there are fewer than two such patches, or both views are the same picture.
        """
        if len(record.views) < 2:
            raise DatasetError(f"{record.key!r} has no two views; ask `suits` before")
        first, second = (int(number) for number in generator.choice(len(record.views), 2, replace=False))
        context_view, image = (record.views[number].image.load() for number in (first, second))
        if np.array_equal(context_view, image):
            raise unusable(record, "the two views are one picture, so nothing is hidden")
        hidden = hidden_in_image(record, image, self.config.hidden, context, generator)
        return Example(
            text=[context.vocabulary.prefix_id("image", "R")],
            image=image,
            image_hidden=hidden,
            image_history=[context_view],
            image_target=image,
        )


OBJECTIVE = CompleteView
