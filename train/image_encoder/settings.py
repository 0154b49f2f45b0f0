"""Settings of the training of an image encoder that are not those of every run."""

from __future__ import annotations

from dataclasses import dataclass

from embodio.train.command_line.ranges import AT_LEAST_ONE, NOT_NEGATIVE, require_ranges


@dataclass(frozen=True)
class SightLossConfig:
    """Weights of the losses of an image encoder.

    Attributes:
        things: whether a patch shows a thing.
        words: the words of its name.
        corners: the value tokens of its box.
        meant: whether a patch shows what is asked for.
        answer: the value tokens of the box of what is asked for.
        whole: the words of the captions, of the whole picture.
    """

    things: float = 1.0
    words: float = 1.0
    corners: float = 1.0
    meant: float = 2.0
    answer: float = 1.0
    whole: float = 0.05

    def __post_init__(self) -> None:
        require_ranges(self, "loss.", **dict.fromkeys(vars(self), NOT_NEGATIVE))


@dataclass(frozen=True)
class WordsConfig:
    """The words that an encoder learns.

    Attributes:
        most: the most frequent ones are kept.
        fewest: rarer ones are left out, by the number of pictures that have them.
    """

    most: int = 512
    fewest: int = 5

    def __post_init__(self) -> None:
        require_ranges(self, "words.", most=AT_LEAST_ONE, fewest=AT_LEAST_ONE)
