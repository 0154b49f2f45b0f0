"""The image tokeniser: a convolutional VQ-GAN that turns an image into a grid of codes and back.

It is the VQ-GAN of Esser et al. (arXiv 2012.09841) with a factor of 8 between pixels and codes, as in section 3.1 and
appendix B.1 of the paper. Its weights are fixed: nothing here is trained.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.config.parts import ImageTokenizerConfig
from embodio.model.errors import BatchError, ConfigError
from embodio.model.pauses import pause
from embodio.model.tokenizers.tokenizer_layers import exactly, nearest_codes, require_codes


class ImageTokenizer(nn.Module):
    """Images [B, H, W, 3] in [-1, 1] <-> codes [B, N], one for each patch, row by row."""

    def __init__(self, config: ImageTokenizerConfig) -> None:
        super().__init__()
        _check(config)
        self.config = config
        self.encoder = _Encoder(config)
        self.before_codes = nn.Conv2d(config.code_dim, config.code_dim, 1)
        self.codebook = nn.Parameter(torch.empty(config.num_codes, config.code_dim))
        nn.init.uniform_(self.codebook, -1.0 / config.num_codes, 1.0 / config.num_codes)
        self.after_codes = nn.Conv2d(config.code_dim, config.code_dim, 1)
        self.decoder = _Decoder(config)

    @property
    def num_tokens(self) -> int:
        """Codes N of an image."""
        return self.config.grid[0] * self.config.grid[1]

    def latents(self, images: Tensor) -> Tensor:
        """What is compared with the codebook.

        Args:
            images: floating point [B, H, W, 3] in [-1, 1], of the configured size.

        Returns:
            [B, rows, columns, D].

        Raises:
            BatchError: the images have another shape.
        """
        height, width, channels = *self.config.image_size, self.config.in_channels
        if images.dim() != 4 or tuple(images.shape[1:]) != (height, width, channels):
            raise BatchError(
                f"image targets must have shape (batch, {height}, {width}, {channels}), found {tuple(images.shape)}"
            )
        pixels = images.to(self.before_codes.weight.dtype).permute(0, 3, 1, 2)
        latents: Tensor = self.before_codes(self.encoder(pixels))
        return latents.permute(0, 2, 3, 1)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Codes int64 [B, N] of images, the same under autocast; see `latents` for the argument and the error."""
        with exactly(images.device):
            return nearest_codes(self.latents(images), self.codebook).flatten(1)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Images that codes stand for.

        Args:
            codes: int [B, N] in 0..K-1.

        Returns:
            [B, H, W, 3], about -1..1 and not clipped.

        Raises:
            BatchError: the codes have another shape or are out of range.
        """
        require_codes(codes, self.config.num_codes, self.num_tokens, "the image tokeniser")
        grid = functional.embedding(codes, self.codebook).unflatten(1, self.config.grid)
        images: Tensor = self.decoder(self.after_codes(grid.permute(0, 3, 1, 2)))
        return images.permute(0, 2, 3, 1)


def _check(config: ImageTokenizerConfig) -> None:
    factor = 2 ** (len(config.channel_multipliers) - 1)
    if config.patch_size != (factor, factor):
        raise ConfigError(
            f"image_tokenizer.patch_size {config.patch_size} must be {(factor, factor)}: "
            f"{len(config.channel_multipliers)} levels halve the image {len(config.channel_multipliers) - 1} times"
        )
    if config.double_z:
        raise ConfigError("image_tokenizer.double_z is True; a VQ-GAN has no variance channels, set it to False")
    if config.norm_groups < 1 or config.channels % config.norm_groups:
        raise ConfigError(
            f"image_tokenizer.channels is {config.channels}; it must be a multiple of {config.norm_groups}, norm_groups"
        )


def _norm(channels: int, groups: int) -> nn.GroupNorm:
    """Group norm of [B, C, H, W]."""
    return nn.GroupNorm(groups, channels, eps=1e-6)


class _ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, each after norm and SiLU, added to the input [B, C, H, W]."""

    def __init__(self, in_channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm_1 = _norm(in_channels, groups)
        self.convolution_1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm_2 = _norm(out_channels, groups)
        self.convolution_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, x: Tensor) -> Tensor:
        pause()
        hidden = self.convolution_1(functional.silu(self.norm_1(x)))
        pause()
        hidden = self.convolution_2(functional.silu(self.norm_2(hidden)))
        return hidden + (x if self.shortcut is None else self.shortcut(x))


