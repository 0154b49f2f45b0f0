"""First embeddings of the value tokens, by which coordinates, states and actions are written."""

from __future__ import annotations

import torch

from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary


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
