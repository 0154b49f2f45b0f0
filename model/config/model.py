"""The configuration of a network: every size and switch in one frozen dataclass.

`ModelConfig.named("nano")` gives one of the known sizes. Sizes in pixels are (height, width); sizes
of spectrograms are (time, mel).
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

from embodio.model.config.parts import (
    INPUT_MODALITIES,
    TARGET_MODALITIES,
    AudioTokenizerConfig,
    AudioTowerConfig,
    ImageTokenizerConfig,
    ImageTowerConfig,
    LengthConfig,
    ResamplerConfig,
    SamplingConfig,
    Size,
    TowerConfig,
    TransformerConfig,
)
from embodio.model.config.reading import added_later, from_plain, to_plain, without_former_switches
from embodio.model.config.sizes import SIZES
from embodio.model.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """One Unified-IO 2 network. Parts that a model does not have (say audio) are None and absent from the modalities.

    The JAX code and its PyTorch port differ in places. Both variants are options here; the default is the JAX value
    if the weights depend on it. Further options of this kind are `Sampling.order`,
    `JAX_DEMONSTRATION` (the settings of its demonstration), `score_answers(reduction, end_ids)` and
    `LocationCodec(denominator, box_format)`.

    Attributes:
        input_modalities: which inputs exist; their order is the order of the segments along the encoder.
        target_modalities: which targets exist, in decoder order.
        image_size: (height, width) in pixels of the main image; a multiple of the ViT's patch size.
        image_history_size: the same for each history frame.
        audio_size: (time, mel) of the main spectrogram; audio_history_size the same for each history segment.
        image_vocab_size: rows of the image-code table (codes + 2, rounded up); audio_vocab_size the same for audio.
        freeze_vit: whether the parameters of the image and audio towers do not learn, unless they are told to.
        resampler_gelu: "tanh" as the weights were trained (JAX), "erf" as the port computes.
        logits_dtype: "float32" multiplies decoder states and output table in float32 whatever their dtype (JAX);
            "parameter" in the table's own (port). For a float32 model they are the same.
        absent_rows: images, sounds and history frames that are masked as a whole are "computed" with the others (port;
            fixed shapes) or "skipped" by the towers (JAX, within its capacity; faster where many are absent). What
            comes out for the others is the same.
        image_target_scale: factor on the rotary coordinates of image targets. On an input canvas that is wider than the
            targets it is sqrt(rows / columns) of the input's patches: then a row has the same height in both, and
            attention finds the place of a code among the inputs at one distance. 1 in both code bases, whose images
            are square.
        code_dropout: in training, each row of an image or audio target has a share of its decoder inputs replaced by
            nothing, drawn evenly from 0 to this. Codes follow from their neighbours so well that a small network does
            not look at its inputs otherwise. 0 in both code bases.
        sparse_decoding: image and audio targets attend to rows, columns or neighbourhoods of their grid, by layer
            (paper, section 3.2); see `embodio.model.layers.sparse_masks`. Neither code applies it, so the
            released weights are used without.
        dynamic_masking: hide tokens marked in "task_mask", which were hidden from the encoder, in the decoder as well,
            except at the position where they are fed (paper, section 3.3). Not applied in either code base.
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
    absent_rows: Literal["computed", "skipped"] = added_later("computed")
    image_target_scale: float = added_later(1.0)
    code_dropout: float = added_later(0.0)
    sparse_decoding: bool = added_later(False)
    dynamic_masking: bool = added_later(False)

    def __post_init__(self) -> None:
        _check_modalities("input_modalities", self.input_modalities, INPUT_MODALITIES)
        if not (self.image_target_scale > 0 and 0 <= self.code_dropout <= 1):
            raise ConfigError(
                f"image_target_scale is {self.image_target_scale} and code_dropout {self.code_dropout}; expected a "
                "scale above 0 and a share from 0 to 1"
            )
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

    @cached_property
    def image_patch_size(self) -> int:
        """Side in pixels of a patch of images and image histories."""
        return self._tower("image").patch_size

    @cached_property
    def audio_patch_size(self) -> int:
        """Side in cells of a patch of spectrograms."""
        return self._tower("audio").patch_size

    @cached_property
    def patch_grids(self) -> Mapping[str, Size]:
        """Rows and columns of patches of each input modality that has them."""
        grids: dict[str, Size] = {}
        for modality in INPUT_MODALITIES[1:]:
            tower: TowerConfig | None = getattr(self, f"{modality.split('_')[0]}_tower")
            if tower is not None:
                height, width = getattr(self, f"{modality}_size")
                grids[modality] = (height // tower.patch_size, width // tower.patch_size)
        return grids

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
        return from_plain(cls, without_former_switches(data), "config")

    @classmethod
    def named(cls, name: str, *, vocab_size: int | None = None) -> Self:
        """One of the known sizes: nano, nano_generalist, large, xl or xxl.

        Args:
            name: the size.
            vocab_size: rows of the text table, if other than the size's own.

        Raises:
            ConfigError: there is no such size.
        """
        if name not in SIZES:
            near = difflib.get_close_matches(name, SIZES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {list(SIZES)}"
            raise ConfigError(f"no model size {name!r}; {hint}")
        return cls(**SIZES[name](vocab_size))


def _check_modalities(name: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not given or len(set(given)) != len(given) or not set(given) <= set(known):
        raise ConfigError(f"{name} {given} must be a non-empty selection of {known} without repeats")
