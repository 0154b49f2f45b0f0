"""A tiny network with all inputs, examples for it, and decoding as plain as it gets: no caches, one row at a time."""

import functools
from collections.abc import Mapping

import torch
from torch import Tensor

from embodio.model import UnifiedIO2
from embodio.model.layers.token_sequence import TokenSequence
from tests.support.model.golden_network import OWN_FOLDER, GoldenNetwork, load_network

ALL_INPUTS = ("text", "image", "image_history", "audio", "audio_history")


@functools.lru_cache
def golden() -> GoldenNetwork:
    return load_network(OWN_FOLDER)


def model() -> UnifiedIO2:
    return golden().model


@functools.lru_cache
def examples(rows: int = 2) -> dict[str, Tensor]:
    """A batch of text and image, the two golden examples in turn; every further pair has other words."""
    batch = golden().only(("text", "image"), ())
    repeated = {key: torch.cat([value] * -(-rows // 2))[:rows] for key, value in batch.items()}
    tokens = repeated["inputs/text/tokens"].clone()
    for row in range(2, rows):
        tokens[row, 0] = 5 + row
    return {**repeated, "inputs/text/tokens": tokens}


@functools.lru_cache
def encoded(rows: int = 2) -> TokenSequence:
    with torch.no_grad():
        return model().encode(examples(rows))


def one_row(batch: Mapping[str, Tensor], row: int) -> dict[str, Tensor]:
    return {key: value[row : row + 1] for key, value in batch.items()}


def plain_scores(inputs: TokenSequence, tokens: Tensor, modality: str = "text") -> Tensor:
    """Scores [N, V] of what follows `tokens` [N, t], from the start: nothing is remembered from before."""
    start = torch.zeros(tokens.shape[0], 1, dtype=torch.int64)
    state = model().start_decoding(inputs, tokens.shape[1] + 1, modality)
    return model().decode_step(state, torch.cat((start, tokens), dim=1))[:, -1]


def ends_at(lengths: Tensor) -> object:
    """A constraint: example i ends with its token number `lengths[i]` and not before."""

    def legal(tokens: Tensor, rows: Tensor) -> Tensor:
        mask = torch.ones(len(rows), 600, dtype=torch.bool)
        last = lengths[rows] == tokens.shape[1] + 1
        mask[last] = False
        mask[:, 1] = last
        return mask

    return legal
