"""Constrained decoding: at every position only the legal ids can be reached, whatever the logits are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from embodio.agent.decoder import DecoderWeights, RowDecoder
from embodio.agent.grammar import Grammar
from embodio.model.network import UnifiedIO2
from embodio.model.targets import START_ID
from embodio.model.token_sequence import TokenSequence


@dataclass(frozen=True)
class Answer:
    """What was decoded for B rows.

    Attributes:
        ids: int64 [B, T], every one legal.
        hidden: [B, C, D] for the C chosen positions; times a row of the text table it is the logit of that id.
        neutral: the same for the neutral instruction under guidance, else None.
    """

    ids: npt.NDArray[np.int64]
    hidden: Tensor
    neutral: Tensor | None


class ConstrainedDecoder:
    """Writes answers of one grammar with one network.

    Args:
        weights: of the network.
        grammar: what an answer may look like.
    """

    def __init__(self, weights: DecoderWeights, grammar: Grammar) -> None:
        self._weights, self.grammar = weights, grammar
        table = weights.model.table("text").detach()
        shared: dict[bytes, tuple[Tensor, Tensor]] = {}
        self._choices: list[tuple[int, Tensor, Tensor]] = []
        for position in grammar.choices:
            ids = grammar.legal[position]
            if ids.tobytes() not in shared:
                allowed = torch.as_tensor(ids, device=table.device)
                shared[ids.tobytes()] = (allowed, table.index_select(0, allowed))
            self._choices.append((position, *shared[ids.tobytes()]))
        self._forced = torch.as_tensor([int(ids[0]) for ids in grammar.legal], device=table.device)

    @torch.inference_mode()
    def __call__(
        self,
        encoded: TokenSequence,
        noise: npt.NDArray[np.float64] | None = None,
        temperature: float = 1.0,
        neutral: TokenSequence | None = None,
        guidance: float = 0.0,
    ) -> Answer:
        """Decodes one answer for each row.

        The choice is made between the logits of the legal ids alone, so no logit, not even an infinite or undefined
        one, can lead to an illegal id: ties, and a NaN, only decide between legal ids.

        Args:
            encoded: the encoder's output for B rows.
            noise: float64 [B, C] in [0, 1): draws instead of taking the best; row i's numbers decide row i alone.
            temperature: of drawing.
            neutral: the encoder's output for the neutral instruction, for guidance.
            guidance: how far to move away from what the neutral instruction would give.
        """
        rows, device = encoded.embeddings.shape[0], encoded.embeddings.device
        decoder = RowDecoder(self._weights, encoded, self.grammar.length)
        other = None if neutral is None else RowDecoder(self._weights, neutral, self.grammar.length, own_cache=True)
        fed = torch.empty((rows, self.grammar.length + 1), dtype=torch.long, device=device)
        fed[:, 0] = START_ID
        fed[:, 1:] = self._forced
        read, kept, kept_neutral = 0, [], []
        for index, (position, allowed, table) in enumerate(self._choices):
            tokens = fed[:, read : position + 1]
            read = position + 1
            hidden = decoder.read(tokens)
            logits = _row_logits(hidden, table)
            kept.append(hidden)
            if other is not None:
                away = other.read(tokens)
                kept_neutral.append(away)
                logits = guided(logits, _row_logits(away, table), guidance)
            best = logits.argmax(dim=-1) if noise is None else _draw(logits, noise[:, index], temperature)
            fed[:, position + 1] = allowed[best]
        empty = encoded.embeddings.new_empty((rows, 0, encoded.embeddings.shape[-1]))
        hidden = torch.stack(kept, dim=1) if kept else empty
        return Answer(fed[:, 1:].cpu().numpy(), hidden, torch.stack(kept_neutral, dim=1) if kept_neutral else None)


def decode_legal(
    model: UnifiedIO2, encoded: TokenSequence, legal: Sequence[npt.NDArray[np.int64]]
) -> npt.NDArray[np.int64]:
    """Greedy decoding of exactly `len(legal)` tokens per row, each among the ids that are legal at its position.

    Args:
        model: the network, in eval mode.
        encoded: the encoder's output for B rows.
        legal: for each position the ids that may stand there; at least one.

    Returns:
        Token ids [B, len(legal)].
    """
    return ConstrainedDecoder(DecoderWeights(model), Grammar(tuple(legal)))(encoded).ids


def guided(conditional: Tensor, neutral: Tensor, scale: float) -> Tensor:
    """Scores (1 + scale) * log p - scale * log p_neutral among the legal ids, from two logits [..., n]."""
    return (1.0 + scale) * conditional.log_softmax(dim=-1) - scale * neutral.log_softmax(dim=-1)


def _row_logits(hidden: Tensor, table: Tensor) -> Tensor:
    """Logits [B, n] of hidden [B, D] and rows of the table [n, D], each row by a product of its own."""
    if hidden.shape[0] == 1:
        return functional.linear(hidden, table)
    return torch.bmm(hidden.unsqueeze(1), table.t().expand(hidden.shape[0], -1, -1)).squeeze(1)


def _draw(logits: Tensor, noise: npt.NDArray[np.float64], temperature: float) -> Tensor:
    """Indices int64 [B] drawn with probabilities softmax(logits / temperature); undefined logits count as the worst."""
    scores = np.nan_to_num(logits.double().cpu().numpy(), nan=-1e30, posinf=1e30, neginf=-1e30)
    weights = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    total = np.cumsum(weights, axis=1)
    index = (total <= (noise * total[:, -1])[:, None]).sum(axis=1)
    return torch.as_tensor(np.minimum(index, scores.shape[1] - 1), device=logits.device)
