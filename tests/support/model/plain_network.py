"""The network once more, as plainly as the specification says it, in float64, from the reference's own file and names.

It shares no code with the network under test: one product after the other, masks added to logits, nothing fused, cached
or skipped. Golden files show that it is right; it then says what networks of any other size must give.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Batch = Mapping[str, Tensor]
MASKED = -1e10


class PlainNetwork:
    """A network given by the reference's `config.json` and state dict."""

    def __init__(self, config: Mapping[str, Any], state: Mapping[str, Tensor], gelu: str = "tanh") -> None:
        self.config, self.t5, self.gelu = config, config["t5_config"], gelu
        self.state = {name: tensor.double() for name, tensor in state.items()}
        self.head_dim = self.t5["head_dim"]

    # ------------------------------------------------------------------ pieces

    def linear(self, x: Tensor, name: str) -> Tensor:
        out = x @ self.state[f"{name}.weight"].T
        return out + self.state[f"{name}.bias"] if f"{name}.bias" in self.state else out

    def layer_norm(self, x: Tensor, name: str, epsilon: float) -> Tensor:
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, unbiased=False, keepdim=True)
        normal = (x - mean) / (variance + epsilon).sqrt()
        return normal * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]

    def rms_norm(self, x: Tensor, name: str) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * self.state[f"{name}.scale"]

    def attention(self, query: Tensor, key: Tensor, value: Tensor, allowed: Tensor, scale: float) -> Tensor:
        """[B, Lq, H, D], [B, Lk, H, D] twice, bool [B, Lq, Lk] -> [B, Lq, H * D]."""
        logits = torch.einsum("bqhd,bkhd->bhqk", query * scale, key)
        logits = logits + torch.where(allowed, 0.0, MASKED).unsqueeze(1)
        return torch.einsum("bhqk,bkhd->bqhd", logits.softmax(-1), value).flatten(2)

    # ------------------------------------------------------------------ towers

    def block(self, x: Tensor, name: str, heads: int, allowed: Tensor, epsilon: float, gelu: str) -> Tensor:
        normal = self.layer_norm(x, f"{name}.ln_1", epsilon)
        parts = []
        for part in ("query", "key", "value"):
            weight, bias = (self.state[f"{name}.attn.{part}_in_proj_{kind}"] for kind in ("weight", "bias"))
            parts.append((normal @ weight.T + bias).unflatten(-1, (heads, -1)))
        scale = parts[0].shape[-1] ** -0.5
        x = x + self.linear(self.attention(*parts, allowed, scale), f"{name}.attn.out_proj")
        hidden = self.linear(self.layer_norm(x, f"{name}.ln_2", epsilon), f"{name}.mlp.fc1")
        return x + self.linear(functional.gelu(hidden, approximate=gelu), f"{name}.mlp.fc2")

    def tower(self, kind: str, patches: Tensor, positions: Tensor, mask: Tensor, grid: Sequence[int]) -> list[Tensor]:
        """Outputs [B, N, D] of the last block and of the second, of patches [B, N, C] of an image or a sound."""
        config, name = self.config[f"{kind}_vit_cfg"], f"input_embedders.{kind}.image_encoder.vision_transformer"
        table = self.state[f"{name}.positional_embedding"]
        x = self.linear(patches.double(), f"{name}.embedding")
        if kind == "image":
            side = math.isqrt(config["num_pos"] - 1)
            old = table[1:].T.reshape(1, -1, side, side)
            resized = functional.interpolate(old, size=tuple(grid), mode="bicubic", antialias=True)
            x = x + resized[0].flatten(1).T[positions]
            first = [self.state[f"{name}.class_embedding"] + table[0]]
        else:
            x = x + table[2 + positions % grid[1] * grid[0] + positions // grid[1]]
            first = [self.state[f"{name}.{token}_token"] + table[row] for row, token in enumerate(("cls", "dist"))]
        x = torch.cat([torch.stack(first).expand(len(x), -1, -1), x], dim=1)
        valid = torch.cat([torch.ones(len(x), len(first), dtype=torch.bool), mask.bool()], dim=1)
        allowed = valid.unsqueeze(1) & valid.unsqueeze(2)
        if kind == "image":
            x = self.layer_norm(x, f"{name}.pre_ln", 1e-5)
        outputs = []
        for index in range(config["num_layers"]):
            settings = (1e-5, "none") if kind == "image" else (1e-6, "tanh")
            x = self.block(x, f"{name}.transformer.resblocks.{index}", config["num_heads"], allowed, *settings)
            outputs.append(x[:, len(first) :])
        return [outputs[-1], outputs[1]]

    # ------------------------------------------------------------------ inputs

    def text_angles(self, positions: Tensor) -> Tensor:
        """[B, L] -> [B, L, Dh / 2]."""
        frequencies = 10000.0 ** (-torch.arange(0, self.head_dim, 2).double() / self.head_dim)
        return positions.unsqueeze(-1) * frequencies

    def grid_angles(self, positions: Tensor, columns: int, scale: float = 1.0) -> Tensor:
        """Cells [B, L] of a grid, row by row -> [B, L, Dh / 2]."""
        frequencies = 10000.0 ** (-torch.arange(0, self.head_dim // 2, 2).double() / (self.head_dim // 2))
        down, across = (
            part.unsqueeze(-1) * scale * frequencies for part in (positions // columns, positions % columns)
        )
        return torch.cat([down, across], dim=-1)

    def grid(self, modality: str) -> tuple[int, int]:
        kind, *history = modality.split("_")
        size = self.t5[f"default_{kind}_history_vit_size" if history else f"default_{kind}_vit_size"]
        patch = self.t5[f"{kind}_vit_patch_size"]
        return size[0] // patch, size[1] // patch

    def embed(self, batch: Batch, modality: str) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings [B, L, D], mask [B, L] and angles [B, L, Dh / 2] of one input."""
        field, name = f"inputs/{modality}", f"input_embedders.{modality}"
        vector = self.state[f"{name}.modality_embedding"]
        mask, positions = batch[f"{field}/mask"].bool(), batch[f"{field}/pos_ids"].long()
        if modality == "text":
            x = self.state["text_token_embedder.weight"][batch[f"{field}/tokens"].long()]
            return x + vector, mask, self.text_angles(positions)
        patches, grid = batch[f"{field}/input"], self.grid(modality)
        if not modality.endswith("history"):
            features = torch.cat(self.tower(modality, patches, positions, mask, grid), dim=-1)
            scale = math.sqrt(self.t5["decoder_max_image_length"] / self.t5["encoder_max_image_length"])
            angles = self.grid_angles(positions, grid[1], scale)
            return self.linear(features, f"{name}.projection") + vector, mask, angles
        rows, frames = patches.shape[:2]
        flat = [part.flatten(0, 1) for part in (patches, positions, mask)]
        features = self.tower(modality.split("_")[0], *flat, grid)[0]
        latents = self.resample(self.linear(features, f"{name}.pre_projection"), flat[2], modality)
        x = self.linear(latents, f"{name}.post_projection") + vector
        count = latents.shape[1]
        valid = mask.any(dim=-1).repeat_interleave(count, dim=1)
        angles = self.grid_angles(torch.arange(frames * count).expand(rows, -1), count)
        return x.reshape(rows, frames * count, -1), valid, angles

    def resample(self, features: Tensor, mask: Tensor, modality: str) -> Tensor:
        config, name = self.config[f"{modality}_cfg"], f"input_embedders.{modality}.resampler.perceiver"
        context = self.rms_norm(features, f"{name}.context_norm")
        x = self.state[f"{name}.latents"].expand(len(features), -1, -1)
        allowed = mask.unsqueeze(1).expand(-1, x.shape[1], -1)
        for index in range(config["num_layers"]):
            layer = f"{name}.layers_{index}"
            inner = self.rms_norm(x, f"{layer}.pre_xattention_norm")
            query, key, value = (
                self.linear(source, f"{layer}.xattention.{part}").unflatten(-1, (config["num_heads"], -1))
                for source, part in ((inner, "query"), (context, "key"), (context, "value"))
            )
            scale = config["head_dim"] ** -0.5
            if config["xattn_qk_norm"]:
                query = self.rms_norm(query, f"{layer}.xattention.query_norm")
                key = self.rms_norm(key, f"{layer}.xattention.key_norm")
            elif config["xattn_scaled_cosine"]:
                factor = self.state[f"{layer}.xattention.logit_scale"].clamp(max=math.log(100)).exp()
                query = query / query.norm(dim=-1, keepdim=True) * factor.unsqueeze(-1)
                key, scale = key / key.norm(dim=-1, keepdim=True), 1.0
            x = x + self.linear(self.attention(query, key, value, allowed, scale), f"{layer}.xattention.out")
            hidden = self.linear(self.rms_norm(x, f"{layer}.pre_mlp_norm"), f"{layer}.mlp.wi")
            x = x + self.linear(functional.gelu(hidden, approximate=self.gelu), f"{layer}.mlp.wo")
        return self.rms_norm(x, f"{name}.perceiver_norm")

    # ------------------------------------------------------------------ encoder and decoder

    def mix(self, name: str, x: Tensor, source: Tensor, angles: tuple[Tensor, Tensor], allowed: Tensor) -> Tensor:
        """Attention of x to a source with norms of queries and keys and rotary embedding."""
        query, key, value = (
            self.linear(given, f"{name}.{part}").unflatten(-1, (self.t5["num_heads"], -1))
            for given, part in ((x, "query"), (source, "key"), (source, "value"))
        )
        query = rotate(self.rms_norm(query, f"{name}.query_norm"), angles[0])
        key = rotate(self.rms_norm(key, f"{name}.key_norm"), angles[1])
        return self.linear(self.attention(query, key, value, allowed, self.head_dim**-0.5), f"{name}.out")

    def mlp(self, x: Tensor, name: str) -> Tensor:
        gate = functional.silu(self.linear(x, f"{name}.wi_0"))
        return self.linear(gate * self.linear(x, f"{name}.wi_1"), f"{name}.wo")

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Output [B, L, D], mask and angles of all inputs that are there, in the order of the configuration."""
        present = {key.split("/")[1] for key in batch if key.startswith("inputs/")}
        parts = [self.embed(batch, name) for name in self.config["input_modalities"] if name in present]
        x, mask, angles = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        allowed = mask.unsqueeze(1) & mask.unsqueeze(2)
        for index in range(self.t5["num_encoder_layers"]):
            name = f"encoder.layers_{index}"
            normal = self.rms_norm(x, f"{name}.pre_attention_norm")
            x = x + self.mix(f"{name}.attention", normal, normal, (angles, angles), allowed)
            x = x + self.mlp(self.rms_norm(x, f"{name}.pre_mlp_norm"), f"{name}.mlp")
        return self.rms_norm(x, "encoder.encoder_norm"), mask, angles

    def target_angles(self, modality: str, length: int) -> Tensor:
        positions = torch.arange(length).unsqueeze(0)
        if modality == "text":
            return self.text_angles(positions)
        tokeniser = self.config[f"{modality}_vqgan"]
        return self.grid_angles(positions, tokeniser["default_input_size"][1] // tokeniser["patch_size"][1])

    def logits(self, encoded: tuple[Tensor, Tensor, Tensor], modality: str, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits [B, L, V] of target ids [B, L], each predicted from those before it."""
        source, source_mask, source_angles = encoded
        table = self.state[f"{modality}_token_embedder.weight"]
        fed = torch.cat([torch.zeros_like(ids[:, :1]), ids[:, :-1]], dim=1).long()
        x = table[fed] + self.state[f"target_embedders.{modality}.modality_embedding"]
        angles = self.target_angles(modality, ids.shape[1]).expand(len(ids), -1, -1)
        valid = mask.bool()
        causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        allowed = valid.unsqueeze(1) & valid.unsqueeze(2) & causal
        across = valid.unsqueeze(2) & source_mask.unsqueeze(1)
        for index in range(self.t5["num_decoder_layers"]):
            name = f"decoder.layers_{index}"
            normal = self.rms_norm(x, f"{name}.pre_self_attention_norm")
            x = x + self.mix(f"{name}.self_attention", normal, normal, (angles, angles), allowed)
            normal = self.rms_norm(x, f"{name}.pre_cross_attention_norm")
            attention = f"{name}.encoder_decoder_attention"
            x = x + self.mix(attention, normal, source, (angles, source_angles), across)
            x = x + self.mlp(self.rms_norm(x, f"{name}.pre_mlp_norm"), f"{name}.mlp")
        return self.rms_norm(x, "decoder.decoder_norm") @ table.T / math.sqrt(self.t5["emb_dim"])


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn the pairs (0, 1), (2, 3), ... of [B, L, H, Dh] by angles [B, L, Dh / 2]."""
    cos, sin = angles.cos().unsqueeze(2), angles.sin().unsqueeze(2)
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2)
