"""Golden networks: weights, a batch and what every stage of the reference makes of it, from one folder."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from embodio.model import UnifiedIO2
from embodio.model.weights.reference_config import from_reference_config
from embodio.model.weights.weights import load_reference_weights

OWN_FOLDER = Path(__file__).parents[2] / "golden"
RAW_TARGETS = {"targets/image/image", "targets/audio/audio"}


def golden_folders() -> list[Path]:
    """The folder in the repository, and those of the environment variable EMBODIO_GOLDEN."""
    others = os.environ.get("EMBODIO_GOLDEN", "")
    return [OWN_FOLDER, *(Path(part) for part in others.split(os.pathsep) if part)]


def read_arrays(path: Path) -> dict[str, Tensor]:
    with np.load(path) as archive:
        return {name.lstrip("/"): torch.from_numpy(archive[name]) for name in archive.files}


@dataclass(frozen=True)
class GoldenNetwork:
    model: UnifiedIO2
    batch: dict[str, Tensor]
    outputs: dict[str, Tensor]
    gradients: dict[str, Tensor]

    def only(self, inputs: tuple[str, ...], targets: tuple[str, ...]) -> dict[str, Tensor]:
        """The part of the batch that belongs to some modalities."""
        owners = {f"inputs/{name}" for name in inputs} | {f"targets/{name}" for name in targets}
        return {key: value for key, value in self.batch.items() if key.rpartition("/")[0] in owners}


def load_network(folder: Path, prefix: str = "tiny", *, tokenizers: bool = False) -> GoldenNetwork:
    """Build the network of a golden folder, with the erf activation of the reference PyTorch code.

    With tokenisers the image and audio targets of the batch are raw; without, they are ids.
    """
    config = from_reference_config(json.loads((folder / f"{prefix}_config.json").read_text(encoding="utf-8")))
    model = UnifiedIO2(config.replace(resampler_gelu="erf"), tokenizers=tokenizers).eval()
    load_reference_weights(model, folder / f"{prefix}_state.safetensors")
    inputs, outputs = read_arrays(folder / f"{prefix}_inputs.npz"), read_arrays(folder / f"{prefix}_outputs.npz")
    batch = {name: value for name, value in inputs.items() if tokenizers or name not in RAW_TARGETS}
    for modality in () if tokenizers else ("image", "audio"):
        ids = outputs.get(f"all/target/{modality}/target_tokens")
        ids = outputs[f"only_{modality}/targets/{modality}"] if ids is None else ids
        batch[f"targets/{modality}/tokens"] = ids
    gradients = folder / f"{prefix}_grads.npz"
    return GoldenNetwork(model, batch, outputs, read_arrays(gradients) if gradients.exists() else {})


def worst(found: Tensor, expected: Tensor, mask: Tensor | None = None) -> float:
    """Largest absolute difference, of the rows [.., D] where the mask [..] is 1 if there is one."""
    assert found.shape == expected.shape
    difference = (found.detach() - expected).abs()
    if mask is not None:
        difference = difference[mask.bool()]
    return float(difference.max())


def without(batch: Mapping[str, Tensor], *keys: str) -> dict[str, Tensor]:
    return {key: value for key, value in batch.items() if key not in keys}
