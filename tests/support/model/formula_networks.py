"""Networks, batches and weights that formulas make."""

import math
import zlib
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from embodio.model import ModelConfig
from embodio.model.config.parts import AudioTowerConfig, ImageTowerConfig, ResamplerConfig, TransformerConfig

Attention = Literal["qk_norm", "cosine"]


UNIT_AMPLITUDE = ("token_embedder.weight", "quantize.embedding.weight", "positional_embedding", "latents")


def small_config(attention: Attention) -> ModelConfig:
    def resampler(num_latents: int) -> ResamplerConfig:
        return ResamplerConfig(
            emb_dim=48, num_heads=3, head_dim=16, num_layers=2, mlp_dim=40, num_latents=num_latents, attention=attention
        )

    return ModelConfig.named("large").replace(
        transformer=TransformerConfig(
            vocab_size=300, emb_dim=64, num_heads=4, head_dim=16, num_encoder_layers=2, num_decoder_layers=3, mlp_dim=96
        ),
        image_vocab_size=128,
        audio_vocab_size=128,
        image_tower=ImageTowerConfig(emb_dim=32, num_heads=2, head_dim=16, num_layers=3, mlp_dim=64),
        audio_tower=AudioTowerConfig(emb_dim=32, num_heads=2, head_dim=16, num_layers=3, mlp_dim=64),
        image_history=resampler(5),
        audio_history=resampler(3),
        resampler_gelu="erf",
    )


def formula_weight(name: str, shape: tuple[int, ...]) -> Tensor:
    size = math.prod(shape)
    phase = (zlib.crc32(name.encode()) % 1000) / 100
    fan_in = shape[-1] if len(shape) == 2 else math.prod(shape[1:])
    amplitude = 1.5 / math.sqrt(fan_in) if len(shape) in (2, 4) else 0.1
    if name.endswith(UNIT_AMPLITUDE):
        amplitude = 1.0
    index = np.arange(size, dtype=np.float64)
    values = amplitude * np.sin(0.37 * index * (1 + 0.001 * (index % 97)) + phase)
    if name.endswith(".scale") or (name.endswith(".weight") and len(shape) == 1):
        values += 1.0
    if name.endswith("logit_scale"):
        values += math.log(10.0)
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def wave(shape: tuple[int, ...], frequency: float) -> Tensor:
    return torch.from_numpy(np.sin(frequency * np.arange(math.prod(shape), dtype=np.float64)).astype(np.float32)).view(
        shape
    )


def formula_batch() -> dict[str, Tensor]:
    rows = torch.arange(2)[:, None]
    text_mask, image_mask = torch.ones(2, 12, dtype=torch.int32), torch.ones(2, 40, dtype=torch.int32)
    text_mask[1, 9:], image_mask[1, 25:] = 0, 0
    history_mask = torch.ones(2, 3, 20, dtype=torch.int32)
    history_mask[1, 2] = 0
    targets = (5 + 11 * torch.arange(9) + 29 * rows) % 290 + 3
    targets[0, 8], targets[1, 5], targets[1, 6:] = 1, 1, 0
    return {
        "inputs/text/tokens": (7 + 13 * torch.arange(12) + 17 * rows) % 290 + 3,
        "inputs/text/mask": text_mask,
        "inputs/image/input": wave((2, 40, 768), 0.11),
        "inputs/image/pos_ids": (13 * torch.arange(40) % 576).expand(2, -1),
        "inputs/image/mask": image_mask,
        "inputs/image_history/input": wave((2, 3, 20, 768), 0.13),
        "inputs/image_history/pos_ids": (7 * torch.arange(20) % 256).expand(2, 3, -1),
        "inputs/image_history/mask": history_mask,
        "inputs/audio/input": wave((2, 24, 256), 0.17),
        "inputs/audio/pos_ids": (5 * torch.arange(24) % 128).expand(2, -1),
        "inputs/audio_history/input": wave((2, 2, 10, 256), 0.19),
        "inputs/audio_history/pos_ids": (11 * torch.arange(10) % 128).expand(2, 2, -1),
        "targets/text/targets": targets,
        "targets/text/mask": (targets > 0).int(),
        "targets/text/segment_ids": torch.ones_like(targets),
    }


def assert_summary(found: Tensor, expected: dict[str, Any]) -> None:
    assert list(found.shape) == expected["shape"]
    flat = found.detach().flatten()
    assert float(flat.double().abs().sum()) == pytest.approx(expected["abssum"], rel=1e-4)
    assert float(flat.double().sum()) == pytest.approx(expected["sum"], abs=1e-4 * expected["abssum"])
    assert flat[:6].tolist() == pytest.approx(expected["first"], abs=1e-4)
    assert flat[-6:].tolist() == pytest.approx(expected["last"], abs=1e-4)
