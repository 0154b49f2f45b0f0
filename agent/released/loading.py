"""Checkpoints of released weights: a folder of weights and LLaMA's tokeniser, with one robot; nothing is downloaded."""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path
from typing import Any

from embodio.agent.checkpoint import VOCABULARY, Checkpoint, find_checkpoint, load_checkpoint, shipped_checkpoints
from embodio.agent.errors import CheckpointError
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.format.robot_files import POLICY, ROBOTS
from embodio.agent.format.robot_formats import OTHER_ROBOT, RobotFormats
from embodio.agent.released.robot import ReleasedRobot
from embodio.agent.released.robots import released_robot
from embodio.envs.embodiment import Embodiment
from embodio.model.config.model import ModelConfig
from embodio.model.file_names import fault_of_name
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.pretrained import in_reference_layout, load, read_model_config
from embodio.model.weights.weights import CONFIG_FILE

TOKENIZER = "tokenizer.model"
"""Name of LLaMA's SentencePiece file in a folder of released weights, where users put it."""


def load_robot(name_or_path: str | Path, robot: str, embodiment: Embodiment | str | None = None) -> Checkpoint:
    """The checkpoint of an agent for one robot: its own, or one of the released networks.

    Args:
        name_or_path: folder or name of a checkpoint, folder of released weights, or their name in the local cache of
            the hub, such as "allenai/uio2-large".
        robot: name of a robot of the checkpoint, or for released weights of a file in `agent/released/robots`.
        embodiment: of the environment to act in; a name is that of a robot, and must be the same.

    Raises:
        CheckpointError: there is nothing of that name, or no such robot; or as `released_checkpoint`.
        EmbodimentMismatch: the environment has another robot.
    """
    if isinstance(embodiment, str) and embodiment != robot:
        raise CheckpointError(f"robot, embodiment: got {robot!r} and {embodiment!r}; name the robot once")
    wanted = None if isinstance(embodiment, str) else embodiment
    if not is_agent(name_or_path):
        return released_checkpoint(name_or_path, robot, wanted)
    checkpoint = load_checkpoint(name_or_path, robot)
    if wanted is not None:
        robots = checkpoint.robots
        robots[robots.pick(robot)].embodiment.require_same(wanted, remedy=OTHER_ROBOT)
    return checkpoint


def released_checkpoint(
    name_or_path: str | Path,
    robot: str,
    embodiment: Embodiment | None = None,
    statistics: DatasetStatistics | None = None,
    **changes: Any,
) -> Checkpoint:
    """Released weights as the checkpoint of an agent for one of their robots.

    Args:
        name_or_path: folder of released weights, or their name in the local cache of the hub.
        robot: name of a file in `agent/released/robots`.
        embodiment: of the environment to act in, with its cameras and limits; None for the data set's own.
        statistics: of a data set of this robot, to scale its numbers with; None for the robot's own ranges.
        changes: fields of its `PolicyConfig` to replace, such as `prompt`, `cameras` or `value_denominator`.

    Raises:
        CheckpointError: there is nothing of that name, no such robot, or no tokeniser that fits the weights.
        EmbodimentMismatch: the environment has another robot.
        AgentError, ModelError: the weights are damaged, or the changes contradict each other.

    Warns:
        UserWarning: something about the robot is assumed, as it is not published.
    """
    known = released_robot(robot)
    folder = released_folder(name_or_path)
    vocabulary = released_vocabulary(folder)
    form = released_format(known, vocabulary, embodiment, statistics, **changes)
    config = read_model_config(folder / CONFIG_FILE)
    require_fit(folder, config, vocabulary)
    if known.assumed and statistics is None:
        warnings.warn(
            f"robot {robot}: not published, and therefore assumed: {known.assumed}; give released_checkpoint the "
            "statistics of a data set, or train on your data with embodio-train init=",
            stacklevel=2,
        )
    return Checkpoint(_load(folder, config, form.config.image_slots), RobotFormats({robot: form}), folder)


