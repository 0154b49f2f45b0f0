"""Beam search: finds a probable sequence with several parallel hypotheses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from embodio.model.errors import DecodingError
from embodio.model.generation.guided_decoder import GuidedDecoder
from embodio.model.generation.pipeline import ScorePipeline

Candidates = tuple[Tensor, Tensor, Tensor, Tensor]
"""Log-probabilities, parent indices, new ids, and whether they end: [R, 2 K] each, best first."""


@dataclass(frozen=True, kw_only=True)
class Beam:
    """Settings of a beam search.

    With guidance, sums of guided scores are compared without normalising them at every step: the search maximises
    (1 + scale) log p - scale log p_neutral of the whole text.

    Attributes:
        width: hypotheses K per example; 1 is greedy decoding.
        length_penalty: finished hypotheses compare by log-probability / length ** length_penalty, including the end id.
            0, the default, compares plain log-probabilities as the JAX code does; the transformers library uses 1.
        early_stopping: True ends an example as soon as K hypotheses are finished; False continues while the best
            running one could still be better at its current length.
    """

    width: int = 4
    length_penalty: float = 0.0
    early_stopping: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise DecodingError(f"beam width {self.width} must be at least 1")


@dataclass(frozen=True)
class Finished:
    """The K best finished hypotheses of each of B examples.

    Attributes:
        scores: float32 [B, K], -inf where there is none yet.
        tokens: int64 [B, K, T], 0 after the end.
        lengths: int64 [B, K], tokens with the end id.
        log_probability: float32 [B, K].
    """

    scores: Tensor
    tokens: Tensor
    lengths: Tensor
    log_probability: Tensor

    @classmethod
    def none_yet(cls, examples: int, width: int, max_tokens: int, device: torch.device) -> Finished:
        """Empty buffers for finished hypotheses."""
        nothing = torch.full((examples, width), -torch.inf, device=device)
        tokens = torch.zeros(examples, width, max_tokens, dtype=torch.int64, device=device)
        return cls(nothing, tokens, torch.zeros_like(tokens[..., 0]), nothing.clone())

    def add(self, example: int, tokens: Tensor, log_probability: Tensor, penalty: float) -> None:
        """Replace the worst hypothesis by `tokens` int64 [t] if it is better."""
        score = log_probability / len(tokens) ** penalty
        worst = self.scores[example].argmin()
        if score > self.scores[example, worst]:
            self.scores[example, worst] = score
            self.tokens[example, worst] = 0
            self.tokens[example, worst, : len(tokens)] = tokens
            self.lengths[example, worst] = len(tokens)
            self.log_probability[example, worst] = log_probability

    def best(self) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens int64 [B, T], lengths int64 [B] and log-probability float32 [B] of the best hypotheses."""
        index = self.scores.argmax(dim=1, keepdim=True)
        tokens = self.tokens.take_along_dim(index.unsqueeze(-1), dim=1).squeeze(1)
        return tokens, self.lengths.gather(1, index)[:, 0], self.log_probability.gather(1, index)[:, 0]


@dataclass
class _Running:
    """Hypotheses in progress of R examples, best first.

    `history` is int64 [R, K, T + 1] with the start id first; `sums` float32 [R, K] are log-probabilities, -inf for a
    slot without a hypothesis, which holds a copy of the best one's tokens; `examples` int64 [R] are rows of the batch.
    """

    history: Tensor
    sums: Tensor
    examples: Tensor

    def keep(self, rows: Tensor) -> None:
        self.history, self.sums, self.examples = self.history[rows], self.sums[rows], self.examples[rows]


