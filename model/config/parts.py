"""The parts of a network's configuration: transformer, towers, resamplers, tokenisers and lengths.

Sizes in pixels are (height, width); sizes of spectrograms are (time, mel).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from embodio.model.config.reading import added_later
from embodio.model.errors import ConfigError

INPUT_MODALITIES = ("text", "image", "image_history", "audio", "audio_history")
TARGET_MODALITIES = ("text", "image", "audio")
IMAGE_CHANNELS = 3

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The encoder-decoder (section 3.1 of the paper, Table 9).

    Attributes:
        vocab_size: rows of the shared text embedding table, a multiple of 128 in the released models.
        emb_dim: width D; must equal `num_heads * head_dim`.
        head_dim: width of a head, a multiple of 4 (two-dimensional rotary embedding needs two pairs).
        mlp_dim: width of the gated MLP.
        dropout_rate: in residual branches and MLPs of encoder and decoder; 0 in every released model.
    """

    vocab_size: int
    emb_dim: int
    num_heads: int
    head_dim: int
    num_encoder_layers: int
    num_decoder_layers: int
    mlp_dim: int
    dropout_rate: float = 0.0

    def __post_init__(self) -> None:
        require_positive(self, "dropout_rate")
        if not 0.0 <= self.dropout_rate < 1.0:
            raise ConfigError(f"transformer.dropout_rate is {self.dropout_rate}; it must be in [0, 1)")
        if self.emb_dim != self.num_heads * self.head_dim:
            raise ConfigError(
                f"transformer.emb_dim {self.emb_dim} must equal "
                f"num_heads * head_dim = {self.num_heads} * {self.head_dim}"
            )
        if self.head_dim % 4:
            raise ConfigError(f"transformer.head_dim {self.head_dim} must be a multiple of 4 for the rotary embedding")


@dataclass(frozen=True, kw_only=True)
class TowerConfig:
    """A pre-norm vision transformer that turns patches into features: the image ViT or the audio transformer (AST).

    Attributes:
        num_layers: number of blocks; at least 2, because the output of the second block is a feature of its own.
        patch_size: side of a square patch in pixels (or spectrogram cells).
    """

    emb_dim: int
    num_heads: int
    head_dim: int
    num_layers: int
    mlp_dim: int
    patch_size: int = 16

    def __post_init__(self) -> None:
        require_positive(self)
        if self.emb_dim != self.num_heads * self.head_dim:
            raise ConfigError(f"{type(self).__name__}.emb_dim {self.emb_dim} must equal num_heads * head_dim")
        if self.num_layers < 2:
            raise ConfigError(f"{type(self).__name__}.num_layers is {self.num_layers}; at least 2 are needed")


@dataclass(frozen=True, kw_only=True)
class ImageTowerConfig(TowerConfig):
    """The image ViT.

    `position_grid` is the (rows, columns) grid of its learned position table, resized when the image grid differs.
    """

    position_grid: Size = (14, 14)


@dataclass(frozen=True, kw_only=True)
class AudioTowerConfig(TowerConfig):
    """The audio spectrogram transformer; `num_positions` counts the rows of its table, two for its leading tokens."""

    num_positions: int = 514


@dataclass(frozen=True, kw_only=True)
class ResamplerConfig:
    """The perceiver resampler that turns one history frame into `num_latents` tokens.

    Attributes:
        num_latents: tokens per frame.
        max_frames: rows of the rotary table over frames; no more frames than this can be given.
        attention: "qk_norm" (sizes large and xl), "cosine" (scaled cosine, size xxl) or "plain".
    """

    emb_dim: int
    num_heads: int
    head_dim: int
    num_layers: int
    mlp_dim: int
    num_latents: int
    max_frames: int = 8
    attention: Literal["qk_norm", "cosine", "plain"] = "qk_norm"

    def __post_init__(self) -> None:
        require_positive(self)
        if self.emb_dim != self.num_heads * self.head_dim:
            raise ConfigError(f"ResamplerConfig.emb_dim {self.emb_dim} must equal num_heads * head_dim")


