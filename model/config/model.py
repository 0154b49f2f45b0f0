"""Every size and switch of the network as frozen dataclasses, written to and read from plain dictionaries.

`ModelConfig.named("nano")` gives one of the known sizes; `ModelConfig.from_reference(json)` reads the `config.json` of
the released Unified-IO 2 checkpoints. Sizes in pixels are (height, width); sizes of spectrograms are (time, mel).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from embodio.model.config.reading import added_later, from_plain, to_plain
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
        dropout_form: "broadcast" drops channels of a row, the same for all its tokens, as the JAX code does;
            "elementwise" draws every number by itself, as the PyTorch port does. Matters in training only.
    """

    vocab_size: int
    emb_dim: int
    num_heads: int
    head_dim: int
    num_encoder_layers: int
    num_decoder_layers: int
    mlp_dim: int
    dropout_rate: float = 0.0
    dropout_form: Literal["broadcast", "elementwise"] = added_later("broadcast", before="broadcast")

    def __post_init__(self) -> None:
        _require_positive(self, "dropout_rate")
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
        _require_positive(self)
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
        _require_positive(self)
        if self.emb_dim != self.num_heads * self.head_dim:
            raise ConfigError(f"ResamplerConfig.emb_dim {self.emb_dim} must equal num_heads * head_dim")


@dataclass(frozen=True, kw_only=True)
class ImageTokenizerConfig:
    """The convolutional VQ-GAN whose codes are image targets; `image_size` and `patch_size` give the grid of codes."""

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

    @property
    def grid(self) -> Size:
        """Rows and columns of codes."""
        return self.image_size[0] // self.patch_size[0], self.image_size[1] // self.patch_size[1]


