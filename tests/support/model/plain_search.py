"""Beam search written plainly."""

import math
from collections.abc import Callable

import torch

from embodio.model.generation import Beam
from tests.support.model.tiny import encoded, plain_scores

SIZE, END = 5, 1


def plain_search(
    scores: Callable[[tuple[int, ...]], list[float]],
    legal: set[int],
    max_tokens: int,
    beam: Beam,
    end_id: int | None = END,
) -> tuple[float, tuple[int, ...]]:
    """Best score and tokens of one example."""

    def rated(total: float, tokens: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        return total / len(tokens) ** beam.length_penalty, tokens

    running: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    finished: list[tuple[float, tuple[int, ...]]] = []
    for step in range(1, max_tokens + 1):
        longer = [
            (total + score, (*tokens, index))
            for total, tokens in running
            for index, score in enumerate(scores(tokens))
            if index in legal
        ]
        longer = sorted(longer, reverse=True)[: 2 * beam.width]
        finished += [rated(*one) for one in longer[: beam.width] if one[1][-1] == end_id]
        finished = sorted(finished, reverse=True)[: beam.width]
        running = [one for one in longer if one[1][-1] != end_id][: beam.width]
        enough = len(finished) == beam.width
        if not running or (
            enough and (beam.early_stopping or finished[-1][0] >= longer[0][0] / step**beam.length_penalty)
        ):
            return finished[0]
    return max(finished + [rated(*one) for one in running])


def total(row: int, text: tuple[int, ...]) -> float:
    ids = torch.tensor([text]).expand(2, -1)
    return math.fsum(
        float(plain_scores(encoded(), ids[:, :step])[row].log_softmax(dim=-1)[token]) for step, token in enumerate(text)
    )
