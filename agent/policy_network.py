"""The model config of policies: a named size, reduced to the modalities that they use."""

from __future__ import annotations

import dataclasses

from embodio.agent.format.policy_format import PolicyFormat
from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import AudioTowerConfig, ResamplerConfig

# The audio parts of size nano, for policies with a microphone.
_NANO_AUDIO_TOWER = AudioTowerConfig(
    emb_dim=128, num_heads=4, head_dim=32, num_layers=2, mlp_dim=512, num_positions=130
)
_NANO_AUDIO_HISTORY = ResamplerConfig(
    emb_dim=128, num_heads=4, head_dim=32, num_layers=1, mlp_dim=256, num_latents=16, max_frames=8
)


def policy_network_config(size: str | ModelConfig, *formats: PolicyFormat) -> ModelConfig:
    """Adapts a named size to policies: rows for their vocabulary, only the inputs that they read, only text targets.

    Args:
        size: see `ModelConfig.named`; or the config of another network to adapt.
        formats: the formats of one or more robots, with one vocabulary.

    Raises:
        ConfigError: if there is no such size.
    """
    config = ModelConfig.named(size) if isinstance(size, str) else size
    policies = [one.config for one in formats]
    frames, sounds = (max(policy.image_slots for policy in policies), max(policy.sound_slots for policy in policies))
    sees = any(policy.cameras for policy in policies) or frames
    modalities = ["text"] + (["image"] if sees else []) + (["image_history"] if frames else [])
    hears = sounds > 0
    modalities += ["audio", "audio_history"] if hears else []
    if hears and config.audio_tower is None:
        config = dataclasses.replace(config, audio_tower=_NANO_AUDIO_TOWER, audio_history=_NANO_AUDIO_HISTORY)
    return dataclasses.replace(
        config,
        transformer=dataclasses.replace(config.transformer, vocab_size=formats[0].vocabulary.padded_size),
        sampling=dataclasses.replace(config.sampling, num_frames=max(1, frames, sounds)),
        input_modalities=tuple(modalities),
        target_modalities=("text",),
    )