def beam_search(
    decoder: GuidedDecoder, examples: int, max_tokens: int, beam: Beam, pipeline: ScorePipeline, end_id: int | None
) -> Finished:
    """Search with a decoder that has `beam.width` copies of each example.

    Args:
        decoder: a decoder to which nothing has been fed.
        examples: number B of examples.
        max_tokens: largest number of tokens T per example.
        beam: settings of the search.
        pipeline: applied to log-probabilities; the hypotheses sum its results.
        end_id: the id that finishes a hypothesis; None when all have the length T.
    """
    device, width = decoder.device, beam.width
    finished = Finished.none_yet(examples, width, max_tokens, device)
    running = _Running(
        torch.zeros(examples, width, max_tokens + 1, dtype=torch.int64, device=device),
        torch.full((examples, width), -torch.inf, device=device),
        torch.arange(examples, device=device),
    )
    running.sums[:, 0] = 0.0
    for step in range(max_tokens):
        totals = _totals(decoder, running, pipeline, step)
        best, chosen = totals.flatten(1).topk(2 * width, dim=1)
        parents, ids = chosen // totals.shape[-1], chosen % totals.shape[-1]
        ended = torch.zeros_like(ids, dtype=torch.bool) if end_id is None else (ids == end_id) & best.isfinite()
        candidates = (best, parents, ids, ended)
        _finish(finished, running, candidates, step, beam)
        _advance(decoder, running, candidates, step)
        done = _is_done(finished, running, best[:, 0], step, beam)
        if done.all():
            return finished
        if done.any():
            rows = (~done).nonzero().flatten()
            decoder.keep(rows)
            running.keep(rows)
    for row, example in enumerate(running.examples.tolist()):
        for place in running.sums[row].isfinite().nonzero().flatten().tolist():
            finished.add(example, running.history[row, place, 1:], running.sums[row, place], beam.length_penalty)
    return finished


def _totals(decoder: GuidedDecoder, running: _Running, pipeline: ScorePipeline, step: int) -> Tensor:
    """Log-probabilities [R, K, V] of all hypotheses extended by one token."""
    count, width = running.sums.shape
    fed = running.history.flatten(0, 1)[:, : step + 1]
    scores = decoder.step(fed[:, -1], logarithms=True)
    scores = pipeline(scores, fed, running.examples.repeat_interleave(width))
    return running.sums.unsqueeze(-1) + scores.unflatten(0, (count, width))


def _finish(finished: Finished, running: _Running, candidates: Candidates, step: int, beam: Beam) -> None:
    """Add those of the K best candidates that end to the finished ones."""
    sums, parents, ids, ended = candidates
    for row, rank in ended[:, : beam.width].nonzero().tolist():
        tokens = running.history[row, parents[row, rank], 1 : step + 2].clone()
        tokens[-1] = ids[row, rank]
        finished.add(int(running.examples[row]), tokens, sums[row, rank], beam.length_penalty)


def _advance(decoder: GuidedDecoder, running: _Running, candidates: Candidates, step: int) -> None:
    """Continue with the K best candidates that do not end."""
    sums, parents, ids, ended = candidates
    count, width = running.sums.shape
    order = ended.int().argsort(dim=1, stable=True)[:, :width]
    sums, parents, ids = (part.gather(1, order) for part in (sums.masked_fill(ended, -torch.inf), parents, ids))
    # A slot without a hypothesis repeats the best one: constraints never see tokens that they did not allow.
    empty = sums.isneginf()
    parents = torch.where(empty, parents[:, :1], parents)
    ids = torch.where(empty, ids[:, :1], ids)
    running.sums = sums
    running.history = running.history.take_along_dim(parents.unsqueeze(-1), dim=1)
    running.history[:, :, step + 1] = ids
    first = torch.arange(count, device=parents.device).unsqueeze(1) * width
    decoder.reorder((first + parents).flatten())


def _is_done(finished: Finished, running: _Running, best: Tensor, step: int, beam: Beam) -> Tensor:
    """Which examples need no further search: bool [R]; `best` [R] is the best candidate's log-probability."""
    worst = finished.scores[running.examples].amin(dim=1)
    done = worst.isfinite()
    if not beam.early_stopping:
        done &= worst >= best / (step + 1) ** beam.length_penalty
    return done | running.sums.isneginf().all(dim=1)
