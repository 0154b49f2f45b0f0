"""ModelConfig from and to the `config.json` of the reference code and of the released checkpoints.

The reference file has more fields than matter: those that have no effect on the network's output, or that only one
value works for, are checked or skipped when reading and written with their released value.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, Literal

from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import (
    AudioTokenizerConfig,
    AudioTowerConfig,
    ImageTokenizerConfig,
    ImageTowerConfig,
    LengthConfig,
    ResamplerConfig,
    SamplingConfig,
    Size,
    TransformerConfig,
)
from embodio.model.config.reading import read_value
from embodio.model.errors import ConfigError

POSITION_EMBEDDING = "llama_rope"

_TRANSFORMER_FIXED: dict[str, Any] = {
    "mlp_activations": ["silu", "linear"],
    "logits_via_embedding": True,
    "float32_attention_logits": True,
    "decoder_xattention_internval": 1,
    "qk_norm": True,
    "text_pos_emb": POSITION_EMBEDDING,
    "image_pos_emb": POSITION_EMBEDDING,
    "audio_pos_emb": POSITION_EMBEDDING,
    "image_history_pos_emb": POSITION_EMBEDDING,
    "audio_history_pos_emb": POSITION_EMBEDDING,
    "image_tokenizer_type": "vqgan",
}
_TRANSFORMER_INERT: dict[str, Any] = {"dropout_broadcast_dims": [-2], "dalle_attn_mask": True, "dynamic_unk_mask": True}
_RESAMPLER_FIXED: dict[str, Any] = {
    "resampler_type": "perceiver",
    "mlp_activations": ["gelu"],
    "dropout_rate": 0.0,
    "droppath_rate": 0.0,
    "layer_drop": 0.0,
    "float32_attention_logits": True,
    "clip_attn_logit": None,
}
_TOWER_FIXED: dict[str, Any] = {"mlp_activations": ["gelu"], "dropout_rate": 0.0, "float32_attention_logits": True}
_AUDIO_TOWER_FIXED: dict[str, Any] = {"vit_embed": True, "transpose_input": True}
_TOP_FIXED = {f"use_{name}_vit": True for name in ("image", "audio", "image_history", "audio_history")}

_LENGTHS = {
    "encoder_text": "encoder_max_text_length",
    "encoder_image": "encoder_max_image_length",
    "encoder_audio": "encoder_max_audio_length",
    "decoder_text": "decoder_max_text_length",
    "decoder_image": "decoder_max_image_length",
    "decoder_audio": "decoder_max_audio_length",
}
_SAMPLING = {
    "image_patches": "image_input_samples",
    "image_history_patches": "image_history_input_samples",
    "audio_patches": "audio_input_samples",
    "audio_history_patches": "audio_history_input_samples",
    "num_frames": "num_frames",
}
_SIZES = {
    "image_size": "default_image_vit_size",
    "image_history_size": "default_image_history_vit_size",
    "audio_size": "default_audio_vit_size",
    "audio_history_size": "default_audio_history_vit_size",
}
_RESAMPLER = {
    "emb_dim": "emb_dim",
    "num_heads": "num_heads",
    "head_dim": "head_dim",
    "num_layers": "num_layers",
    "mlp_dim": "mlp_dim",
    "num_latents": "latents_size",
    "max_frames": "max_frames",
}
_TOWER = {name: name for name in ("emb_dim", "num_heads", "head_dim", "num_layers", "mlp_dim", "patch_size")}
_TRANSFORMER = {
    name: name
    for name in (
        "vocab_size",
        "emb_dim",
        "num_heads",
        "head_dim",
        "num_encoder_layers",
        "num_decoder_layers",
        "mlp_dim",
        "dropout_rate",
    )
}
_TABLES = {"image_vocab_size": "image_vocab_size", "audio_vocab_size": "audio_vocab_size"}
_TOP = {name: name for name in ("input_modalities", "target_modalities", "freeze_vit")}
_IMAGE_TOKENIZER = {
    "num_codes": "n_embed",
    "code_dim": "z_channels",
    "embed_dim": "embed_dim",
    "double_z": "double_z",
    "resolution": "resolution",
    "in_channels": "in_channels",
    "out_channels": "out_ch",
    "channels": "ch",
    "channel_multipliers": "ch_mult",
    "num_res_blocks": "num_res_blocks",
    "attention_resolutions": "attn_resolutions",
    "patch_size": "patch_size",
}
_AUDIO_TOKENIZER = {
    "num_codes": "vocab_size",
    "code_dim": "proj_dim",
    "encoder_dim": "encoder_hidden_size",
    "encoder_layers": "encoder_num_layers",
    "encoder_mlp_dim": "encoder_mlp_dim",
    "encoder_heads": "encoder_num_heads",
    "encoder_head_dim": "encoder_head_dim",
    "decoder_dim": "decoder_hidden_size",
    "decoder_layers": "decoder_num_layers",
    "decoder_mlp_dim": "decoder_mlp_dim",
    "decoder_heads": "decoder_num_heads",
    "decoder_head_dim": "decoder_head_dim",
    "activation": "act_fn",
    "use_bias": "use_bias",
    "channels": "output_channel",
    "spectrogram_size": "default_input_size",
    "patch_size": "patch_size",
}


class _Section:
    """One dictionary of the reference file, read with errors that name the field."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise ConfigError(f"reference config: {where} must be a dictionary, found {type(data).__name__}")
        self.data, self.where = data, where

    def __getitem__(self, name: str) -> Any:
        if name not in self.data:
            raise ConfigError(f"reference config: {self.where} lacks {name!r}")
        value = self.data[name]
        return tuple(value) if isinstance(value, list) else value

    def section(self, name: str) -> _Section:
        return _Section(self[name], name)

    def require(self, fixed: Mapping[str, Any]) -> None:
        """Check fields for which only one value is supported; a field that is absent has that value."""
        for name, expected in fixed.items():
            found = self.data.get(name, expected)
            if (list(found) if isinstance(found, tuple) else found) != expected:
                raise ConfigError(f"reference config: {self.where}.{name} is {found!r}; only {expected!r} is supported")

    def read(self, cls: type, names: Mapping[str, str]) -> dict[str, Any]:
        """Values for fields of one of our dataclasses, of the types that it says; `names` are ours: theirs."""
        hints = typing.get_type_hints(cls)
        return {
            ours: read_value(hints[ours], self[theirs], f"reference config: {self.where}.{theirs}")
            for ours, theirs in names.items()
        }


