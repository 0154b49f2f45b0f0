"""Settings of the training of an image tower that are not those of every run."""

from __future__ import annotations

from dataclasses import dataclass

from embodio.train.command_line.ranges import AT_LEAST_ONE, NOT_NEGATIVE, require_ranges


@dataclass(frozen=True)
class TowerLossConfig:
    """Weights of the losses of an image tower.

    Attributes:
        things: whether a patch shows a thing.
        words: the words of its name.
        boxes: its box, seen from the patch.
        whole: the words of the captions, of the whole picture.
    """

    things: float = 1.0
    words: float = 1.0
    boxes: float = 1.0
    whole: float = 1.0

    def __post_init__(self) -> None:
        require_ranges(self, "loss.", things=NOT_NEGATIVE, words=NOT_NEGATIVE, boxes=NOT_NEGATIVE, whole=NOT_NEGATIVE)


@dataclass(frozen=True)
class WordsConfig:
    """The words that a tower learns.

    Attributes:
        most: the most frequent ones are kept.
        fewest: rarer ones are left out, by the number of pictures that have them.
    """

    most: int = 512
    fewest: int = 5

    def __post_init__(self) -> None:
        require_ranges(self, "words.", most=AT_LEAST_ONE, fewest=AT_LEAST_ONE)