@dataclass(frozen=True, kw_only=True)
class AudioTokenizerConfig:
    """The ViT-VQ-GAN whose codes are audio targets; `spectrogram_size` is (mel, time), the tokeniser's layout."""

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
        _require_positive(self)

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
        _require_positive(self)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """One Unified-IO 2 network. Parts that a model does not have (say audio) are None and absent from the modalities.

    The JAX code and its PyTorch port differ in places. What both do is an option here; the default is the JAX value
    where the weights depend on it. More such options are `TransformerConfig.dropout_form` and, where text is written
    and read: `Sampling.order`, `JAX_DEMONSTRATION` (the settings of its demonstration), `score_answers(reduction,
    end_ids)` and `LocationCodec(denominator, box_format)`.

    Attributes:
        input_modalities: which inputs exist; their order is the order of the segments along the encoder.
        target_modalities: which targets exist, in decoder order.
        image_size: (height, width) in pixels of the main image; a multiple of the ViT's patch size.
        image_history_size: the same for each history frame.
        audio_size: (time, mel) of the main spectrogram; audio_history_size the same for each history segment.
        image_vocab_size: rows of the image-code table (codes + 2, rounded up); audio_vocab_size the same for audio.
        freeze_vit: True stops gradients at the output of the image and audio towers.
        resampler_gelu: "tanh" as the weights were trained (JAX), "erf" as the port computes.
        logits_dtype: "float32" multiplies decoder states and output table in float32 whatever their dtype (JAX);
            "parameter" in the table's own (port). For a float32 model they are the same.
        empty_text_target: "masked" leaves a text target out that is nothing but its end (JAX); "trained" has the model
            learn to end at once (port). Read by the Processor.
        stacked_images: an image [F, H, W, 3] is "refused" by the Processor (port, unless told), or its frames become
            the image history (JAX): "history".
        absent_rows: images, sounds and history frames that are masked as a whole are "computed" with the others (port;
            fixed shapes) or "skipped" by the towers (JAX, within its capacity; faster where many are absent). What
            comes out for the others is the same.
        initialisation: random weights before training, "jax" or "port"; see
            `embodio.model.weights.port_initialisation`.
        sparse_decoding: image and audio targets attend to rows, columns or neighbourhoods of their grid, by layer
            (paper, section 3.2); see `embodio.model.layers.sparse_masks`. Neither code applies it, so the
            released weights are used without.
        dynamic_masking: what "task_mask" says was hidden in the encoder's input is hidden in the decoder's as well,
            except at the position where it is fed (paper, section 3.3). As inert in both codes.
    """

    transformer: TransformerConfig
    input_modalities: tuple[str, ...] = INPUT_MODALITIES
    target_modalities: tuple[str, ...] = TARGET_MODALITIES
    image_size: Size = (384, 384)
    image_history_size: Size = (256, 256)
    audio_size: Size = (256, 128)
    audio_history_size: Size = (256, 128)
    image_tower: ImageTowerConfig | None = None
    audio_tower: AudioTowerConfig | None = None
    image_history: ResamplerConfig | None = None
    audio_history: ResamplerConfig | None = None
    image_vocab_size: int = 16512
    audio_vocab_size: int = 8320
    image_tokenizer: ImageTokenizerConfig | None = None
    audio_tokenizer: AudioTokenizerConfig | None = None
    lengths: LengthConfig = field(default_factory=LengthConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    freeze_vit: bool = True
    resampler_gelu: Literal["tanh", "erf"] = "tanh"
    logits_dtype: Literal["float32", "parameter"] = added_later("float32", before="parameter")
    empty_text_target: Literal["masked", "trained"] = added_later("masked", before="masked")
    absent_rows: Literal["computed", "skipped"] = added_later("computed", before="computed")
    stacked_images: Literal["refused", "history"] = added_later("refused", before="refused")
    initialisation: Literal["jax", "port"] = added_later("jax", before="jax")
    sparse_decoding: bool = added_later(False, before=False)
    dynamic_masking: bool = added_later(False, before=False)

    def __post_init__(self) -> None:
        _check_modalities("input_modalities", self.input_modalities, INPUT_MODALITIES)
        _check_modalities("target_modalities", self.target_modalities, TARGET_MODALITIES)
        needed = {
            "image_tower": {"image", "image_history"} & set(self.input_modalities),
            "audio_tower": {"audio", "audio_history"} & set(self.input_modalities),
            "image_history": {"image_history"} & set(self.input_modalities),
            "audio_history": {"audio_history"} & set(self.input_modalities),
            "image_tokenizer": {"image"} & set(self.target_modalities),
            "audio_tokenizer": {"audio"} & set(self.target_modalities),
        }
        for name, users in needed.items():
            if users and getattr(self, name) is None:
                raise ConfigError(
                    f"{name} is None but the modalities {sorted(users)} need it; give it or drop the modality"
                )
        for kind in ("image", "audio"):
            tower: TowerConfig | None = getattr(self, f"{kind}_tower")
            for name in (f"{kind}_size", f"{kind}_history_size"):
                size: Size = getattr(self, name)
                if tower is not None and (size[0] % tower.patch_size or size[1] % tower.patch_size):
                    raise ConfigError(f"{name} {size} must be a multiple of the patch size {tower.patch_size}")

    @property
    def image_patch_size(self) -> int:
        """Side in pixels of a patch of images and image histories."""
        return self._tower("image").patch_size

    @property
    def audio_patch_size(self) -> int:
        """Side in cells of a patch of spectrograms."""
        return self._tower("audio").patch_size

    def patch_grid(self, modality: str) -> Size:
        """Rows and columns of patches of one input modality (image, image_history, audio, audio_history)."""
        if modality not in INPUT_MODALITIES[1:]:
            raise ConfigError(f"modality {modality!r} has no patches; choose one of {INPUT_MODALITIES[1:]}")
        patch = self._tower(modality.split("_")[0]).patch_size
        size: Size = getattr(self, f"{modality}_size")
        return size[0] // patch, size[1] // patch

    def _tower(self, kind: str) -> TowerConfig:
        tower: TowerConfig | None = getattr(self, f"{kind}_tower")
        if tower is None:
            raise ConfigError(f"this model has no {kind} input ({kind}_tower is None)")
        return tower

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed (checked again)."""
        return dataclasses.replace(self, **changes)

    def paper_mode(self) -> Self:
        """Copy in which both masks of the paper are in force; for training, as the released weights do without."""
        return self.replace(sparse_decoding=True, dynamic_masking=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionary, ready for JSON; `from_dict` reads it back."""
        return typing.cast(dict[str, Any], to_plain(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read `to_dict`'s output. Raises ConfigError for unknown, missing or ill-typed fields, naming them."""
        return from_plain(cls, data, "config")

    @classmethod
    def named(cls, name: str, *, vocab_size: int | None = None) -> ModelConfig:
        """One of the known sizes: nano, large, xl or xxl.

        Args:
            name: the size.
            vocab_size: rows of the text table, if other than the size's own.
        """
        from embodio.model.config.sizes import named_config

        return named_config(name, vocab_size)

    @classmethod
    def from_reference(cls, data: Mapping[str, Any]) -> ModelConfig:
        """Read the `config.json` of a released checkpoint (or of the reference PyTorch code)."""
        from embodio.model.weights.reference_config import from_reference

        return from_reference(data)

    def to_reference(self) -> dict[str, Any]:
        """The reference's `config.json` of this model. Raises ConfigError where the reference cannot express it."""
        from embodio.model.weights.reference_config import to_reference

        return to_reference(self)


def _check_modalities(name: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not given or len(set(given)) != len(given) or not set(given) <= set(known):
        raise ConfigError(f"{name} {given} must be a non-empty selection of {known} without repeats")


def _require_positive(config: Any, *skip: str) -> None:
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if item.name not in skip and isinstance(value, int) and not isinstance(value, bool) and value < 1:
            raise ConfigError(f"{type(config).__name__}.{item.name} is {value}; it must be at least 1")
