"""A folder of weights in the layout of the released networks, small and random, with a tokeniser next to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from embodio.envs.actions import action_box
from embodio.envs.embodiment import Embodiment
from embodio.model import UnifiedIO2, save_reference
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.reference_config import from_reference_config
from tests.support.model.golden_network import OWN_FOLDER


def write_released(folder: Path, rows: int = Vocabulary.default().padded_size) -> Path:
    """The network of the golden files with room for long texts and for the vocabulary that ships with the package."""
    config = json.loads((OWN_FOLDER / "tiny_config.json").read_text(encoding="utf-8"))
    lengths = {"encoder_max_text_length": 512, "decoder_max_text_length": 512}
    config["t5_config"] |= {"vocab_size": rows, **lengths}
    config["image_history_cfg"] |= {"max_frames": 8}
    torch.manual_seed(0)
    save_reference(UnifiedIO2(from_reference_config(config), tokenizers=True), folder)
    (folder / "tokenizer.model").write_bytes(Vocabulary.default().to_bytes())
    return folder


class RandomScenes(gymnasium.Env[dict[str, Any], np.ndarray]):
    """Random observations of an embodiment; accepts only actions inside its limits."""

    def __init__(self, embodiment: Embodiment) -> None:
        self.embodiment = embodiment
        self.action_space = action_box(embodiment.action.dimensions)
        self.taken = list[np.ndarray]()

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self.taken = []
        return self.observe(), {}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.taken.append(action)
        return self.observe(), 0.0, False, len(self.taken) == 6, {}

    def observe(self) -> dict[str, Any]:
        """Random pictures, and a state inside the limits."""
        cameras, state = self.embodiment.cameras, self.embodiment.state
        seen: dict[str, Any] = {
            c.name: self.np_random.integers(0, 256, (c.height, c.width, 3), dtype=np.uint8) for c in cameras
        }
        if state:
            seen["state"] = np.array([self.np_random.uniform(d.low, d.high) for d in state], np.float32)
        return seen | {"instruction": "go to the red block"}
