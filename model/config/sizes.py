"""Named sizes of the network: nano and nano_generalist, for a laptop, and the released large, xl and xxl."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from embodio.model.config.parts import (
    AudioTokenizerConfig,
    AudioTowerConfig,
    ImageTokenizerConfig,
    ImageTowerConfig,
    LengthConfig,
    ResamplerConfig,
    SamplingConfig,
    TransformerConfig,
)

RELEASED_VOCAB_SIZE = 33280
NANO_VOCAB_SIZE = 1792
GENERALIST_VOCAB_SIZE = 5376
"""4096 pieces of text and the special tokens, rounded up."""
NANO_IMAGE_TOKENIZER = ImageTokenizerConfig(
    num_codes=1024,
    code_dim=8,
    embed_dim=8,
    resolution=96,
    channels=16,
    channel_multipliers=(1, 2, 4, 4),
    num_res_blocks=1,
    attention_resolutions=(),
    image_size=(96, 96),
    norm_groups=8,
)
"""The image tokeniser of small networks: 96 x 96 pixels, 12 x 12 codes, 1.0 M parameters."""
NANO_AUDIO_TOKENIZER = AudioTokenizerConfig(
    num_codes=1024,
    code_dim=16,
    encoder_dim=128,
    encoder_layers=4,
    encoder_mlp_dim=512,
    encoder_heads=4,
    encoder_head_dim=32,
    decoder_dim=192,
    decoder_layers=4,
    decoder_mlp_dim=768,
    decoder_heads=6,
    decoder_head_dim=32,
    patch_size=(16, 8),
)
"""The audio tokeniser of small networks: 4.08 s, 256 x 128 cells, 32 x 8 codes, 2.6 M parameters."""


@dataclass(frozen=True)
class _Released:
    """What differs between the released sizes (Table 9 of the paper)."""

    emb_dim: int
    num_heads: int
    head_dim: int
    mlp_dim: int
    resampler_dim: int
    resampler_heads: int
    resampler_mlp_dim: int
    resampler_attention: str


_RELEASED = {
    "large": _Released(1024, 16, 64, 2816, 768, 12, 2048, "qk_norm"),
    "xl": _Released(2048, 16, 128, 5120, 1024, 16, 4096, "qk_norm"),
    "xxl": _Released(3072, 24, 128, 8192, 1024, 16, 4096, "cosine"),
}


def _nano(vocab_size: int | None) -> dict[str, Any]:
    """A policy of 2.5 M parameters: text, two cameras side by side in one image of 96 x 192, its history; text out."""
    return {
        "transformer": TransformerConfig(
            vocab_size=vocab_size or NANO_VOCAB_SIZE,
            emb_dim=128,
            num_heads=4,
            head_dim=32,
            num_encoder_layers=2,
            num_decoder_layers=3,
            mlp_dim=352,
        ),
        "input_modalities": ("text", "image", "image_history"),
        "target_modalities": ("text",),
        "image_size": (96, 192),
        "image_history_size": (96, 192),
        "image_tower": ImageTowerConfig(
            emb_dim=128, num_heads=4, head_dim=32, num_layers=2, mlp_dim=512, position_grid=(6, 12)
        ),
        "image_history": ResamplerConfig(
            emb_dim=128, num_heads=4, head_dim=32, num_layers=1, mlp_dim=256, num_latents=16, max_frames=8
        ),
        "lengths": LengthConfig(encoder_text=256, encoder_image=72, decoder_text=256, decoder_image=72),
        "sampling": SamplingConfig(image_patches=72, image_history_patches=72, num_frames=1),
        "freeze_vit": False,
    }


def _nano_generalist(vocab_size: int | None) -> dict[str, Any]:
    """All inputs and targets in 6 M parameters; images as in nano, drawn as 96 x 96 pixels; 4.08 s of sound."""
    widths = {"emb_dim": 192, "num_heads": 6, "head_dim": 32}
    narrow = ResamplerConfig(emb_dim=128, num_heads=4, head_dim=32, num_layers=1, mlp_dim=256, num_latents=16)
    return {
        "transformer": TransformerConfig(
            vocab_size=vocab_size or GENERALIST_VOCAB_SIZE,
            num_encoder_layers=3,
            num_decoder_layers=3,
            mlp_dim=512,
            **widths,
        ),
        "image_size": (96, 192),
        "image_history_size": (96, 192),
        "image_tower": ImageTowerConfig(num_layers=2, mlp_dim=512, position_grid=(6, 12), **widths),
        "audio_tower": AudioTowerConfig(num_layers=2, mlp_dim=512, num_positions=130, **widths),
        "image_history": narrow,
        "audio_history": replace(narrow, num_latents=8),
        "image_tokenizer": NANO_IMAGE_TOKENIZER,
        "audio_tokenizer": NANO_AUDIO_TOKENIZER,
        "image_vocab_size": 1152,
        "audio_vocab_size": 1152,
        "lengths": LengthConfig(
            encoder_text=256,
            encoder_image=72,
            encoder_audio=128,
            decoder_text=256,
            decoder_image=144,
            decoder_audio=256,
        ),
        "sampling": SamplingConfig(
            image_patches=72, image_history_patches=72, audio_patches=128, audio_history_patches=128
        ),
        "freeze_vit": False,
        "absent_rows": "skipped",
        "image_target_scale": 0.5**0.5,
        "code_dropout": 1.0,
    }


def _released(size: _Released, vocab_size: int | None) -> dict[str, Any]:
    def resampler(num_latents: int) -> ResamplerConfig:
        return ResamplerConfig(
            emb_dim=size.resampler_dim,
            num_heads=size.resampler_heads,
            head_dim=64,
            num_layers=2,
            mlp_dim=size.resampler_mlp_dim,
            num_latents=num_latents,
            attention="cosine" if size.resampler_attention == "cosine" else "qk_norm",
        )

    return {
        "transformer": TransformerConfig(
            vocab_size=vocab_size or RELEASED_VOCAB_SIZE,
            emb_dim=size.emb_dim,
            num_heads=size.num_heads,
            head_dim=size.head_dim,
            num_encoder_layers=24,
            num_decoder_layers=24,
            mlp_dim=size.mlp_dim,
        ),
        "image_tower": ImageTowerConfig(emb_dim=768, num_heads=12, head_dim=64, num_layers=11, mlp_dim=3072),
        "audio_tower": AudioTowerConfig(emb_dim=768, num_heads=12, head_dim=64, num_layers=11, mlp_dim=3072),
        "image_history": resampler(32),
        "audio_history": resampler(16),
        "image_tokenizer": ImageTokenizerConfig(),
        "audio_tokenizer": AudioTokenizerConfig(),
    }


SIZES: dict[str, Callable[[int | None], dict[str, Any]]] = {
    "nano": _nano,
    "nano_generalist": _nano_generalist,
    **{name: partial(_released, size) for name, size in _RELEASED.items()},
}
"""Name to the fields of `ModelConfig`, for a number of rows of the text table or, with None, the size's own."""
