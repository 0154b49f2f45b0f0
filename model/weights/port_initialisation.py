"""Random weights as the PyTorch port starts with, where they differ from the JAX code's rules that we follow."""

from __future__ import annotations

import torch
from torch import nn

from embodio.model.layers.layers import MLP, GatedMLP, Linear
from embodio.model.layers.vit import ImageTower
from embodio.model.network.inputs import HistoryInput, PatchInput
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer


@torch.no_grad()
def initialise_as_port(model: nn.Module) -> None:
    """Draw again what the port draws in another way; for comparing runs that start from nothing, not better.

    MLPs are uniform within 1 / sqrt(in) (the default of `torch.nn.Linear`), projections of inputs normal and cut at
    +-2 whatever their deviation, class token and positions of the image ViT D times a unit normal instead of D^-0.5
    times, and the bias of the audio tokeniser's encoder norm 1.
    """
    for module in model.modules():
        if isinstance(module, (MLP, GatedMLP)):
            for layer in module.children():
                if isinstance(layer, Linear):
                    bound = layer.weight.shape[1] ** -0.5
                    nn.init.uniform_(layer.weight, -bound, bound)
        elif isinstance(module, (PatchInput, HistoryInput)):
            for layer in module.children():
                if isinstance(layer, Linear):
                    nn.init.trunc_normal_(layer.weight, std=layer.weight.shape[1] ** -0.5)
        elif isinstance(module, ImageTower):
            for table in (module.class_token, module.positions):
                nn.init.normal_(table, std=float(table.shape[-1]))
        elif isinstance(module, AudioTokenizer):
            nn.init.ones_(module.encoder.norm.bias)