class _PixelAttention(nn.Module):
    """Self-attention with one head between all pixels of [B, C, H, W], added to the input."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = _norm(channels, groups)
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.query_key_value(self.norm(x)).flatten(2).transpose(1, 2)
        query, key, value = (part.unsqueeze(1) for part in pixels.chunk(3, dim=-1))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return x + self.out(mixed.squeeze(1).transpose(1, 2).unflatten(2, x.shape[2:]))


class _Blocks(nn.Module):
    """Residual blocks of one resolution, each followed by attention at the resolutions that have it."""

    def __init__(self, in_channels: int, out_channels: int, count: int, attention: bool, groups: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _ResidualBlock(in_channels if index == 0 else out_channels, out_channels, groups) for index in range(count)
        )
        self.attentions = nn.ModuleList(_PixelAttention(out_channels, groups) for _ in range(count if attention else 0))

    def forward(self, x: Tensor) -> Tensor:
        for index, block in enumerate(self.blocks):
            x = block(x)
            if len(self.attentions):
                x = self.attentions[index](x)
        return x


class _Middle(nn.Module):
    """Block, attention, block at the lowest resolution."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.block_1 = _ResidualBlock(channels, channels, groups)
        self.attention = _PixelAttention(channels, groups)
        self.block_2 = _ResidualBlock(channels, channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attention(self.block_1(x)))


class _Encoder(nn.Module):
    """Pixels [B, 3, H, W] to latents [B, D, rows, columns]: every level but the last halves the image."""

    def __init__(self, config: ImageTokenizerConfig) -> None:
        super().__init__()
        widths = [config.channels * factor for factor in config.channel_multipliers]
        self.first = nn.Conv2d(config.in_channels, config.channels, 3, padding=1)
        self.levels = nn.ModuleList(
            _Blocks(
                widths[level - 1] if level else config.channels,
                width,
                config.num_res_blocks,
                config.resolution // 2**level in config.attention_resolutions,
                config.norm_groups,
            )
            for level, width in enumerate(widths)
        )
        self.halvings = nn.ModuleList(nn.Conv2d(width, width, 3, stride=2) for width in widths[:-1])
        self.middle = _Middle(widths[-1], config.norm_groups)
        self.norm = _norm(widths[-1], config.norm_groups)
        self.last = nn.Conv2d(widths[-1], config.code_dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for level, blocks in enumerate(self.levels):
            x = blocks(x)
            if level < len(self.halvings):
                x = self.halvings[level](functional.pad(x, (0, 1, 0, 1)))
        return self.last(functional.silu(self.norm(self.middle(x))))


class _Decoder(nn.Module):
    """Code vectors [B, D, rows, columns] to pixels [B, 3, H, W]; levels run from the lowest resolution upwards."""

    def __init__(self, config: ImageTokenizerConfig) -> None:
        super().__init__()
        widths = [config.channels * factor for factor in reversed(config.channel_multipliers)]
        lowest = config.resolution // 2 ** (len(widths) - 1)
        self.first = nn.Conv2d(config.code_dim, widths[0], 3, padding=1)
        self.middle = _Middle(widths[0], config.norm_groups)
        self.levels = nn.ModuleList(
            _Blocks(
                widths[max(level - 1, 0)],
                width,
                config.num_res_blocks + 1,
                lowest * 2**level in config.attention_resolutions,
                config.norm_groups,
            )
            for level, width in enumerate(widths)
        )
        self.doublings = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in widths[:-1])
        self.norm = _norm(widths[-1], config.norm_groups)
        self.last = nn.Conv2d(widths[-1], config.out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.middle(self.first(x))
        for level, blocks in enumerate(self.levels):
            x = blocks(x)
            if level < len(self.doublings):
                pause()
                x = self.doublings[level](functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        pause()
        return self.last(functional.silu(self.norm(x)))
