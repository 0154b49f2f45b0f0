"""A checkpoint is one folder: weights, model config, vocabulary, embodiment, statistics, policy format, checksums."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from embodio.agent.errors import CheckpointError
from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.format.policy_format import PolicyFormat
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import EnvError
from embodio.model.errors import ModelError
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.checksums import SUMS_FILE, ChecksumError, check_sums, sha256_of, write_sums
from embodio.model.weights.weights import CONFIG_FILE, WEIGHTS_FILE, load_weights, save_weights
from embodio.model.writing import recover_folder, replacing_folder, write_bytes, write_json

WEIGHTS = WEIGHTS_FILE
MODEL = CONFIG_FILE
POLICY = "policy.json"
EMBODIMENT = "embodiment.json"
STATISTICS = "statistics.json"
VOCABULARY = "vocabulary.model"
FILES = (WEIGHTS, MODEL, POLICY, EMBODIMENT, STATISTICS, VOCABULARY)
"""What an agent reads; SHA256SUMS and what training needs come on top."""


@dataclasses.dataclass
class Checkpoint:
    """A network together with everything that says which robot it is for and how to talk to it.

    Attributes:
        model: the network.
        format: its robot, statistics and vocabulary.
        folder: where it was loaded from, if it was.
        sha256: of each file as it was when it was loaded; empty if it was not, or if nothing was compared.
    """

    model: UnifiedIO2
    format: PolicyFormat
    folder: Path | None = None
    sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def hashes(self) -> dict[str, str]:
        """sha256 of the weights and of the statistics files, for reports."""
        if self.folder is None:
            raise CheckpointError("hashes: this checkpoint was never saved; call save_checkpoint first")
        return {name: self.sha256.get(name) or sha256_of(self.folder / name) for name in (WEIGHTS, STATISTICS)}


def save_checkpoint(folder: str | Path, model: UnifiedIO2, policy_format: PolicyFormat) -> Path:
    """Writes a checkpoint folder in one step: it is complete or it is not there.

    Args:
        folder: where to; an existing checkpoint there is replaced.
        model: the network, on any device.
        policy_format: its robot, statistics and vocabulary.
    """
    folder = Path(folder)
    with replacing_folder(folder) as new:
        write_checkpoint_files(new, model, policy_format)
    return folder


def write_checkpoint_files(folder: Path, model: UnifiedIO2, policy_format: PolicyFormat) -> None:
    """Writes the files of a checkpoint into an existing folder, last the checksums of all that is in it."""
    save_weights(model, folder)
    write_json(folder / POLICY, policy_format.config.to_dict(), indent=2)
    write_json(folder / EMBODIMENT, policy_format.embodiment.to_dict(), indent=2)
    write_json(folder / STATISTICS, policy_format.statistics.to_dict(), indent=2)
    write_bytes(folder / VOCABULARY, policy_format.vocabulary.to_bytes())
    write_sums(folder)


def load_checkpoint(name_or_path: str | Path) -> Checkpoint:
    """Loads a checkpoint folder, or one that ships with the package, such as "lift-nano".

    Every file is compared with the checksum that was saved with it. A folder from before there were checksums loads.

    Raises:
        CheckpointError: if there is no such checkpoint, or a file of it is missing, damaged or another one than was
            saved; names the file.
        WeightsError: if the weights do not fit the model config.

    Warns:
        UserWarning: what its actions and observations mean was guessed in part, and nobody has confirmed it; or there
            are no checksums.
    """
    folder = find_checkpoint(name_or_path)
    sha256 = _checked(folder)
    policy_format = load_format(folder)
    model = load_weights(folder)
    rows, vocabulary = model.config.transformer.vocab_size, policy_format.vocabulary
    if rows < vocabulary.size:
        raise CheckpointError(
            f"{folder}: the network knows {rows} ids, the vocabulary has {vocabulary.size}; "
            f"{MODEL} and {VOCABULARY} come from different checkpoints"
        )
    if guessed := policy_format.embodiment.guessed:
        warnings.warn(
            f"{folder}: guessed and confirmed by nobody: {', '.join(guessed)}; the robot may take its actions for "
            "something else. Confirm them in the YAML file of the data, and train on",
            stacklevel=3,
        )
    return Checkpoint(model, policy_format, folder, sha256)


def load_format(folder: Path) -> PolicyFormat:
    """Reads what a checkpoint says of its robot, without its weights; raises CheckpointError naming the file."""
    with _about(folder / VOCABULARY):
        vocabulary = Vocabulary.from_bytes((folder / VOCABULARY).read_bytes())
    with _about(folder / POLICY):
        policy = PolicyConfig.from_dict(_read_json(folder / POLICY))
    with _about(folder / EMBODIMENT):
        embodiment = Embodiment.from_dict(_read_json(folder / EMBODIMENT))
    with _about(folder / STATISTICS):
        statistics = DatasetStatistics.from_dict(_read_json(folder / STATISTICS))
    with _about(folder):
        return PolicyFormat(policy, embodiment, statistics, vocabulary)


def _checked(folder: Path) -> Mapping[str, str]:
    """The sha256 of each file of a checkpoint, which are all there and as they were saved; empty if nobody knows."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        inside = [name for name in (str(folder / "checkpoint"),) if (Path(name) / MODEL).is_file()]
        hint = f"did you mean {inside[0]}?" if inside else f"a checkpoint consists of {', '.join(FILES)}"
        raise CheckpointError(f"{folder}: {', '.join(missing)} missing; {hint}")
    try:
        sha256 = check_sums(folder, FILES)
    except ChecksumError as error:
        raise CheckpointError(str(error)) from error
    if sha256 is None:
        warnings.warn(
            f"{folder} has no {SUMS_FILE}, so damaged or exchanged files cannot be told from the right ones; if you "
            f"trust them, write it with `sha256sum * > {SUMS_FILE}` in that folder",
            stacklevel=4,
        )
    return sha256 or {}


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Puts the file's name before what is wrong with its content."""
    try:
        yield
    except (ModelError, EnvError, CheckpointError) as error:
        text = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise CheckpointError(f"{text}; fetch or save the checkpoint again") from error


def find_checkpoint(name_or_path: str | Path) -> Path:
    """The folder of a checkpoint, given by path or by the name of one that ships with the package.

    Raises:
        CheckpointError: if neither is found; lists what ships.
    """
    path = recover_folder(Path(name_or_path))
    if path.is_dir():
        return path
    shipped = shipped_checkpoints()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    raise CheckpointError(
        f"{name_or_path}: no such folder, and not among the checkpoints that ship: {', '.join(shipped) or 'none'}"
    )


def shipped_checkpoints() -> dict[str, Path]:
    """Names and folders of the checkpoints inside the package."""
    root = Path(str(resources.files("embodio.agent"))) / "checkpoints"
    if not root.is_dir():
        return {}
    return {path.name: path for path in sorted(root.iterdir()) if (path / WEIGHTS).is_file()}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: expected an object, found a {type(values).__name__}")
    return values
