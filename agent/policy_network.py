"""The size of network that a policy needs: a named size, cut to what the policy reads and writes."""

from __future__ import annotations

import dataclasses

from embodio.agent.policy_format import PolicyFormat
from embodio.model.config import ModelConfig


def policy_network_config(size: str, policy_format: PolicyFormat) -> ModelConfig:
    """The named size, fitted to a policy: rows for its vocabulary, only the inputs that it reads, only text targets.

    Args:
        size: see `ModelConfig.named`.
        policy_format: what the policy reads and writes.

    Raises:
        ConfigError: if there is no such size.
    """
    config = ModelConfig.named(size)
    frames = policy_format.config.history_frames
    return dataclasses.replace(
        config,
        transformer=dataclasses.replace(config.transformer, vocab_size=policy_format.vocabulary.padded_size),
        sampling=dataclasses.replace(config.sampling, num_frames=max(1, frames)),
        input_modalities=("text", "image", "image_history") if frames else ("text", "image"),
        target_modalities=("text",),
    )
