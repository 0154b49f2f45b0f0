"""Objective: a way to make a training Example of a record; each is one module of this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar, cast

import numpy as np

from embodio.datasets.errors import DatasetError, UnusableRecord
from embodio.datasets.objectives.parts.perceived import fault_of
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


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Settings of an objective, the keys `objectives.<name>.*` of a run; objectives with more settings subclass it.

    Attributes:
        weight: its rate among the objectives that suit a record, up to a common factor.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        if not self.weight >= 0.0:
            raise DatasetError(f"weight: got {self.weight}, expected at least 0")


class RecordObjective(Protocol):
    """A pure function of (record, generator), and of the source where it draws partners."""

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Whether the record has the parts, and the network the modalities, that the objective needs."""

    def example(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """Makes an Example; all random draws come from the generator.

        Raises:
            CorruptRecordError: media of the record cannot be decoded.
            UnusableRecord: they can, but leave nothing to hide, such as a text of one token.
        """


Config = TypeVar("Config", bound=ObjectiveConfig)


class ConfiguredObjective(ABC, Generic[Config]):
    """The base class of the objectives of this folder: a RecordObjective with settings.

    A subclass names its dataclass of settings; its module has the subclass as `OBJECTIVE`.
    """

    settings: ClassVar[type[ObjectiveConfig]] = ObjectiveConfig
    """The dataclass of the settings, a subclass of ObjectiveConfig."""

    def __init__(self, config: Config | None = None) -> None:
        """Keeps the settings, the defaults if None."""
        self.config: Config = cast("Config", self.settings()) if config is None else config

    @property
    def includes(self) -> frozenset[str]:
        """The names of other objectives whose examples this one makes too."""
        return frozenset()

    @abstractmethod
    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Whether the record has the parts, and the network the modalities, that the objective needs.

        Decodes no media, so that it is cheap.
        """

    def example(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """Makes an Example of a record that suits; all random draws come from the generator.

        Raises:
            CorruptRecordError: media of the record cannot be decoded.
            UnusableRecord: they can, but leave nothing to hide, or nothing of an image or a sound is perceived.
            DatasetError: the record does not suit.
        """
        example = self.make(record, context, generator)
        if fault := fault_of(example, context.config):
            raise UnusableRecord(record.key, 0, fault)
        return example

    @abstractmethod
    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """The Example of `example`, of which it need not check that images and sounds are perceived."""
