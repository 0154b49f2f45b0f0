"""Grammar: the legal answers of a policy, part by part, compiled from the embodiment."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ActionError
from embodio.model.tokens.vocabulary import EOS_ID

Ids = npt.NDArray[np.int64]
Spellings = tuple[tuple[int, ...], ...]
"""The tokens of each of several words, in order."""


@dataclass(frozen=True, eq=False)
class Forced:
    """Tokens that are the same in every answer."""

    ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Level:
    """A choice of one token among `ids`, int64 [n]."""

    ids: Ids


@dataclass(frozen=True, eq=False)
class Word:
    """A choice of one word; no word may be a prefix of another."""

    spellings: Spellings


@dataclass(frozen=True, eq=False)
class Echo:
    """The outcome of choice `of` in other words; forced once that choice is made."""

    of: int
    spellings: Spellings


@dataclass(frozen=True, eq=False)
class Stop:
    """A choice to end the answer (0) or to continue (1) with the token `go_on`."""

    go_on: int


@dataclass(frozen=True, eq=False)
class Able:
    """A choice whether what is asked for can be done: the answer is `no` (0), or goes on after `yes` (1).

    Decoding goes on after `yes` either way, so that the actions are known that an agent declined to play.
    """

    no: tuple[int, ...]
    yes: tuple[int, ...]


Part = Forced | Level | Word | Echo | Stop | Able
Choice = Level | Word | Stop | Able


@dataclass(frozen=True, eq=False)
class Grammar:
    """The parts of an answer in order.

    Every answer is the outcome of C choices, one for each Level, Word, Stop and Able: `write` turns choices into
    tokens, `parse` tokens into choices. Parts that follow from the choices (`Forced`, `Echo`) are filled in without
    running the network, which reads them together with the next token that it has to choose.

    Raises:
        ActionError: a part has no alternatives, one word is a prefix of another, an Echo fits no earlier choice, or
            `no` and `yes` begin alike.
    """

    parts: tuple[Part, ...]
    choices: tuple[Choice, ...] = field(init=False)
    """The parts that the network chooses, in order."""

    def __post_init__(self) -> None:
        if not self.parts:
            raise ActionError("grammar: an answer needs at least one position")
        choices: list[Choice] = []
        for position, part in enumerate(self.parts):
            if isinstance(part, Level) and (part.ids.ndim != 1 or not len(part.ids) or part.ids.dtype != np.int64):
                raise ActionError(f"grammar: position {position} needs int64 [n] with at least one id")
            if isinstance(part, Word):
                _require_prefix_free(part.spellings)
            if isinstance(part, Able) and part.no[:1] == part.yes[:1]:
                raise ActionError(f"grammar: position {position} needs two words with different first tokens")
            if isinstance(part, Echo):
                other = choices[part.of] if 0 <= part.of < len(choices) else None
                if not isinstance(other, Word | Level) or _width(other) != len(part.spellings):
                    raise ActionError(f"grammar: position {position} echoes choice {part.of}, which does not fit")
            if isinstance(part, Choice):
                choices.append(part)
        object.__setattr__(self, "choices", tuple(choices))

    @classmethod
    def of_ids(cls, legal: Sequence[Ids]) -> Grammar:
        """A grammar of single tokens, each among the ids legal at its position; single ids are forced."""
        return cls(tuple(Forced((int(ids[0]),)) if len(ids) == 1 else Level(ids) for ids in legal))

    @property
    def length(self) -> int:
        """T, the number of tokens of the longest answer."""
        return sum(_longest(part) for part in self.parts)

    @property
    def ragged(self) -> bool:
        """Whether answers differ in length, or in the positions of their parts."""
        return any(
            isinstance(part, Stop | Able)
            or (isinstance(part, Word | Echo) and len({len(word) for word in part.spellings}) > 1)
            for part in self.parts
        )

    def write(self, choices: npt.ArrayLike) -> Ids:
        """Choices int [C] -> tokens int64 [T']; choices after a chosen Stop, or after `no`, are ignored.

        Raises:
            ActionError: a choice that does not exist.
        """
        chosen = np.asarray(choices, dtype=np.int64).tolist()
        ids: list[int] = []
        index = 0
        for part in self.parts:
            if isinstance(part, Forced):
                ids += part.ids
                continue
            if isinstance(part, Echo):
                ids += part.spellings[chosen[part.of]]
                continue
            choice = chosen[index] if index < len(chosen) else -1
            index += 1
            if not 0 <= choice < _width(part):
                raise ActionError(
                    f"grammar: choice {index - 1} is {choice}, but there are {_width(part)} to choose from"
                )
            if isinstance(part, Stop):
                if choice == 0:
                    break
                ids.append(part.go_on)
            elif isinstance(part, Able):
                ids += part.yes if choice else part.no
                if choice == 0:
                    break
            else:
                ids += (int(part.ids[choice]),) if isinstance(part, Level) else part.spellings[choice]
        return np.array(ids, dtype=np.int64)

    def parse(self, ids: npt.ArrayLike) -> Ids:
        """Tokens [T'], with or without the end token -> choices int64 [C], -1 after a chosen Stop or `no`.

        Raises:
            ActionError: the grammar does not allow the tokens; names the position.
        """
        tokens = np.asarray(ids)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise ActionError(f"action tokens: expected integers [T], got {tokens.dtype} {tokens.shape}")
        given = tokens.tolist()
        chosen: list[int] = []
        place = 0
        for part in self.parts:
            if isinstance(part, Stop):
                chosen.append(int(place < len(given) and given[place] != EOS_ID))
                if not chosen[-1]:
                    break
                place = _expect(given, place, (part.go_on,))
            elif isinstance(part, Able):
                chosen.append(int(tuple(given[place : place + 1]) != part.no[:1]))
                place = _expect(given, place, part.yes if chosen[-1] else part.no)
                if not chosen[-1]:
                    break
            elif isinstance(part, Forced | Echo):
                place = _expect(given, place, part.ids if isinstance(part, Forced) else part.spellings[chosen[part.of]])
            else:
                choice = _find(part, given, place)
                chosen.append(choice)
                place += 1 if isinstance(part, Level) else len(part.spellings[choice])
        if given[place:] not in ([], [EOS_ID]):
            raise ActionError(f"action tokens: {len(given)} were given, but the answer ends after {place}")
        return np.array(chosen + [-1] * (len(self.choices) - len(chosen)), dtype=np.int64)

    def accepts(self, ids: npt.ArrayLike) -> bool:
        """Whether the grammar allows the token sequence [T']."""
        try:
            self.parse(ids)
        except ActionError:
            return False
        return True


def _find(part: Level | Word, given: list[int], place: int) -> int:
    """The index of the alternative found at `place`."""
    if isinstance(part, Level):
        found = np.flatnonzero(part.ids == given[place]).tolist() if place < len(given) else []
    else:
        found = [i for i, word in enumerate(part.spellings) if tuple(given[place : place + len(word)]) == word]
    if not found:
        raise ActionError(f"action tokens: {_seen(given, place)} is none of the {_width(part)} legal choices")
    return int(found[0])


def _width(part: Choice) -> int:
    if isinstance(part, Level):
        return len(part.ids)
    return len(part.spellings) if isinstance(part, Word) else 2


def _longest(part: Part) -> int:
    if isinstance(part, Forced):
        return len(part.ids)
    if isinstance(part, Able):
        return max(len(part.no), len(part.yes))
    return max(map(len, part.spellings)) if isinstance(part, Word | Echo) else 1


def _require_prefix_free(spellings: Spellings) -> None:
    if not spellings or not all(spellings):
        raise ActionError("grammar: a choice of words needs words, none of them empty")
    ordered = sorted(spellings)
    for first, second in itertools.pairwise(ordered):
        if second[: len(first)] == first:
            raise ActionError(f"grammar: the word with tokens {first} begins the one with {second}; rename one of them")


def _expect(given: list[int], place: int, ids: tuple[int, ...]) -> int:
    if tuple(given[place : place + len(ids)]) != ids:
        raise ActionError(f"action tokens: {_seen(given, place)}, expected {list(ids)}")
    return place + len(ids)


def _seen(given: list[int], place: int) -> str:
    return f"id {given[place]} at position {place}" if place < len(given) else f"the end at position {place}"
