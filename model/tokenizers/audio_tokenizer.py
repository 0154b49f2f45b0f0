"""The audio tokeniser: a ViT-VQ-GAN that turns a log-mel spectrogram into a grid of codes and back.

It is the architecture of Yu et al. (arXiv 2110.04627) with unit-length codes, as in appendix B.1 of the paper. Its
weights are fixed: nothing here is trained. Spectrograms are [time, mel] in the whole project; inside, the tokeniser
works on [mel, time], as its weights were trained.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.config.parts import AudioTokenizerConfig
from embodio.model.errors import BatchError, ConfigError
from embodio.model.layers.attention import attend
from embodio.model.pauses import pause
from embodio.model.tokenizers.tokenizer_layers import (
    exactly,
    nearest_codes,
    normalised_rows,
    require_codes,
    sinusoid_table,
)

NORM_EPSILON = 1e-6


class AudioTokenizer(nn.Module):
    """Normalised log-mel spectrograms [B, T, M, 1] <-> codes [B, N], all mel bands of a time step together."""

    def __init__(self, config: AudioTokenizerConfig) -> None:
        super().__init__()
        if config.activation != "relu" or config.use_bias:
            raise ConfigError("audio_tokenizer: only activation 'relu' without projection biases is supported")
        self.config = config
        self.codebook = nn.Parameter(torch.randn(config.num_codes, config.code_dim))
        self.encoder = _Encoder(config)
        self.decoder = _Decoder(config)

    @property
    def num_tokens(self) -> int:
        """Codes N of a spectrogram."""
        return self.config.grid[0] * self.config.grid[1]

    def latents(self, spectrograms: Tensor) -> Tensor:
        """What is compared with the codebook.

        Args:
            spectrograms: floating point [B, T, M, 1], log-mel energies normalised for targets, of the configured size.

        Returns:
            [B, mel rows, time columns, D].

        Raises:
            BatchError: the spectrograms have another shape.
        """
        mel, time = self.config.spectrogram_size
        if spectrograms.dim() != 4 or tuple(spectrograms.shape[1:]) != (time, mel, self.config.channels):
            raise BatchError(
                f"audio targets must have shape (batch, time {time}, mel {mel}, {self.config.channels}), "
                f"found {tuple(spectrograms.shape)}"
            )
        latents: Tensor = self.encoder(spectrograms.transpose(1, 2).to(self.codebook.dtype))
        return latents.unflatten(1, self.config.grid)

    @torch.no_grad()
    def encode(self, spectrograms: Tensor) -> Tensor:
        """Codes int64 [B, N] of spectrograms, time step by time step, the same under autocast; see `latents`."""
        with exactly(spectrograms.device):
            latents = functional.normalize(self.latents(spectrograms).float(), dim=-1)
            return nearest_codes(latents, normalised_rows(self.codebook)).transpose(1, 2).flatten(1)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Spectrograms that codes stand for.

        Args:
            codes: int [B, N] in 0..K-1, time step by time step.

        Returns:
            Normalised log-mel spectrograms [B, T, M, 1].

        Raises:
            BatchError: the codes have another shape or are out of range.
        """
        require_codes(codes, self.config.num_codes, self.num_tokens, "the audio tokeniser")
        rows, columns = self.config.grid
        mel_first = codes.reshape(-1, columns, rows).transpose(1, 2).flatten(1)
        vectors = functional.normalize(functional.embedding(mel_first, self.codebook).float(), dim=-1)
        spectrograms: Tensor = self.decoder(vectors.to(self.codebook.dtype))
        return spectrograms.permute(0, 3, 2, 1)


class _Block(nn.Module):
    """Pre-norm transformer block on [B, N, D]: bias-free attention, then an MLP with biases and ReLU."""

    def __init__(self, dim: int, num_heads: int, head_dim: int, mlp_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.query_key_value = nn.Linear(dim, 3 * num_heads * head_dim, bias=False)
        self.out = nn.Linear(num_heads * head_dim, dim, bias=False)
        self.mlp_norm = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.up = nn.Linear(dim, mlp_dim)
        self.down = nn.Linear(mlp_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        fused = self.query_key_value(self.attention_norm(x)).unflatten(-1, (3, self.num_heads, -1))
        x = x + self.out(attend(*fused.unbind(2)))
        return x + self.down(functional.relu(self.up(self.mlp_norm(x))))


class _Encoder(nn.Module):
    """Spectrograms [B, M, T, 1] to latents [B, N, D]: patches, fixed positions, blocks, a projection to the codes."""

    def __init__(self, config: AudioTokenizerConfig) -> None:
        super().__init__()
        dim, self.grid, self.patch_size = config.encoder_dim, config.grid, config.patch_size
        self.embedding = nn.Linear(config.channels * config.patch_size[0] * config.patch_size[1], dim)
        self.blocks = nn.ModuleList(
            _Block(dim, config.encoder_heads, config.encoder_head_dim, config.encoder_mlp_dim)
            for _ in range(config.encoder_layers)
        )
        self.norm = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.projection = nn.Linear(dim, config.code_dim, bias=False)
        self.code_bias = nn.Parameter(torch.zeros(config.code_dim))

    def forward(self, spectrograms: Tensor) -> Tensor:
        batch, (rows, columns), (high, wide) = spectrograms.shape[0], self.grid, self.patch_size
        patches = spectrograms.reshape(batch, rows, high, columns, wide, -1).transpose(2, 3)
        x = self.embedding(patches.reshape(batch, rows * columns, -1))
        x = x + sinusoid_table(self.grid, x.shape[-1], x.device).to(x.dtype)
        for block in self.blocks:
            pause()
            x = block(x)
        x = self.projection(functional.relu(self.norm(x)))
        return functional.layer_norm(x, x.shape[-1:], eps=NORM_EPSILON) + self.code_bias


class _Decoder(nn.Module):
    """Code vectors [B, N, D], mel band by mel band, to spectrograms [B, 1, M, T]."""

    def __init__(self, config: AudioTokenizerConfig) -> None:
        super().__init__()
        dim, self.grid = config.decoder_dim, config.grid
        self.projection = nn.Linear(config.code_dim, dim, bias=False)
        self.blocks = nn.ModuleList(
            _Block(dim, config.decoder_heads, config.decoder_head_dim, config.decoder_mlp_dim)
            for _ in range(config.decoder_layers)
        )
        self.norm = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.patches = nn.ConvTranspose2d(dim, config.channels, config.patch_size, stride=config.patch_size, bias=False)

    def forward(self, vectors: Tensor) -> Tensor:
        x = self.projection(vectors)
        x = x + sinusoid_table(self.grid, x.shape[-1], x.device).to(x.dtype)
        for block in self.blocks:
            pause()
            x = block(x)
        return self.patches(self.norm(x).transpose(1, 2).unflatten(2, self.grid))
