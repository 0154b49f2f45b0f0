"""Networks of sizes that no golden file has, in the reference's own layout, with batches for them."""

import copy
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from embodio.model import ModelConfig, UnifiedIO2
from embodio.model.weights.reference_config import from_reference_config
from embodio.model.weights.reference_layout import to_reference_state
from tests.support.model.golden_network import OWN_FOLDER

Sections = dict[str, dict[str, Any]]

SIZES: dict[str, Sections] = {
    "three_heads": {
        "t5_config": {
            "vocab_size": 200,
            "image_vocab_size": 90,
            "audio_vocab_size": 40,
            "emb_dim": 60,
            "num_heads": 3,
            "head_dim": 20,
            "num_encoder_layers": 3,
            "num_decoder_layers": 1,
            "mlp_dim": 50,
            "encoder_max_image_length": 45,
            "decoder_max_image_length": 32,
            "decoder_max_audio_length": 36,
            "encoder_max_text_length": 19,
            "decoder_max_text_length": 23,
            "default_image_size": [16, 32],
            "default_image_vit_size": [40, 72],
            "default_image_history_vit_size": [24, 56],
            "default_audio_size": [48, 24],
            "default_audio_vit_size": [48, 24],
            "default_audio_history_vit_size": [48, 24],
            "image_vit_patch_size": 8,
            "image_patch_size": 8,
            "audio_vit_patch_size": 8,
            "audio_patch_size": 8,
        },
        "image_vit_cfg": {
            "patch_size": 8,
            "pos_patch_size": 8,
            "emb_dim": 32,
            "num_heads": 4,
            "head_dim": 8,
            "num_layers": 2,
            "mlp_dim": 40,
            "num_pos": 10,
            "default_input_size": [24, 56],
        },
        "audio_vit_cfg": {
            "patch_size": 8,
            "pos_patch_size": 8,
            "emb_dim": 24,
            "num_heads": 1,
            "head_dim": 24,
            "num_layers": 4,
            "mlp_dim": 28,
            "default_input_size": [48, 24],
        },
        "image_history_cfg": {
            "max_frames": 7,
            "latents_size": 4,
            "emb_dim": 36,
            "num_heads": 3,
            "head_dim": 12,
            "num_layers": 3,
            "xattention_index": [0, 1, 2],
            "mlp_dim": 20,
            "xattn_qk_norm": False,
            "xattn_scaled_cosine": True,
            "attn_qk_norm": False,
            "attn_scaled_cosine": True,
        },
        "audio_history_cfg": {
            "max_frames": 2,
            "latents_size": 6,
            "emb_dim": 16,
            "num_heads": 4,
            "head_dim": 4,
            "num_layers": 1,
            "xattention_index": [0],
            "mlp_dim": 64,
            "xattn_qk_norm": True,
            "xattn_scaled_cosine": False,
            "attn_qk_norm": True,
            "attn_scaled_cosine": False,
        },
        "image_vqgan": {
            "n_embed": 70,
            "z_channels": 6,
            "embed_dim": 6,
            "resolution": 32,
            "ch_mult": [1, 2, 1],
            "num_res_blocks": 2,
            "attn_resolutions": [16],
            "default_input_size": [16, 32],
        },
        "audio_vqgan": {
            "vocab_size": 30,
            "proj_dim": 12,
            "encoder_hidden_size": 24,
            "encoder_num_layers": 1,
            "encoder_mlp_dim": 20,
            "encoder_num_heads": 3,
            "encoder_head_dim": 8,
            "decoder_hidden_size": 40,
            "decoder_num_layers": 3,
            "decoder_mlp_dim": 30,
            "decoder_num_heads": 2,
            "decoder_head_dim": 20,
            "default_input_size": [24, 48],
            "patch_size": [4, 8],
        },
    },
    "plain_resampler": {
        "t5_config": {
            "emb_dim": 56,
            "num_heads": 7,
            "head_dim": 8,
            "num_encoder_layers": 1,
            "num_decoder_layers": 4,
            "default_image_vit_size": [64, 64],
            "encoder_max_image_length": 16,
            "mlp_dim": 33,
        },
        "image_history_cfg": {
            "xattn_qk_norm": False,
            "xattn_scaled_cosine": False,
            "attn_qk_norm": False,
            "num_heads": 4,
            "head_dim": 8,
        },
        "image_vit_cfg": {"num_heads": 6, "head_dim": 8, "num_layers": 5},
        "image_vqgan": {"attn_resolutions": [32, 8], "ch_mult": [2, 1, 1]},
    },
    "order_of_segments": {
        "input_modalities": ["audio", "text", "image_history", "audio_history", "image"],  # type: ignore[dict-item]
        "t5_config": {"emb_dim": 32, "num_heads": 2, "head_dim": 16, "vocab_size": 128},
        "image_vqgan": {"ch": 64, "ch_mult": [1, 1], "patch_size": [2, 2], "resolution": 32, "attn_resolutions": []},
    },
}
# The last has a grid of 16 x 16 codes.
SIZES["order_of_segments"]["t5_config"]["decoder_max_image_length"] = 256


