"""A small random network with all inputs, targets and tokenisers, and inputs for it."""

import functools

import numpy as np
import torch

from embodio.model import Clip, ModelConfig, UnifiedIO2, Vocabulary
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
from embodio.model.tasks import TaskRunner
from embodio.model.tasks.locations.codec import LocationCodec

VOCABULARY = Vocabulary.default()
CODEC = LocationCodec(VOCABULARY)
WIDTHS = {"emb_dim": 16, "num_heads": 2, "head_dim": 8, "mlp_dim": 32}

CONFIG = ModelConfig(
    transformer=TransformerConfig(
        vocab_size=VOCABULARY.padded_size, num_encoder_layers=2, num_decoder_layers=2, **{**WIDTHS}
    ),
    image_size=(32, 32),
    image_history_size=(32, 32),
    audio_size=(32, 16),
    audio_history_size=(32, 16),
    image_tower=ImageTowerConfig(num_layers=2, patch_size=8, position_grid=(4, 4), **WIDTHS),
    audio_tower=AudioTowerConfig(num_layers=2, patch_size=8, num_positions=10, **WIDTHS),
    image_history=ResamplerConfig(num_layers=1, num_latents=2, **WIDTHS),
    audio_history=ResamplerConfig(num_layers=1, num_latents=2, **WIDTHS),
    image_vocab_size=64,
    audio_vocab_size=64,
    image_tokenizer=ImageTokenizerConfig(
        num_codes=40,
        channels=32,
        channel_multipliers=(1, 2),
        num_res_blocks=1,
        resolution=16,
        attention_resolutions=(8,),
        image_size=(16, 16),
        patch_size=(2, 2),
    ),
    audio_tokenizer=AudioTokenizerConfig(
        num_codes=40,
        code_dim=4,
        encoder_dim=16,
        encoder_layers=1,
        encoder_mlp_dim=16,
        encoder_heads=2,
        encoder_head_dim=8,
        decoder_dim=16,
        decoder_layers=1,
        decoder_mlp_dim=16,
        decoder_heads=2,
        decoder_head_dim=8,
        spectrogram_size=(16, 32),
    ),
    lengths=LengthConfig(
        encoder_text=200, encoder_image=16, encoder_audio=8, decoder_text=240, decoder_image=64, decoder_audio=8
    ),
    sampling=SamplingConfig(
        image_patches=16, image_history_patches=16, audio_patches=8, audio_history_patches=8, num_frames=2
    ),
)


@functools.lru_cache
def model() -> UnifiedIO2:
    """Random weights, larger than at the start of training, so that inputs decide what comes out."""
    torch.manual_seed(3)
    network = UnifiedIO2(CONFIG, tokenizers=True).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    return network


@functools.lru_cache
def runner(constrained: bool = True, rows_at_once: int = 16) -> TaskRunner:
    return TaskRunner(model(), VOCABULARY, constrained=constrained, rows_at_once=rows_at_once)


def image(seed: int, height: int = 40, width: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def images(count: int = 3) -> list[np.ndarray]:
    """Images of several sizes."""
    sizes = [(40, 24), (17, 50), (33, 33), (64, 20)]
    return [image(seed, *sizes[seed % len(sizes)]) for seed in range(count)]


def sound(seed: int, samples: int = 31 * 256) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


def clip(seed: int, frames: int = 3, sounds: bool = True) -> Clip:
    pictures = tuple(image(10 * seed + index) for index in range(frames))
    return Clip(pictures, tuple(sound(10 * seed + index) for index in range(frames)) if sounds else ())
