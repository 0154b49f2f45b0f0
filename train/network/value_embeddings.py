"""First embeddings of the value tokens, by which coordinates, states and actions are written."""

from __future__ import annotations

import math

import torch

from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary

_LONGEST = 4000.0  # tokens


def draw_value_embeddings(
    model: UnifiedIO2, vocabulary: Vocabulary, smoothness: float, wavelength: float, seed: int
) -> None:
    """Redraws the embeddings of the value tokens: as waves, or without a wavelength as smooth random functions.

    Args:
        model: changed in place.
        vocabulary: names the rows.
        smoothness: of `smooth_value_embeddings`.
        wavelength: of `wave_value_embeddings`; 0 for no waves.
        seed: of the draw.
    """
    if wavelength > 0:
        wave_value_embeddings(model, vocabulary, wavelength, seed)
    else:
        smooth_value_embeddings(model, vocabulary, smoothness, seed)


@torch.no_grad()
def smooth_value_embeddings(model: UnifiedIO2, vocabulary: Vocabulary, width: float, seed: int) -> None:
    """Redraws the embeddings of the 1000 value tokens as smooth random functions of the value.

    The rows stay standard normal, as in the recipe, but are correlated over about `width` tokens, so what a network
    learns about one value carries over to its neighbours from the first step. Logits, tied to the table, benefit too.

    Args:
        model: changed in place.
        vocabulary: names the rows.
        width: standard deviation of the smoothing kernel in tokens; 0 leaves the rows unchanged.
        seed: of the draw.
    """
    if width <= 0:
        return
    ids = torch.as_tensor(vocabulary.value_ids)
    table = model.text_embedding.weight
    margin = int(4 * width) + 1
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(table.shape[1], 1, len(ids) + 2 * margin, generator=generator)
    kernel = torch.exp(-0.5 * (torch.arange(-margin, margin + 1) / width) ** 2)
    smooth = torch.nn.functional.conv1d(noise, (kernel / kernel.norm()).view(1, 1, -1))[:, 0]
    table[ids] = smooth.T.to(table)


@torch.no_grad()
def wave_value_embeddings(model: UnifiedIO2, vocabulary: Vocabulary, shortest: float, seed: int) -> None:
    """Redraws the embeddings of the 1000 value tokens as waves of many lengths over the value, rotated at random.

    Long waves say roughly where a value is, short ones exactly, so a network can learn one after the other.

    Args:
        model: changed in place.
        vocabulary: names the rows.
        shortest: wavelength in tokens of the shortest waves; the longest are `_LONGEST`. 0 leaves the rows unchanged.
        seed: of the draw.
    """
    if shortest <= 0:
        return
    ids = torch.as_tensor(vocabulary.value_ids)
    dim = model.text_embedding.weight.shape[1]
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.logspace(math.log10(_LONGEST), math.log10(shortest), dim // 2)
    angles = 2 * math.pi * (torch.arange(len(ids)).unsqueeze(1) / lengths + torch.rand(dim // 2, generator=generator))
    rotation = torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q
    waves = 2**0.5 * torch.cat((angles.cos(), angles.sin()), dim=1) @ rotation
    model.text_embedding.weight[ids] = waves.to(model.text_embedding.weight)