def from_reference_config(data: Mapping[str, Any]) -> ModelConfig:
    """Read the reference's configuration.

    Args:
        data: the parsed `config.json`, with the sections t5_config, image_vit_cfg, image_history_cfg, image_vqgan,
            their audio counterparts and sequence_length.

    Returns:
        The same network as a ModelConfig. The activation of the resampler is not in the file; it is "tanh", as trained.

    Raises:
        ConfigError: a field is missing, or has a value that this code does not support; the message names it.
    """
    top = _Section(data, "the file")
    top.require(_TOP_FIXED)
    transformer = top.section("t5_config")
    transformer.require(_TRANSFORMER_FIXED)
    image_tower, audio_tower = top.section("image_vit_cfg"), top.section("audio_vit_cfg")
    image_tokenizer = top.section("image_vqgan")
    for tower, name in ((image_tower, "image_vit_patch_size"), (audio_tower, "audio_vit_patch_size")):
        tower.require(_TOWER_FIXED | {"patch_size": transformer[name], "pos_patch_size": transformer[name]})
    audio_tower.require(_AUDIO_TOWER_FIXED)
    return ModelConfig(
        transformer=TransformerConfig(**transformer.read(TransformerConfig, _TRANSFORMER)),
        **top.read(ModelConfig, _TOP),
        **transformer.read(ModelConfig, _SIZES | _TABLES),
        image_tower=ImageTowerConfig(
            **image_tower.read(ImageTowerConfig, _TOWER), position_grid=_square(image_tower["num_pos"])
        ),
        audio_tower=AudioTowerConfig(**audio_tower.read(AudioTowerConfig, _TOWER)),
        image_history=_read_resampler(top.section("image_history_cfg")),
        audio_history=_read_resampler(top.section("audio_history_cfg")),
        image_tokenizer=ImageTokenizerConfig(
            **image_tokenizer.read(ImageTokenizerConfig, _IMAGE_TOKENIZER),
            **transformer.read(ImageTokenizerConfig, {"image_size": "default_image_size"}),
        ),
        audio_tokenizer=AudioTokenizerConfig(**top.section("audio_vqgan").read(AudioTokenizerConfig, _AUDIO_TOKENIZER)),
        lengths=LengthConfig(**transformer.read(LengthConfig, _LENGTHS)),
        sampling=SamplingConfig(**top.section("sequence_length").read(SamplingConfig, _SAMPLING)),
    )


def _square(num_positions: Any) -> Size:
    """The square grid of a position table of `num_positions` rows, one of which is the class token's."""
    side = round((num_positions - 1) ** 0.5) if isinstance(num_positions, int) and num_positions > 1 else 0
    if side < 1 or side * side + 1 != num_positions:
        raise ConfigError(
            f"reference config: image_vit_cfg.num_pos is {num_positions}; it must be a square number plus 1"
        )
    return side, side


def _read_resampler(section: _Section) -> ResamplerConfig:
    sizes = section.read(ResamplerConfig, _RESAMPLER)
    section.require(_RESAMPLER_FIXED | {"xattention_index": list(range(sizes["num_layers"]))})
    attention: Literal["qk_norm", "cosine", "plain"] = "plain"
    if section["xattn_qk_norm"] and section["xattn_scaled_cosine"]:
        raise ConfigError(
            f"reference config: {section.where} has both xattn_qk_norm and xattn_scaled_cosine; choose one"
        )
    if section["xattn_qk_norm"]:
        attention = "qk_norm"
    elif section["xattn_scaled_cosine"]:
        attention = "cosine"
    return ResamplerConfig(**sizes, attention=attention)


