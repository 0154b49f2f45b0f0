"""Scoring given answers instead of writing one: which of these options fits the inputs best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from embodio.model.errors import DecodingError
from embodio.model.inference.decoding import DecoderState, decodable
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.targets import shift_right
from embodio.model.tokens.vocabulary import EOS_ID

Reduction = Literal["sum", "mean"]
EndIds = Literal[1, 2]

_NO_TOKEN = -100


@dataclass(frozen=True)
class AnswerScores:
    """Losses float32 [B, K] in nats of K options for B examples, the smaller the better.

    Examples with fewer options have inf in the places after them.
    """

    losses: Tensor

    @property
    def best(self) -> Tensor:
        """Index int64 [B] of the option with the smallest loss."""
        return self.losses.argmin(dim=1)


@torch.no_grad()
def score_answers(
    model: UnifiedIO2,
    inputs: Mapping[str, Tensor] | TokenSequence,
    options: Sequence[Sequence[Sequence[int]]],
    *,
    reduction: Reduction = "sum",
    end_ids: EndIds = 1,
    chunk: int = 100,
) -> AnswerScores:
    """Loss of every option as the text target of its example.

    The inputs are encoded once, and all options of an example share what the decoder reads of them.

    Args:
        model: the network, in eval mode.
        inputs: a batch of B examples, or what `model.encode` made of it.
        options: for each example its options as token ids, with or without the end id.
        reduction: "sum" of the tokens' cross-entropies, as in the JAX code, or "mean" over the tokens, as in the
            PyTorch port; sums prefer short answers.
        end_ids: how many end ids each option ends with, which are added and count as tokens: 1 as in the JAX code, or
            2 as in the PyTorch port, which appends one twice.
        chunk: most options per example that go through the decoder at once; bounds the memory.

    Raises:
        DecodingError: an option has no token, too many or unknown ones, an example has no options, or their number is
            not that of the examples.
    """
    if reduction not in ("sum", "mean"):
        raise DecodingError(f"reduction {reduction!r} is not known; choose 'sum' or 'mean'")
    if end_ids not in (1, 2):
        raise DecodingError(f"end_ids {end_ids} is not known; choose 1 or 2")
    if chunk < 1:
        raise DecodingError(f"chunk {chunk} must be at least 1")
    longest, size = decodable(model, "text").max_length, model.table("text").shape[0]
    encoded = inputs if isinstance(inputs, TokenSequence) else model.encode(inputs)
    complete = _complete_options(options, encoded.embeddings.shape[0], end_ids)
    ids = _pad_options(complete, longest, size).to(encoded.embeddings.device)
    state = model.start_decoding(encoded, ids.shape[2])
    losses = torch.cat([_score_chunk(model, state, part) for part in ids.split(chunk, dim=1)], dim=1)
    counts = (ids != _NO_TOKEN).sum(dim=-1)
    if reduction == "mean":
        losses = losses / counts.clamp(min=1)
    return AnswerScores(losses.masked_fill(counts == 0, torch.inf))


def _complete_options(options: Sequence[Sequence[Sequence[int]]], examples: int, end_ids: int) -> list[list[list[int]]]:
    """The tokens of each option with its end ids."""
    if len(options) != examples:
        raise DecodingError(f"options were given for {len(options)} examples but the batch has {examples}")
    complete = []
    for row, answers in enumerate(options):
        if not answers:
            raise DecodingError(f"example {row} has no options; give at least one")
        named = [(answer, f"option {k} of example {row}") for k, answer in enumerate(answers)]
        complete.append([_complete(answer, where, end_ids) for answer, where in named])
    return complete


def _pad_options(complete: list[list[list[int]]], longest: int, size: int) -> Tensor:
    """Options as int64 [B, K, T], `_NO_TOKEN` where there is nothing."""
    length = max(len(answer) for answers in complete for answer in answers)
    if length > longest:
        raise DecodingError(f"an option has {length} tokens with its end, but the model's texts have at most {longest}")
    ids = torch.full((len(complete), max(map(len, complete)), length), _NO_TOKEN, dtype=torch.int64)
    for row, answers in enumerate(complete):
        for k, answer in enumerate(answers):
            ids[row, k, : len(answer)] = torch.tensor(answer)
    if int(ids.max()) >= size:
        raise DecodingError(f"token id {int(ids.max())} in an option is outside the model's table of {size} ids")
    return ids


def _complete(answer: Sequence[int], where: str, end_ids: int) -> list[int]:
    """The tokens of an option with its end ids."""
    tokens = list(answer)
    if not tokens or tokens == [EOS_ID]:
        raise DecodingError(f"{where} has no tokens; an empty answer cannot be compared with others")
    if min(tokens) < 0 or EOS_ID in tokens[:-1]:
        raise DecodingError(
            f"{where} is {tokens}; ids are not negative, and the end id {EOS_ID} stands only at the end"
        )
    return tokens + [EOS_ID] * (end_ids - (tokens[-1] == EOS_ID))


def _score_chunk(model: UnifiedIO2, state: DecoderState, ids: Tensor) -> Tensor:
    """Summed losses [B, k] of options int64 [B, k, T], from a state to which nothing has been fed."""
    rows = ids.flatten(0, 1)
    logits = model.decode_step(state.fork(ids.shape[1]), shift_right(rows.clamp(min=0)))
    losses = functional.cross_entropy(
        logits.flatten(0, 1).float(), rows.flatten(), reduction="none", ignore_index=_NO_TOKEN
    )
    return losses.view(ids.shape).sum(dim=-1)
