"""The identity of a policy run: its data, robots, vocabulary and first weights, compared when the run resumes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from embodio.agent.format.policy_format import PolicyFormat
from embodio.datasets.episodes.digests import episode_digests, videos_digest
from embodio.datasets.episodes.index import index_episodes
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.experiments.policy.data import OpenSource

EXAMPLES_REVISION = 2
"""Increased whenever the same data and settings give different examples."""


def identity_of(
    opened: Sequence[OpenSource], formats: Mapping[str, PolicyFormat], vocabulary: Vocabulary, init: str
) -> dict[str, Any]:
    """The identity of all inputs of a run except its settings.

    Args:
        opened: its data sets.
        formats: name of a data set -> the format of its robot.
        vocabulary: of the network.
        init: sha256 of the weights that it began with, "" for random ones.
    """
    identity = {
        "sources": {one.name: _source(one, formats[one.name]) for one in opened},
        "vocabulary": vocabulary.fingerprint,
        "examples": EXAMPLES_REVISION,
        "init": init,
    }
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def identity_of_checkpoint(policy_format: PolicyFormat, name: str) -> dict[str, Any]:
    """The main data set as described by a checkpoint from before there were identities."""
    source = {key: value for key, value in _robot(policy_format).items() if key != "features"}
    plain: dict[str, Any] = json.loads(json.dumps({"main": name, "source": source}))
    return {"sources": {plain["main"]: plain["source"]}, "vocabulary": policy_format.vocabulary.fingerprint}


def _source(one: OpenSource, policy_format: PolicyFormat) -> dict[str, Any]:
    digests = episode_digests(one.episodes)
    index = index_episodes(one.episodes)
    return {
        "name": one.episodes.name,
        "version": str(getattr(one.episodes, "version", "") or ""),
        "split": getattr(one.episodes, "split", None),
        "episodes": {
            "number": len(digests),
            "steps": int(index.lengths.sum()),
            "held_out": len(one.held_out),
            "sha256": hashlib.sha256("".join(digests).encode()).hexdigest(),
            "each": "".join(digests),
        },
        "videos": videos_digest(one.episodes),
        "features": one.episodes.features.to_json(),
        **_robot(policy_format),
    }


def _robot(policy_format: PolicyFormat) -> dict[str, Any]:
    return {
        "embodiment": dataclasses.replace(policy_format.embodiment, guessed=()).to_dict(),
        "policy": dataclasses.asdict(policy_format.config),
        "statistics": policy_format.statistics.to_dict()["fields"],
    }
