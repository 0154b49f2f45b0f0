"""The size of network that a policy needs: a named size, cut to what the policy reads and writes."""

from __future__ import annotations

import dataclasses

from embodio.agent.format.policy_format import PolicyFormat
from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import AudioTowerConfig, ResamplerConfig

# What a small policy with a microphone hears with, next to the other parts of size nano.
_NANO_AUDIO_TOWER = AudioTowerConfig(
    emb_dim=128, num_heads=4, head_dim=32, num_layers=2, mlp_dim=512, num_positions=130
)
_NANO_AUDIO_HISTORY = ResamplerConfig(
    emb_dim=128, num_heads=4, head_dim=32, num_layers=1, mlp_dim=256, num_latents=16, max_frames=8
)


def policy_network_config(size: str, policy_format: PolicyFormat) -> ModelConfig:
    """The named size, fitted to a policy: rows for its vocabulary, only the inputs that it reads, only text targets.

    Args:
        size: see `ModelConfig.named`.
        policy_format: what the policy reads and writes.

    Raises:
        ConfigError: if there is no such size.
    """
    config = ModelConfig.named(size)
    policy = policy_format.config
    frames, sounds = policy.image_slots, policy.sound_slots
    modalities = ["text"] + (["image"] if policy.cameras or frames else []) + (["image_history"] if frames else [])
    hears = policy.microphone or sounds > 0
    modalities += ["audio", "audio_history"] if hears else []
    if hears and config.audio_tower is None:
        config = dataclasses.replace(config, audio_tower=_NANO_AUDIO_TOWER, audio_history=_NANO_AUDIO_HISTORY)
    return dataclasses.replace(
        config,
        transformer=dataclasses.replace(config.transformer, vocab_size=policy_format.vocabulary.padded_size),
        sampling=dataclasses.replace(config.sampling, num_frames=max(1, frames, sounds)),
        input_modalities=tuple(modalities),
        target_modalities=("text",),
    )
