"""Constrained decoding: at every position only the legal ids can be reached, whatever the logits are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from embodio.model.network import UnifiedIO2
from embodio.model.token_sequence import TokenSequence

START_ID = 0


@torch.inference_mode()
def decode_legal(
    model: UnifiedIO2, encoded: TokenSequence, legal: Sequence[npt.NDArray[np.int64]]
) -> npt.NDArray[np.int64]:
    """Greedy decoding of exactly `len(legal)` tokens per row, each among the ids that are legal at its position.

    The choice is made between the logits of the legal ids alone, so no logit, not even an infinite or undefined one,
    can lead to an illegal id: ties, and a NaN, only decide between legal ids.

    Args:
        model: the network, in eval mode.
        encoded: the encoder's output for B rows.
        legal: for each position the ids that may stand there; at least one.

    Returns:
        Token ids [B, len(legal)].
    """
    device = encoded.embeddings.device
    rows = encoded.embeddings.shape[0]
    choices = {id(ids): torch.as_tensor(ids, device=device) for ids in legal}
    state = model.start_decoding(encoded, len(legal))
    previous = torch.full((rows, 1), START_ID, dtype=torch.long, device=device)
    answer = torch.empty((rows, len(legal)), dtype=torch.long, device=device)
    for position, ids in enumerate(legal):
        allowed = choices[id(ids)]
        logits = model.decode_step(state, previous)[:, -1].index_select(-1, allowed)
        answer[:, position] = allowed[logits.argmax(dim=-1)]
        previous = answer[:, position : position + 1]
    return answer.cpu().numpy()
