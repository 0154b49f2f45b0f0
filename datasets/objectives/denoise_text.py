"""DenoiseText: hide some spans of a text and have the decoder write them ([Text] with [R], [S] or [X]).

With `Denoiser("R", rate=0.4, span=2.5)`, a text of eight tokens may become

    text     10 11 12 13 14 15 16 17
    prompt   [Text] [R] 10 11 <s0> 14 15 <s1> 17
    target   <s0> 12 13 <s1> 16
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveConfig, ObjectiveContext
from embodio.datasets.objectives.parts.spans import UL2, choose_denoiser, corrupt, hidden_tokens
from embodio.datasets.records.record import Record
from embodio.model.example import Example


class DenoiseText(ConfiguredObjective[ObjectiveConfig]):
    """Text with hidden spans in, the spans out."""

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with running text."""
        return bool(record.text.strip())

    def example(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """One of the denoisers is drawn, then the spans."""
        vocabulary = context.vocabulary
        ids = vocabulary.encode(record.text)
        denoiser = choose_denoiser(UL2, generator)
        mask = hidden_tokens(len(ids), denoiser, generator)
        given, target = corrupt(ids, mask, denoiser.paradigm, vocabulary)
        return Example(text=[vocabulary.prefix_id("text", denoiser.paradigm), *given], text_target=target)


OBJECTIVE = DenoiseText
