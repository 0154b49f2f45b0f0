"""A folder of weights in the layout of the released networks, small and random, with a tokeniser next to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from embodio.agent.format.policy_format import PolicyFormat
from embodio.model import UnifiedIO2, save_reference
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.reference_config import from_reference_config
from tests.support.model.golden_network import OWN_FOLDER


def write_released(folder: Path, seed: int = 0) -> Path:
    """The network of the golden files with room for long texts and for the vocabulary that ships with the package."""
    config = json.loads((OWN_FOLDER / "tiny_config.json").read_text(encoding="utf-8"))
    lengths = {"encoder_max_text_length": 512, "decoder_max_text_length": 512}
    config["t5_config"] |= {"vocab_size": Vocabulary.default().padded_size, **lengths}
    config["image_history_cfg"] |= {"max_frames": 8}
    torch.manual_seed(seed)
    save_reference(UnifiedIO2(from_reference_config(config), tokenizers=True), folder)
    (folder / "tokenizer.model").write_bytes(Vocabulary.default().to_bytes())
    return folder


def seen_by(policy_format: PolicyFormat, seed: int = 0) -> dict[str, np.ndarray]:
    """Random pictures and a state inside the limits."""
    generator = np.random.default_rng(seed)
    cameras, state = policy_format.embodiment.cameras, policy_format.embodiment.state
    seen = {c.name: generator.integers(0, 256, (c.height, c.width, 3), dtype=np.uint8) for c in cameras}
    if state:
        seen["state"] = np.array([generator.uniform(d.low, d.high) for d in state], np.float32)
    return seen
