"""The tokenisers once more, as plainly as the specification says it, in float64, from the reference's own names."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tests.support.model.plain_network import PlainNetwork


class PlainTokenizers(PlainNetwork):
    """What turns images [B, 3, H, W] and spectrograms [B, 1, mel, time] into codes and back."""

    # ------------------------------------------------------------------ images

    def convolve(self, x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return functional.conv2d(x, weight, bias, stride=stride, padding=padding)

    def group_norm(self, x: Tensor, name: str) -> Tensor:
        grouped = x.reshape(len(x), 32, -1)
        mean, variance = grouped.mean(-1, keepdim=True), grouped.var(-1, unbiased=False, keepdim=True)
        normal = ((grouped - mean) / (variance + 1e-6).sqrt()).reshape(x.shape)
        weight, bias = (self.state[f"{name}.{kind}"][:, None, None] for kind in ("weight", "bias"))
        return normal * weight + bias

    def residual(self, x: Tensor, name: str) -> Tensor:
        hidden = self.convolve(functional.silu(self.group_norm(x, f"{name}.norm1")), f"{name}.conv1", padding=1)
        hidden = self.convolve(functional.silu(self.group_norm(hidden, f"{name}.norm2")), f"{name}.conv2", padding=1)
        return hidden + (self.convolve(x, f"{name}.nin_shortcut") if f"{name}.nin_shortcut.weight" in self.state else x)

    def pixels(self, x: Tensor, name: str) -> Tensor:
        normal = self.group_norm(x, f"{name}.norm")
        query, key, value = (self.convolve(normal, f"{name}.{part}").flatten(2) for part in "qkv")
        weights = (query.transpose(1, 2) @ key / math.sqrt(x.shape[1])).softmax(dim=-1)
        return x + self.convolve((value @ weights.transpose(1, 2)).reshape(x.shape), f"{name}.proj_out")

    def level(self, x: Tensor, name: str, count: int) -> Tensor:
        for index in range(count):
            x = self.residual(x, f"{name}_block_{index}")
            if f"{name}_attn_{index}.norm.weight" in self.state:
                x = self.pixels(x, f"{name}_attn_{index}")
        return x

    def middle(self, x: Tensor, name: str) -> Tensor:
        x = self.residual(x, f"{name}.mid_block_1")
        return self.residual(self.pixels(x, f"{name}.mid_attn_1"), f"{name}.mid_block_2")

    def image_latents(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] in [-1, 1] -> [B, D, rows, columns]."""
        config, name = self.config["image_vqgan"], "target_embedders.image.vqgan"
        x = self.convolve(images.double(), f"{name}.encoder.conv_in", padding=1)
        for index in range(len(config["ch_mult"])):
            x = self.level(x, f"{name}.encoder.down_{index}", config["num_res_blocks"])
            if index < len(config["ch_mult"]) - 1:
                x = functional.pad(x, (0, 1, 0, 1))
                x = self.convolve(x, f"{name}.encoder.down_{index}_downsample.conv", stride=2)
        x = functional.silu(self.group_norm(self.middle(x, f"{name}.encoder"), f"{name}.encoder.norm_out"))
        return self.convolve(self.convolve(x, f"{name}.encoder.conv_out", padding=1), f"{name}.quant_conv")

    def image_codes(self, latents: Tensor) -> Tensor:
        """[B, D, rows, columns] -> int64 [B, N], row by row."""
        codebook = self.state["target_embedders.image.vqgan.quantize.embedding.weight"]
        return torch.cdist(latents.flatten(2).transpose(1, 2), codebook.unsqueeze(0)).argmin(dim=-1)

    def image_of(self, codes: Tensor, rows: int) -> Tensor:
        """int64 [B, N] -> [B, 3, H, W]."""
        config, name = self.config["image_vqgan"], "target_embedders.image.vqgan"
        vectors = self.state[f"{name}.quantize.embedding.weight"][codes]
        x = vectors.transpose(1, 2).unflatten(2, (rows, -1))
        x = self.convolve(self.convolve(x, f"{name}.post_quant_conv"), f"{name}.decoder.conv_in", padding=1)
        x = self.middle(x, f"{name}.decoder")
        for index in range(len(config["ch_mult"])):
            x = self.level(x, f"{name}.decoder.up_{index}", config["num_res_blocks"] + 1)
            if index < len(config["ch_mult"]) - 1:
                x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
                x = self.convolve(x, f"{name}.decoder.up_{index}_upsample.conv", padding=1)
        x = functional.silu(self.group_norm(x, f"{name}.decoder.norm_out"))
        return self.convolve(x, f"{name}.decoder.conv_out", padding=1)

    # ------------------------------------------------------------------ sounds

    def sound_grid(self) -> tuple[int, int]:
        """Rows (mel) and columns (time) of codes."""
        config = self.config["audio_vqgan"]
        sizes = zip(config["default_input_size"], config["patch_size"], strict=True)
        rows, columns = (size // patch for size, patch in sizes)
        return rows, columns

    def layers(self, x: Tensor, name: str, side: str, config: Mapping[str, Any]) -> Tensor:
        everything = torch.ones(len(x), x.shape[1], x.shape[1], dtype=torch.bool)
        for index in range(config[f"{side}_num_layers"]):
            layer = f"{name}.{side}.transformer.encoderblock_{index}"
            normal = self.layer_norm(x, f"{layer}.ln_1", 1e-6)
            parts = [
                self.linear(normal, f"{layer}.attn.{part}").unflatten(-1, (config[f"{side}_num_heads"], -1))
                for part in ("query", "key", "value")
            ]
            mixed = self.attention(*parts, everything, parts[0].shape[-1] ** -0.5)
            x = x + self.linear(mixed, f"{layer}.attn.out")
            hidden = self.linear(self.layer_norm(x, f"{layer}.ln_2", 1e-6), f"{layer}.mlp.fc1").relu()
            x = x + self.linear(hidden, f"{layer}.mlp.fc2")
        return self.layer_norm(x, f"{name}.{side}.transformer.encoder_norm", 1e-6)

    def waves(self, dim: int) -> Tensor:
        """Fixed positions [N, dim]: first half column, second half row; in each the sines, then the cosines."""
        rows, columns = self.sound_grid()
        table = torch.zeros(rows * columns, dim, dtype=torch.float64)
        quarter = dim // 4
        for cell in range(rows * columns):
            for half, place in enumerate((cell % columns, cell // columns)):
                for k in range(quarter):
                    angle = place * 10000.0 ** (-k / quarter)
                    table[cell, half * 2 * quarter + k] = math.sin(angle)
                    table[cell, half * 2 * quarter + quarter + k] = math.cos(angle)
        return table

    def sound_latents(self, spectrograms: Tensor) -> Tensor:
        """[B, 1, mel, time] -> [B, N, D], mel band by mel band."""
        config, name = self.config["audio_vqgan"], "target_embedders.audio.vqgan"
        patch = tuple(config["patch_size"])
        patches = functional.unfold(spectrograms.double(), patch, stride=patch).transpose(1, 2)
        x = self.linear(patches, f"{name}.encoder.embedding")
        x = self.layers(x + self.waves(x.shape[-1]), name, "encoder", config).relu()
        x = self.linear(x, f"{name}.encoder.encoder_proj")
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, unbiased=False, keepdim=True)
        return (x - mean) / (variance + 1e-6).sqrt() + self.state[f"{name}.encoder.encoder_norm.bias"]

    def sound_codes(self, latents: Tensor) -> Tensor:
        """[B, N, D] -> int64 [B, N], mel band by mel band."""
        codebook = self.state["target_embedders.audio.vqgan.quantize.embedding.weight"]
        codebook = codebook / codebook.norm(dim=-1, keepdim=True)
        return (latents / latents.norm(dim=-1, keepdim=True) @ codebook.T).argmax(dim=-1)

    def sound_of(self, codes: Tensor) -> Tensor:
        """int64 [B, N], mel band by mel band -> [B, 1, mel, time]."""
        config, name = self.config["audio_vqgan"], "target_embedders.audio.vqgan"
        codebook = self.state[f"{name}.quantize.embedding.weight"]
        vectors = (codebook / codebook.norm(dim=-1, keepdim=True))[codes]
        x = self.linear(vectors, f"{name}.decoder.decoder_proj")
        x = self.layers(x + self.waves(x.shape[-1]), name, "decoder", config)
        kernel = self.state[f"{name}.decoder.conv_transpose.weight"]
        grid = x.transpose(1, 2).unflatten(2, self.sound_grid())
        return functional.conv_transpose2d(grid, kernel, stride=tuple(config["patch_size"]))