@dataclass(frozen=True, kw_only=True)
class ImageTokenizerConfig:
    """The convolutional VQ-GAN whose codes are image targets; `image_size` and `patch_size` give the grid of codes.

    Attributes:
        num_codes: rows of the codebook.
        code_dim: numbers of a code.
        embed_dim: the same, as the reference writes it.
        double_z: always False; a VQ-GAN has no variance channels.
        resolution: side in pixels of the images of `attention_resolutions`.
        in_channels: colours of the input.
        out_channels: colours of the output.
        channels: channels at full resolution, a multiple of `norm_groups`.
        channel_multipliers: channels of each level as multiples of `channels`; all levels but the last halve the image.
        num_res_blocks: residual blocks of a level of the encoder; the decoder has one more.
        attention_resolutions: sides in pixels of the levels with attention.
        image_size: (height, width) in pixels.
        patch_size: (height, width) in pixels of one code: 2 to the number of levels less one.
        norm_groups: groups of the norms.
    """

    num_codes: int = 16384
    code_dim: int = 4
    embed_dim: int = 4
    double_z: bool = False
    resolution: int = 256
    in_channels: int = 3
    out_channels: int = 3
    channels: int = 128
    channel_multipliers: tuple[int, ...] = (1, 2, 2, 4)
    num_res_blocks: int = 2
    attention_resolutions: tuple[int, ...] = (32,)
    image_size: Size = (256, 256)
    patch_size: Size = (8, 8)
    norm_groups: int = added_later(32)

    @property
    def grid(self) -> Size:
        """Rows and columns of codes."""
        return self.image_size[0] // self.patch_size[0], self.image_size[1] // self.patch_size[1]


@dataclass(frozen=True, kw_only=True)
class AudioTokenizerConfig:
    """The ViT-VQ-GAN whose codes are audio targets; `spectrogram_size` is (mel, time), the tokeniser's layout.

    Attributes:
        num_codes: rows of the codebook.
        code_dim: numbers of a code.
        encoder_dim: width of the encoder, a multiple of 4.
        encoder_layers: blocks of the encoder.
        encoder_mlp_dim: hidden width of its MLPs.
        encoder_heads: attention heads of a block.
        encoder_head_dim: width of a head.
        decoder_dim: width of the decoder, a multiple of 4.
        decoder_layers: blocks of the decoder.
        decoder_mlp_dim: hidden width of its MLPs.
        decoder_heads: attention heads of a block.
        decoder_head_dim: width of a head.
        activation: always relu.
        use_bias: always False; projections of the attention have no biases.
        channels: of the spectrogram.
        spectrogram_size: (mel, time) cells.
        patch_size: (mel, time) cells of one code.
    """

    num_codes: int = 8192
    code_dim: int = 32
    encoder_dim: int = 512
    encoder_layers: int = 8
    encoder_mlp_dim: int = 2048
    encoder_heads: int = 8
    encoder_head_dim: int = 64
    decoder_dim: int = 512
    decoder_layers: int = 8
    decoder_mlp_dim: int = 2048
    decoder_heads: int = 8
    decoder_head_dim: int = 64
    activation: str = "relu"
    use_bias: bool = False
    channels: int = 1
    spectrogram_size: Size = (128, 256)
    patch_size: Size = (8, 8)

    @property
    def grid(self) -> Size:
        """Rows (mel) and columns (time) of codes as the tokeniser lays them out."""
        return self.spectrogram_size[0] // self.patch_size[0], self.spectrogram_size[1] // self.patch_size[1]


@dataclass(frozen=True, kw_only=True)
class LengthConfig:
    """Longest sequences in tokens. The two image lengths also scale the rotary coordinates of encoder inputs."""

    encoder_text: int = 512
    encoder_image: int = 576
    encoder_audio: int = 128
    decoder_text: int = 512
    decoder_image: int = 1024
    decoder_audio: int = 512

    def __post_init__(self) -> None:
        require_positive(self)

    @property
    def input_coordinate_scale(self) -> float:
        """Factor on rotary coordinates of image and audio inputs: sqrt(decoder / encoder length), 4/3 as released."""
        return float((self.decoder_image / self.encoder_image) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How many patches and history frames input processing keeps; a count >= the grid keeps all patches in order."""

    image_patches: int = 576
    image_history_patches: int = 256
    audio_patches: int = 128
    audio_history_patches: int = 128
    num_frames: int = 4

    def __post_init__(self) -> None:
        require_positive(self)


def require_positive(config: Any, *skip: str) -> None:
    """Raises ConfigError where a whole number of a dataclass is below 1, fields named in `skip` apart."""
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if item.name not in skip and isinstance(value, int) and not isinstance(value, bool) and value < 1:
            raise ConfigError(f"{type(config).__name__}.{item.name} is {value}; it must be at least 1")
