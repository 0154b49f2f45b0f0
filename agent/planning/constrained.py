"""Constrained decoding: restricts every choice to what the grammar allows, whatever the logits are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from embodio.agent.format.grammar import Able, Choice, Echo, Forced, Grammar, Level, Stop, Word
from embodio.model.inference.answer_reader import AnswerReader, DecoderWeights
from embodio.model.inference.layer_step import Product, float_product
from embodio.model.inference.word_tree import UNDEFINED, WordTree
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.targets import START_ID
from embodio.model.tokens.vocabulary import EOS_ID

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answer:
    """Decoded answers of B rows.

    Attributes:
        grammar: the grammar of the answers.
        choices: int64 [B, C], every one legal; -1 after a chosen Stop. After `no` they are those that `yes` would have
            been followed by.
        hidden: for each choice made, decoder outputs [B, 1 + m, D] at the token before it and at the m prefixes of its
            words; the product with a row of the text table is the logit of that id.
        neutral: the same for the neutral instruction, under guidance.
    """

    grammar: Grammar
    choices: Ints
    hidden: list[Tensor]
    neutral: list[Tensor]

    @property
    def ids(self) -> list[Ints]:
        """The tokens int64 [T'] of each row, without the end token."""
        return [self.grammar.write(row) for row in self.choices]

    def declines(self, row: int) -> bool:
        """Whether the answer of a row is `no`."""
        return isinstance(self.grammar.parts[0], Able) and int(self.choices[row, 0]) == 0


@dataclass(eq=False)
class _Choice:
    """One compiled choice: the columns read before it, its alternatives, and the columns that depend on it."""

    end: int
    column: int
    stops: bool
    scores: Callable[[Tensor], Tensor]
    """Scores [B, n] of the alternatives from hidden [B, 1 + m, D]."""
    spelled: Tensor
    tree: WordTree | None = None
    echoes: list[tuple[int, WordTree]] = field(default_factory=list)


class ConstrainedDecoder:
    """Decodes answers of one grammar with one network.

    Answers are laid out in columns: the start token, then the columns of each part in order. A word takes the columns
    of the longest word of its choice; unused ones are masked for all later columns. Thus all rows are read in the same
    steps, whatever each has chosen.

    Args:
        weights: decoder weights of the network.
        grammar: the legal answers.
    """

    def __init__(self, weights: DecoderWeights, grammar: Grammar) -> None:
        self._weights, self.grammar = weights, grammar
        self._device = weights.model.table("text").device
        self._tables: dict[bytes, tuple[Tensor, Product]] = {}
        self._choices: list[_Choice] = []
        forced = [START_ID]
        for part in grammar.parts:
            if isinstance(part, Forced):
                forced += part.ids
            elif isinstance(part, Echo):
                tree = WordTree(part.spellings, self._device)
                self._choices[part.of].echoes.append((len(forced), tree))
                forced += [0] * tree.padded.shape[1]
            else:
                choice = self._compile(part, len(forced))
                self._choices.append(choice)
                forced += [part.go_on] if isinstance(part, Stop) else [0] * choice.spelled.shape[1]
        self._forced = torch.as_tensor(forced, device=self._device)
        words = [choice.tree for choice in self._choices if choice.tree is not None]
        self._hides = bool(words) or any(choice.echoes for choice in self._choices)
        self._capacity = len(forced) + max((len(tree.tokens) for tree in words), default=0)

    def _compile(self, part: Choice, end: int) -> _Choice:
        table = self._weights.model.table("text").detach()
        if isinstance(part, Word):
            tree = WordTree(part.spellings, self._device)
            return _Choice(end, end, False, lambda hidden: tree.scores(state_logits(hidden, table)), tree.padded, tree)
        if isinstance(part, Level):
            ids = part.ids
        else:
            pair = [EOS_ID, part.go_on] if isinstance(part, Stop) else [part.no[0], part.yes[0]]
            ids = np.array(pair, dtype=np.int64)
        if ids.tobytes() not in self._tables:
            allowed = torch.as_tensor(ids, device=self._device)
            self._tables[ids.tobytes()] = (allowed[:, None], float_product(table.index_select(0, allowed)))
        spelled, product = self._tables[ids.tobytes()]
        if isinstance(part, Able):
            spelled = torch.as_tensor([part.yes, part.yes], device=self._device)
        return _Choice(end, end, isinstance(part, Stop), lambda hidden: product(hidden[:, 0], len(hidden)), spelled)

    @torch.inference_mode()
    def __call__(
        self,
        encoded: TokenSequence,
        noise: npt.NDArray[np.float64] | None = None,
        temperature: float = 1.0,
        neutral: TokenSequence | None = None,
        guidance: float = 0.0,
        given: Ints | None = None,
    ) -> Answer:
        """Decodes one answer for each row.

        Each choice compares the scores of the legal alternatives only, so no logit, not even an infinite or undefined
        one, leads to an illegal token.

        Args:
            encoded: the encoder's output for B rows.
            noise: float64 [B, C] in [0, 1) to sample with; None takes the best. Row i depends on noise[i] only.
            temperature: sampling temperature.
            neutral: the encoder's output for the neutral instruction, for guidance.
            guidance: scale of classifier-free guidance away from the neutral instruction.
            given: int64 [B, C] choices to force instead, to score them.
        """
        rows = encoded.embeddings.shape[0]
        decoder = AnswerReader(self._weights, encoded, self._capacity)
        other = None if neutral is None else AnswerReader(self._weights, neutral, self._capacity, own_cache=True)
        fed = self._forced.repeat(rows, 1)
        valid = torch.ones_like(fed, dtype=torch.bool) if self._hides else None
        chosen = torch.full((rows, len(self._choices)), -1, dtype=torch.long, device=self._device)
        open_rows = torch.ones(rows, dtype=torch.bool, device=self._device)
        read, hidden, away = 0, list[Tensor](), list[Tensor]()
        for index, choice in enumerate(self._choices):
            tokens, read = fed[:, read : choice.end], choice.end
            seen = None if valid is None else valid[:, : choice.end]
            hidden.append(decoder.read(tokens, seen, choice.tree))
            scores = choice.scores(hidden[-1])
            if other is not None:
                away.append(other.read(tokens, seen, choice.tree))
                scores = guided(scores, choice.scores(away[-1]), guidance)
            if given is not None:
                best = torch.as_tensor(given[:, index], device=self._device)
            else:
                best = scores.argmax(dim=-1) if noise is None else _draw(scores, noise[:, index], temperature)
            chosen[:, index] = best
            if choice.stops:
                chosen[~open_rows, index] = -1
                open_rows = open_rows & (best == 1)
                if not open_rows.any():
                    break
                continue
            fed[:, choice.column : choice.column + choice.spelled.shape[1]] = choice.spelled[best]
            if valid is not None:
                _mark(choice, best, fed, valid)
        return Answer(self.grammar, self._closed(chosen.cpu().numpy()), hidden, away)

    def _closed(self, chosen: Ints) -> Ints:
        """Choices with -1 everywhere after a chosen Stop."""
        for index, choice in enumerate(self._choices):
            if choice.stops:
                chosen[chosen[:, index] != 1, index + 1 :] = -1
        return chosen


def decode_legal(model: UnifiedIO2, encoded: TokenSequence, legal: Sequence[Ints]) -> Ints:
    """Greedy decoding of exactly `len(legal)` tokens per row, each among the ids that are legal at its position.

    Args:
        model: the network, in eval mode.
        encoded: the encoder's output for B rows.
        legal: for each position the legal ids, at least one.

    Returns:
        Token ids [B, len(legal)].
    """
    return np.stack(ConstrainedDecoder(DecoderWeights(model), Grammar.of_ids(legal))(encoded).ids)


def guided(conditional: Tensor, neutral: Tensor, scale: float) -> Tensor:
    """Scores (1 + scale) * log p - scale * log p_neutral among the alternatives, from two scores [..., n]."""
    return (1.0 + scale) * conditional.log_softmax(dim=-1) - scale * neutral.log_softmax(dim=-1)


def state_logits(hidden: Tensor, table: Tensor) -> Tensor:
    """Logits [B, m, n] of hidden [B, m, D] and rows of the table [n, D], with a separate product for each row."""
    return torch.stack([functional.linear(row, table) for row in hidden])


def _mark(choice: _Choice, best: Tensor, fed: Tensor, valid: Tensor) -> None:
    """Masks the columns that a choice leaves unused, and writes its echoes."""
    if choice.tree is not None:
        valid[:, choice.column : choice.column + choice.spelled.shape[1]] = choice.tree.valid[best]
    for column, echo in choice.echoes:
        fed[:, column : column + echo.padded.shape[1]] = echo.padded[best]
        valid[:, column : column + echo.padded.shape[1]] = echo.valid[best]


def _draw(logits: Tensor, noise: npt.NDArray[np.float64], temperature: float) -> Tensor:
    """Indices int64 [B] sampled from softmax(logits / temperature); undefined logits count as the worst."""
    scores = np.nan_to_num(logits.double().cpu().numpy(), nan=UNDEFINED, posinf=-UNDEFINED, neginf=UNDEFINED)
    with np.errstate(over="ignore"):  # next to no temperature leaves the best alone
        weights = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    total = np.cumsum(weights, axis=1)
    index = (total <= (noise * total[:, -1])[:, None]).sum(axis=1)
    return torch.as_tensor(np.minimum(index, scores.shape[1] - 1), device=logits.device)