@dataclass(frozen=True)
class OtherNetwork:
    """The reference's configuration and state, and a batch with ids as targets."""

    config: dict[str, Any]
    state: dict[str, Tensor]
    batch: dict[str, Tensor]

    def save(self, folder: Path) -> Path:
        """Writes the folder as the reference's own code does."""
        (folder / "config.json").write_text(json.dumps(self.config), encoding="utf-8")
        save_file(self.state, folder / "model.safetensors", metadata={"format": "pt"})
        return folder


def other_network(name: str, seed: int) -> OtherNetwork:
    """A network of one of the SIZES with random weights."""
    config: dict[str, Any] = copy.deepcopy(json.loads((OWN_FOLDER / "tiny_config.json").read_text(encoding="utf-8")))
    for section, changes in SIZES[name].items():
        config[section] = config[section] | changes if isinstance(changes, dict) else changes
    with torch.device("meta"):
        model = UnifiedIO2(from_reference_config(config), tokenizers=True)
    generator = torch.Generator().manual_seed(seed)
    shapes = {key: tensor.shape for key, tensor in to_reference_state(model.config, model.state_dict()).items()}
    state = {key: _random(key, shapes[key], generator) for key in sorted(shapes)}
    return OtherNetwork(config, state, _batch(model.config, generator))


def _random(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    values = torch.randn(shape, generator=generator)
    if name.endswith(".scale") or (name.endswith(".weight") and len(shape) == 1):
        return 1 + 0.2 * values
    if name.endswith("logit_scale"):
        return 2 + values  # some beyond the largest that counts
    if len(shape) > 1 and not name.endswith(("token_embedder.weight", "quantize.embedding.weight", "latents")):
        return values * 1.2 / math.sqrt(math.prod(shape[1:]))
    return 0.5 * values


def _batch(config: ModelConfig, generator: torch.Generator) -> dict[str, Tensor]:
    """Three rows: everything, parts of it, and text with a target of one kind."""

    def integers(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=generator, dtype=torch.int32)

    def some(*shape: int) -> Tensor:
        mask = torch.rand(shape, generator=generator) < 0.7
        mask[..., 0] = True
        mask[0] = True
        return mask.int()

    words = 11
    batch = {
        "inputs/text/tokens": integers(3, config.transformer.vocab_size, 3, words),
        "inputs/text/mask": (torch.arange(words) < torch.tensor([[words], [7], [4]])).int(),
        "inputs/text/pos_ids": torch.arange(words, dtype=torch.int32).expand(3, -1).contiguous(),
    }
    for name, frames in (("image", 0), ("image_history", 3), ("audio", 0), ("audio_history", 2)):
        rows, columns = config.patch_grids[name]
        patch = config.image_patch_size**2 * 3 if name.startswith("image") else config.audio_patch_size**2
        lead = (3, frames) if frames else (3,)
        count = rows * columns - 1  # any subset in any order
        order = torch.rand(*lead, rows * columns, generator=generator).argsort(dim=-1)[..., :count]
        batch[f"inputs/{name}/input"] = torch.randn(*lead, count, patch, generator=generator)
        batch[f"inputs/{name}/mask"] = some(*lead, count)
        batch[f"inputs/{name}/pos_ids"] = order.int().contiguous()
    batch["inputs/image_history/mask"][1, 1] = 0
    for name in ("image", "audio", "image_history", "audio_history"):
        batch[f"inputs/{name}/mask"][2] = 0
    batch["targets/text/targets"] = integers(3, config.transformer.vocab_size, 3, 9)
    batch["targets/text/mask"] = (torch.arange(9) < torch.tensor([[9], [5], [2]])).int()
    for name in ("image", "audio"):
        tokeniser = getattr(config, f"{name}_tokenizer")
        length = tokeniser.grid[0] * tokeniser.grid[1]
        batch[f"targets/{name}/tokens"] = integers(2, tokeniser.num_codes + 2, 3, length)
        mask = torch.ones(3, length, dtype=torch.int32)
        mask[1, length // 2 :] = 0
        batch[f"targets/{name}/mask"] = mask
    return batch
