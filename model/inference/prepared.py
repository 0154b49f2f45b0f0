"""`prepare`: a float32 network with its weights stored in the order in which inference on a processor reads them."""

from __future__ import annotations

from torch import nn

from embodio.model.layers.layers import Linear, turn
from embodio.model.network.network import UnifiedIO2


def prepare(model: UnifiedIO2) -> UnifiedIO2:
    """Make a network ready to encode, decode and generate on the CPU, in place.

    Its results change by the rounding of float32 only. It can be saved and quantised as before, and takes no more
    memory than before; while this runs, one weight is there twice. Weights that are not float32 on the CPU stay as they
    are. Training goes on to work, but slowly.

    Returns:
        The same network, in evaluation mode and without gradients.
    """
    model.eval().requires_grad_(False)
    for name, part in model.named_children():
        if name == "tokenizers":
            continue
        for module in part.modules():
            if isinstance(module, Linear | nn.Linear | nn.Embedding):
                turn(module.weight)
    return model
