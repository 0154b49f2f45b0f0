"""`prepare`: stores the float32 weights of a network in the layout that is fastest for CPU inference."""

from __future__ import annotations

from torch import nn

from embodio.model.layers.layers import Linear, store_transposed
from embodio.model.network.network import UnifiedIO2


def prepare(model: UnifiedIO2) -> UnifiedIO2:
    """Make a network ready to encode, decode and generate on the CPU, in place.

    Results change by float32 rounding only. The network can be saved and quantised as before and needs no more memory,
    except for a copy of one weight during preparation. Weights that are not float32 on the CPU are unchanged. Training
    still works, but slowly.

    Returns:
        The same network, in evaluation mode and without gradients.
    """
    model.eval().requires_grad_(False)
    for name, part in model.named_children():
        if name == "tokenizers":
            continue
        for module in part.modules():
            if isinstance(module, Linear | nn.Linear | nn.Embedding):
                store_transposed(module.weight)
    return model