def released_format(
    known: ReleasedRobot,
    vocabulary: Vocabulary,
    embodiment: Embodiment | None = None,
    statistics: DatasetStatistics | None = None,
    **changes: Any,
) -> PolicyFormat:
    """How an agent of this robot reads and writes; `ReleasedRobot` itself is listed by commands, which load no network.

    Args:
        known: the robot.
        vocabulary: of the network.
        embodiment: of the environment to act in; None for the data set's own.
        statistics: of a data set of this robot, to scale numbers with instead of its `ranges`.
        changes: fields of the policy to replace, such as `prompt`.

    Raises:
        EmbodimentMismatch: the environment has another robot, or none of its cameras is clearly the one to read.
        AgentError, StatisticsError: the changes contradict each other or the robot.
    """
    robot = known.embodiment if embodiment is None else known.fitted(embodiment)
    if "cameras" not in changes:
        changes["cameras"] = (known.camera_of(robot),)
    policy = dataclasses.replace(known.policy, **changes)
    return PolicyFormat(policy, robot, statistics or known.statistics, vocabulary)


def is_agent(name_or_path: str | Path) -> bool:
    """Whether this names an agent's checkpoint rather than a network without a robot."""
    folder = Path(name_or_path)
    return str(name_or_path) in shipped_checkpoints() or (folder / POLICY).is_file() or (folder / ROBOTS).is_dir()


def released_vocabulary(folder: Path) -> Vocabulary:
    """The vocabulary of released weights: LLaMA's tokeniser, which is not part of their download.

    Raises:
        CheckpointError: it is not in the folder; says where to get it.
        VocabularyError: the file is not a SentencePiece model.
    """
    found = vocabulary_in(folder)
    if found is None:
        raise CheckpointError(
            f"{folder}: {TOKENIZER} is missing; released weights read and write text with LLaMA's tokeniser (32000 "
            "pieces), which comes with LLaMA's weights. Put that file into the folder"
        )
    return found


def vocabulary_in(folder: Path) -> Vocabulary | None:
    """The vocabulary in a folder of weights, ours or LLaMA's; None if there is none."""
    own = [folder / name for name in (VOCABULARY, TOKENIZER) if (folder / name).is_file()]
    return Vocabulary.from_file(own[0]) if own else None


def network_vocabulary(folder: Path) -> Vocabulary:
    """The vocabulary in a folder of a network, ours or released.

    Raises:
        CheckpointError: there is none; says where to get it.
        ConfigError, VocabularyError: the config or the vocabulary cannot be read.
    """
    found = released_vocabulary(folder) if in_reference_layout(folder) else vocabulary_in(folder)
    if found is None:
        raise CheckpointError(
            f"{folder}: {VOCABULARY} is missing; put the vocabulary that the network was trained with there, or name "
            "it with vocabulary="
        )
    return found


def require_fit(folder: Path, config: ModelConfig, vocabulary: Vocabulary) -> None:
    """Raises CheckpointError if a network has another number of ids than its vocabulary needs."""
    if config.transformer.vocab_size != vocabulary.padded_size:
        raise CheckpointError(
            f"{folder}: the network has {config.transformer.vocab_size} ids, its tokeniser needs "
            f"{vocabulary.padded_size}; put the SentencePiece file that it was trained with there as {TOKENIZER}"
        )


def released_folder(name_or_path: str | Path) -> Path:
    """The folder of weights on this machine: as given, or the newest snapshot in the local cache of the hub.

    Raises:
        CheckpointError: there is none; says how to get it.
    """
    name, folder = str(name_or_path), Path(name_or_path)
    on_hub = name.count("/") == 1 and not folder.is_dir() and not fault_of_name(name)
    found = _cached(name) if on_hub else find_checkpoint(folder)
    if not (found / CONFIG_FILE).is_file():
        raise CheckpointError(f"{found}: {CONFIG_FILE} is missing; give the folder with the weights and their config")
    return found


def _cached(name: str) -> Path:
    """The snapshot of a repository in the hub's cache that its main branch points to."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    repository = cache / f"models--{name.replace('/', '--')}"
    branch = repository / "refs" / "main"
    snapshot = repository / "snapshots" / (branch.read_text(encoding="utf-8").strip() if branch.is_file() else "none")
    if not snapshot.is_dir():
        raise CheckpointError(
            f"{name}: no such folder, and not in the local cache {cache}; download it with `hf download {name}`, or "
            "give the folder of the weights. Nothing is downloaded here"
        )
    return snapshot


def _load(folder: Path, config: ModelConfig, images: int) -> UnifiedIO2:
    """The network, with slots for the images that the robot's prompts hold."""
    frames = max(images, config.sampling.num_frames)
    return load(folder, sampling=dataclasses.replace(config.sampling, num_frames=frames))
