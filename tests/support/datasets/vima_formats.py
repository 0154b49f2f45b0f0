"""The policy format of VIMA's tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.format.policy_format import PolicyFormat
from embodio.envs.vima.robot import ACTION_TEXT, vima_pick_place
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary

VOCABULARY = Vocabulary.default()


def vima_format(**changes: Any) -> PolicyFormat:
    """The paper's form: all actions at once, 1000 bins, prompt images."""
    config = PolicyConfig(
        cameras=("front", "top"), prompt="{instruction}", action_text=ACTION_TEXT, action_bins=1000, prompt_images=8,
        whole_episode=True, chunk=8,
    )  # fmt: skip
    return PolicyFormat(
        replace(config, **changes), vima_pick_place(), DatasetStatistics(fields={}, source="none"), VOCABULARY
    )


FORM = vima_format()
