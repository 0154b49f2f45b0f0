"""ActionText: writes a sequence of actions as text, and compiles the grammar that every answer follows."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ActionError, CheckpointError
from embodio.agent.format.codec import ActionCodec
from embodio.agent.format.grammar import Able, Echo, Forced, Grammar, Level, Part, Spellings, Stop, Word
from embodio.model.tokens.vocabulary import Vocabulary

_SLOT = re.compile(r"\{([^{}]*)\}")
_STEP = "{step}"
_YES, _NO = "yes", "no"

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Slot:
    """A slot of the template: a dimension, spelled as in the codec or with other words."""

    dimension: int
    words: Spellings | None = None


class ActionText:
    """Writes actions, reads them, and compiles the grammar for decoding; identical in training and acting.

    Args:
        codec: the bins of each action dimension and their tokens.
        vocabulary: encodes the text around them.
        template: text of one action. `{name}` is a dimension of the action, `{step}` the number of the action from 1,
            and `{name|one|other}` repeats the choice of a dimension of words in other words; "" writes the dimensions
            one after the other.
        separator: text between two actions.
        whole_episode: the network decides when the actions end.
        abstains: an answer is "yes" and the actions, or "no".

    Raises:
        CheckpointError: a dimension does not occur exactly once in the template, a slot is unknown, or, for whole
            episodes, no text marks the start of a further action.
    """

    def __init__(
        self,
        codec: ActionCodec,
        vocabulary: Vocabulary,
        template: str,
        separator: str,
        whole_episode: bool,
        abstains: bool = False,
    ) -> None:
        self.codec, self.whole_episode, self.abstains = codec, whole_episode, abstains
        self._vocabulary, self._separator = vocabulary, separator
        names = [dimension.name for dimension in codec.action.dimensions]
        self._pieces = self._parse(template or "".join(f"{{{name}}}" for name in names), names)
        self._order = [piece.dimension for piece in self._pieces if isinstance(piece, _Slot) and piece.words is None]
        if sorted(self._order) != list(range(len(names))):
            raise CheckpointError(f"action_text: {template!r} must hold each of {names} exactly once")
        yes, no = (tuple(vocabulary.encode(word)) for word in (_YES, _NO))
        self._able = (Able(no, yes),) if abstains else ()
        self._grammars: dict[tuple[int, bool, bool], Grammar] = {}
        self.grammar(2)

    def grammar(self, actions: int) -> Grammar:
        """The grammar of the policy's answers of `actions` actions."""
        return self._grammar(actions, self.whole_episode, self.abstains)

    def _grammar(self, actions: int, ends: bool, able: bool) -> Grammar:
        """`ends`: the answer may end after each action; `able`: it begins with "yes", or is "no"."""
        key = (actions, ends, able)
        if key not in self._grammars:
            if len(self._grammars) >= 256:
                self._grammars.clear()
            self._grammars[key] = self._compile(*key)
        return self._grammars[key]

    def choice_of(self, action: int, dimension: int) -> int:
        """The index of the choice that determines dimension `dimension` of action `action` in the policy's grammar."""
        return int(self.abstains) + action * (self.codec.size + int(self.whole_episode)) + self._order.index(dimension)

    def choices(self, actions: npt.ArrayLike) -> Ints:
        """Choices int64 [C] of `grammar(n)` for actions [n, A]; raises ActionError as the codec does."""
        return np.concatenate([np.ones(int(self.abstains), dtype=np.int64), self._chosen(actions)])

    def _chosen(self, actions: npt.ArrayLike) -> Ints:
        levels = np.atleast_2d(self.codec.levels(actions))[:, self._order]
        if self.whole_episode:
            levels = np.concatenate([np.ones((len(levels), 1), dtype=np.int64), levels], axis=1)
            return levels.reshape(-1)[1:]
        return levels.reshape(-1)

    def write(self, actions: npt.ArrayLike) -> list[int]:
        """Actions [n, A] as token ids, without the end of the text; raises ActionError as the codec does."""
        values = np.atleast_2d(np.asarray(actions))
        if not len(values):
            return []
        grammar = self._grammar(len(values), self.whole_episode, able=False)
        return [int(token) for token in grammar.write(self._chosen(values))]

    def answer(self, actions: npt.ArrayLike) -> list[int]:
        """Actions [n, A] -> the answer of a policy, `write` after "yes" if it abstains; "no" for no actions [0, A]."""
        written = self.write(actions)
        return [*(token for able in self._able for token in (able.yes if written else able.no)), *written]

    def read_answer(self, ids: npt.ArrayLike) -> Floats:
        """The inverse of `answer`; raises ActionError as `read` does, or for an answer that is not "yes" or "no"."""
        tokens = np.asarray(ids)
        for able in self._able:
            if tuple(tokens.tolist()) == able.no:
                return np.zeros((0, self.codec.size), dtype=np.float32)
            if tuple(tokens[: len(able.yes)].tolist()) != able.yes:
                raise ActionError(f"action tokens: an answer of this policy begins with {_YES!r}, or is {_NO!r}")
            tokens = tokens[len(able.yes) :]
        return self.read(tokens)

    def actions(self, choices: npt.NDArray[np.integer]) -> list[Floats]:
        """Choices [B, C] of `grammar` -> the actions float32 [n, A] of each row, those after "yes" if it is "no"."""
        return self._actions(choices[:, int(self.abstains) :], self.whole_episode)

    def _actions(self, choices: npt.NDArray[np.integer], ends: bool) -> list[Floats]:
        rows = len(choices)
        stride = self.codec.size + int(ends)
        padded = np.concatenate([np.ones((rows, int(ends)), dtype=np.int64), choices], axis=1)
        table = padded.reshape(rows, -1, stride)
        levels = np.zeros((rows, table.shape[1], self.codec.size), dtype=np.int64)
        levels[..., self._order] = table[..., int(ends) :]
        if not ends:
            return list(self.codec.from_levels(levels))
        counts = (table[..., 0] == 1).cumprod(axis=1).sum(axis=1)
        return [self.codec.from_levels(row[:count]) for row, count in zip(levels, counts, strict=True)]

    def read(self, ids: npt.ArrayLike) -> Floats:
        """Token ids [T] of any number of actions -> actions float32 [n, A]; the inverse of `write`.

        Raises:
            ActionError: the tokens are not a whole number of actions, or one is not legal at its position.
        """
        tokens = np.asarray(ids)
        if tokens.ndim != 1 or not tokens.size:
            raise ActionError(f"action tokens: expected integers [T], got {tokens.dtype} {tokens.shape}")
        for count in range(1, len(tokens) + 1):
            grammar = self._grammar(count, ends=False, able=False)
            if grammar.length < len(tokens) - 1:
                continue
            if grammar.accepts(tokens):
                return self._actions(grammar.parse(tokens)[None], ends=False)[0]
            if grammar.length >= len(tokens) and not grammar.ragged:
                grammar.parse(tokens)
        raise ActionError(f"action tokens: {len(tokens)} are not a whole number of actions; decode with `grammar`")

    def _parse(self, template: str, names: list[str]) -> list[str | _Slot]:
        pieces: list[str | _Slot] = []
        for index, part in enumerate(_SLOT.split(template)):
            name, *words = part.split("|")
            if index % 2 == 0:
                pieces += [part] if part else []
            elif name in names:
                dimension = names.index(name)
                if words and len(words) != len(self.codec.action.dimensions[dimension].words):
                    raise CheckpointError(f"action_text: {{{part}}} needs one word for each of those of {name!r}")
                if words and not any(isinstance(p, _Slot) and p.dimension == dimension for p in pieces):
                    raise CheckpointError(f"action_text: {{{part}}} comes before {{{name}}}, which it echoes")
                spelled = tuple(tuple(self._vocabulary.encode(word)) for word in words)
                pieces.append(_Slot(dimension, spelled or None))
            elif f"{{{part}}}" == _STEP:
                pieces.append(_STEP)
            else:
                raise CheckpointError(f"action_text: there is no {{{part}}}; there are {['step', *names]}")
        return pieces

    def _compile(self, actions: int, ends: bool, able: bool) -> Grammar:
        parts: list[Part] = [*self._able] if able else []
        choices = len(parts)
        for number in range(1, actions + 1):
            stops = ends and number > 1
            first, choices = len(parts), choices + int(stops)
            text, chosen = self._separator if number > 1 else "", dict[int, int]()
            for piece in self._pieces:
                if isinstance(piece, str):
                    text += piece.replace(_STEP, str(number))
                    continue
                parts += self._forced(text)
                text = ""
                if piece.words is not None:
                    parts.append(Echo(chosen[piece.dimension], piece.words))
                else:
                    parts.append(_choice(self.codec.spellings[piece.dimension]))
                    chosen[piece.dimension] = choices
                    choices += 1
            parts += self._forced(text)
            if stops:
                parts[first : first + 1] = self._stop(parts[first])
        return Grammar(tuple(parts))

    def _forced(self, text: str) -> list[Part]:
        return [Forced(tuple(self._vocabulary.encode(text.strip())))] if text.strip() else []

    @staticmethod
    def _stop(begin: Part) -> list[Part]:
        if not isinstance(begin, Forced):
            raise CheckpointError("whole_episode: set a separator, or an action_text that begins with text")
        rest = begin.ids[1:]
        return [Stop(begin.ids[0]), *([Forced(rest)] if rest else [])]


def _choice(spelled: Ints | Spellings) -> Part:
    if isinstance(spelled, np.ndarray):
        return Level(spelled)
    if all(len(word) == 1 for word in spelled):
        return Level(np.array([word[0] for word in spelled], dtype=np.int64))
    return Word(spelled)