def to_reference_config(config: ModelConfig) -> dict[str, Any]:
    """The reference's `config.json` of a network.

    Raises:
        ConfigError: the reference has no way to say it: a part is missing, a position table has another form than the
            reference's, or the masks of the paper are in force, which the reference's own switches do not achieve.
    """
    parts = ("image_tower", "audio_tower", "image_history", "audio_history", "image_tokenizer", "audio_tokenizer")
    missing = [name for name in parts if getattr(config, name) is None]
    if missing:
        raise ConfigError(f"the reference format needs {missing}, which this model does not have")
    masks = [name for name in ("sparse_decoding", "dynamic_masking") if getattr(config, name)]
    if masks:
        raise ConfigError(f"the reference never applies {masks}; a network trained with them cannot be written for it")
    if config.image_target_scale != 1:
        raise ConfigError(f"the reference knows no image_target_scale; it is {config.image_target_scale} here, not 1")
    vit = config.image_tower
    if vit is None or vit.position_grid[0] != vit.position_grid[1]:
        raise ConfigError(
            "the reference format knows square position tables only; image_tower.position_grid is not square"
        )
    if config.audio_tower is not None and config.audio_tower.num_positions != AudioTowerConfig.num_positions:
        raise ConfigError(
            f"the reference always has {AudioTowerConfig.num_positions} positions in its audio tower; "
            f"audio_tower.num_positions is {config.audio_tower.num_positions}"
        )
    return {
        "t5_config": _write_transformer(config),
        "image_history_cfg": _write_resampler(config.image_history),
        "audio_history_cfg": _write_resampler(config.audio_history),
        "freeze_vit": config.freeze_vit,
        "input_modalities": list(config.input_modalities),
        "target_modalities": list(config.target_modalities),
        "sequence_length": {"is_training": True, **_write(config.sampling, _SAMPLING)},
        "image_vqgan": {
            **_write(config.image_tokenizer, _IMAGE_TOKENIZER),
            "dropout": 0,
            "default_input_size": list(config.image_tokenizer.image_size) if config.image_tokenizer else None,
            "checkpoint_path": "",
        },
        "audio_vqgan": {
            **_write(config.audio_tokenizer, _AUDIO_TOKENIZER),
            "dropout_rate": 0.0,
            "droppath_rate": 0.0,
            "attention_dropout_rate": 0.0,
            "checkpoint_path": "",
            "use_decoder": True,
        },
        "image_vit_cfg": {
            **_write_tower(config.image_tower),
            "default_input_size": list(config.image_history_size),
            "num_pos": vit.position_grid[0] ** 2 + 1,
        },
        "audio_vit_cfg": {
            **_write_tower(config.audio_tower),
            **_AUDIO_TOWER_FIXED,
            "default_input_size": list(config.audio_history_size),
        },
        **_TOP_FIXED,
    }


def _write(part: Any, names: Mapping[str, str]) -> dict[str, Any]:
    values = {theirs: getattr(part, ours) for ours, theirs in names.items()}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _write_transformer(config: ModelConfig) -> dict[str, Any]:
    return {
        **_write(config.transformer, _TRANSFORMER),
        **_TRANSFORMER_FIXED,
        **_TRANSFORMER_INERT,
        **_write(config.lengths, _LENGTHS),
        **_write(config, _SIZES),
        "image_vocab_size": config.image_vocab_size,
        "audio_vocab_size": config.audio_vocab_size,
        "image_patch_size": config.image_patch_size,
        "image_vit_patch_size": config.image_patch_size,
        "audio_patch_size": config.audio_patch_size,
        "audio_vit_patch_size": config.audio_patch_size,
        "default_image_size": list(config.image_tokenizer.image_size) if config.image_tokenizer else None,
        "default_audio_size": list(reversed(config.audio_tokenizer.spectrogram_size))
        if config.audio_tokenizer
        else None,
    }


def _write_resampler(resampler: ResamplerConfig | None) -> dict[str, Any]:
    attention = resampler.attention if resampler else None
    layers = resampler.num_layers if resampler else 0
    return {
        **_write(resampler, _RESAMPLER),
        **_RESAMPLER_FIXED,
        "xattention_index": list(range(layers)),
        "dropout_broadcast_dims": [-2],
        "xattn_qk_norm": attention == "qk_norm",
        "xattn_scaled_cosine": attention == "cosine",
        "attn_qk_norm": attention == "qk_norm",
        "attn_scaled_cosine": attention == "cosine",
    }


def _write_tower(tower: Any) -> dict[str, Any]:
    return {
        **_write(tower, _TOWER),
        **_TOWER_FIXED,
        "pos_patch_size": tower.patch_size,
        "dropout_broadcast_dims": [],
    }
