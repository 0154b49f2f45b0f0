"""Objective: a way to make a training Example of a record; each is one module of this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from embodio.datasets.records.record import Record
from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class ObjectiveContext:
    """What an objective knows of the network that it makes examples for.

    Attributes:
        config: of the network: which modalities it reads and writes, sizes, lengths.
        vocabulary: its text tokens.
        partner: draws a record of the same source, which may be the same one, with a generator; objectives that take
            several records use it, and suit no record without it.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    partner: Callable[[np.random.Generator], Record] | None = None


class RecordObjective(Protocol):
    """A pure function of (record, generator), and of the source where it draws partners.

    A module has one as `OBJECTIVE`: a frozen dataclass, whose fields are its settings with their defaults.
    """

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Whether the record has the parts, and the network the modalities, that the objective needs."""

    def example(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """Makes an Example; all random draws come from the generator.

        Raises:
            CorruptRecordError: media of the record cannot be decoded.
            UnusableRecord: they can, but leave nothing to hide, such as a text of one token.
        """
