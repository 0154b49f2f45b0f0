"""Errors of the logits of int8 weights against float32 weights, per target modality."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from embodio.model import UnifiedIO2, quantise
from embodio.model.weights.reference_config import from_reference_config
from embodio.model.weights.weights import load_reference_weights

SHORT_TARGET = 16

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"
"""The golden network of the repository; an installation without the repository has none."""

LogitErrors = dict[str, tuple[float, float]]
"""Modality -> RMS of the difference relative to that of the logits, and how often the best ids agree."""


@torch.no_grad()
def logit_errors(exact: UnifiedIO2, small: UnifiedIO2, batch: Mapping[str, Tensor]) -> LogitErrors:
    """Compares two networks on short random targets, one modality at a time.

    Args:
        exact: Network with float32 weights.
        small: Network with int8 weights.
        batch: Inputs; targets in it are ignored.
    """
    inputs = {key: value for key, value in batch.items() if key.startswith("inputs/")}
    found = {}
    for modality in exact.config.target_modalities:
        table, generator = exact.table(modality), torch.Generator().manual_seed(2)
        rows = next(iter(inputs.values())).shape[0]
        ids = torch.randint(2, min(8000, table.shape[0]), (rows, SHORT_TARGET), generator=generator)
        name = "targets/text/targets" if modality == "text" else f"targets/{modality}/tokens"
        expected, given = (model({**inputs, name: ids})[modality].logits for model in (exact, small))
        same = (expected.argmax(-1) == given.argmax(-1)).float().mean()
        found[modality] = (float((given - expected).norm() / expected.norm()), float(same))
    return found


def golden_errors() -> LogitErrors:
    """The errors on the golden network; empty without the repository's tests."""
    if not GOLDEN.exists():
        return {}
    config = json.loads((GOLDEN / "tiny_config.json").read_text(encoding="utf-8"))
    model = UnifiedIO2(from_reference_config(config)).eval()
    load_reference_weights(model, GOLDEN / "tiny_state.safetensors")
    with np.load(GOLDEN / "tiny_inputs.npz") as arrays:
        batch = {name.lstrip("/"): torch.from_numpy(arrays[name]) for name in arrays.files}
    return logit_errors(model, quantise(model), batch)
