"""Checkpoints: read and write folders of weights, model config, vocabulary, robot files and checksums."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from embodio.agent.errors import CheckpointError
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.format.robot_files import (
    DEFAULT,
    ROBOT_FILES,
    STATISTICS,
    naming,
    read_robots,
    robot_file_names,
    robot_folder,
    robot_names,
    write_robots,
)
from embodio.agent.format.robot_formats import RobotFormats
from embodio.envs.embodiment import Embodiment
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.checksums import (
    SUMS_FILE,
    ChecksumError,
    check_sums,
    read_sums,
    sha256_of,
    sums_command,
    write_sums,
)
from embodio.model.weights.weight_files import weight_file_names
from embodio.model.weights.weights import CONFIG_FILE, WEIGHTS_FILE, load_weights, save_weights
from embodio.model.writing import recover_folder, replacing_folder, write_bytes

WEIGHTS = WEIGHTS_FILE
MODEL = CONFIG_FILE
VOCABULARY = "vocabulary.model"
FILES = (WEIGHTS, MODEL, *ROBOT_FILES, VOCABULARY)
"""The files of an agent of one robot; SHA256SUMS and training state come in addition."""


class Checkpoint:
    """A network with the embodiments and formats of its robots.

    Args:
        model: the network.
        robots: the format of its robot, or formats by name of robot.
        folder: the folder it was loaded from, if any.
        sha256: hash of each file when it was loaded; empty if it was not loaded or not verified.

    Attributes:
        robots: name of a robot -> its embodiment, statistics and policy; all with the network's vocabulary.
    """

    def __init__(
        self,
        model: UnifiedIO2,
        robots: PolicyFormat | Mapping[str, PolicyFormat],
        folder: Path | None = None,
        sha256: Mapping[str, str] | None = None,
    ) -> None:
        self.model, self.folder = model, folder
        self.robots = robots if isinstance(robots, RobotFormats) else RobotFormats(robots)
        self.sha256: Mapping[str, str] = sha256 or {}

    @property
    def format(self) -> PolicyFormat:
        """The format of the only or default robot; raises CheckpointError naming the robots if neither exists."""
        return self.robots[self.robots.pick()]

    def hashes(self, robot: str | None = None) -> dict[str, str]:
        """sha256 of the weights and of a robot's statistics (None: the only or default robot), for reports.

        Released weights have no statistics.
        """
        if self.folder is None:
            raise CheckpointError("hashes: this checkpoint was never saved; call save_checkpoint first")
        folder = robot_folder(Path(), self.robots.pick(robot) if self.robots.named else "")
        own = (folder / STATISTICS).as_posix()  # released weights have no robot files
        names = [*weight_file_names(self.folder), *([own] if (self.folder / own).exists() else [])]
        return {name: self.sha256.get(name) or sha256_of(self.folder / name) for name in names}


def save_checkpoint(
    folder: str | Path, model: UnifiedIO2, robots: PolicyFormat | Mapping[str, PolicyFormat], *, half: bool = False
) -> Path:
    """Writes a checkpoint folder atomically.

    Args:
        folder: the folder to write; an existing checkpoint there is replaced.
        model: the network, on any device.
        robots: the format of its robot, or formats by name of robot; `RobotFormats` may also name a default.
        half: as of `save_weights`.

    Raises:
        CheckpointError: as `RobotFormats` says.
        WeightsError: as of `save_weights`.
    """
    folder = Path(folder)
    robots = robots if isinstance(robots, RobotFormats) else RobotFormats(robots)
    with replacing_folder(folder) as new:
        write_checkpoint_files(new, model, robots, half=half)
    return folder


def write_checkpoint_files(folder: Path, model: UnifiedIO2, robots: RobotFormats, *, half: bool = False) -> None:
    """Writes the files of a checkpoint into an existing folder, and finally the checksums of all its files."""
    save_weights(model, folder, half=half)
    write_robots(folder, robots)
    write_bytes(folder / VOCABULARY, robots.vocabulary.to_bytes())
    write_sums(folder)


def load_checkpoint(name_or_path: str | Path, embodiment: Embodiment | str | None = None) -> Checkpoint:
    """Loads a checkpoint folder, or one that ships with the package, such as "lift-nano".

    Every file is verified against its saved checksum. A folder without checksums also loads.

    Args:
        name_or_path: folder, or name.
        embodiment: the robot to load it for, or that robot's name; None loads it for all of its robots.

    Raises:
        CheckpointError: if the checkpoint does not exist, or a file is missing, damaged or was exchanged; names the
            file.
        EmbodimentMismatch: if it has no such robot, see `RobotFormats.pick`.
        WeightsError: if the weights do not fit the model config.

    Warns:
        UserWarning: parts of the embodiment were guessed and never confirmed, or there are no checksums.
    """
    folder = find_checkpoint(name_or_path)
    sha256 = _checked(folder)
    robots = load_robots(folder)
    chosen = list(robots) if embodiment is None else [robots.pick(embodiment)]
    model = load_weights(folder)
    rows, vocabulary = model.config.transformer.vocab_size, robots.vocabulary
    if rows < vocabulary.size:
        raise CheckpointError(
            f"{folder}: the network knows {rows} ids, the vocabulary has {vocabulary.size}; "
            f"{MODEL} and {VOCABULARY} come from different checkpoints"
        )
    for name in chosen:
        if guessed := robots[name].embodiment.guessed:
            warnings.warn(
                f"{robot_folder(folder, name if robots.named else '')}: guessed and never confirmed: "
                f"{', '.join(guessed)}; the robot may interpret its actions differently. Confirm them in the YAML "
                "file of the data, and continue training",
                stacklevel=3,
            )
    return Checkpoint(model, robots, folder, sha256)


def load_robots(folder: Path) -> RobotFormats:
    """Reads the robots of a checkpoint without its weights; raises CheckpointError naming the file."""
    names = robot_names(folder)
    with naming(folder / VOCABULARY):
        vocabulary = Vocabulary.from_bytes((folder / VOCABULARY).read_bytes())
    return read_robots(folder, names, vocabulary)


def checkpoint_files(folder: Path) -> list[str]:
    """Names of the files that an agent reads in a folder, whether or not they exist.

    Raises:
        CheckpointError: the name of a robot is unsafe, see `robot_names`.
        ChecksumError: SHA256SUMS is damaged.
    """
    listed = read_sums(folder) or {}
    names = robot_names(folder, listed)
    default = [DEFAULT] if names and (DEFAULT in listed or (folder / DEFAULT).exists()) else []
    return [WEIGHTS, MODEL, *robot_file_names(names), *default, VOCABULARY]


def _checked(folder: Path) -> Mapping[str, str]:
    """Verifies that all files exist and match their checksums; returns their sha256, empty without checksums."""
    try:
        names = checkpoint_files(folder)
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            inside = [name for name in (str(folder / "checkpoint"),) if (Path(name) / MODEL).is_file()]
            hint = f"a checkpoint of one robot consists of {', '.join(FILES)}"
            if (folder / MODEL).is_file() and not any((folder / name).exists() for name in ROBOT_FILES):
                hint += ". This is a network without a robot; for released weights say which, such as robot='vima'"
            hint = f"did you mean {inside[0]}?" if inside else hint
            raise CheckpointError(f"{folder}: {', '.join(missing)} missing; {hint}")
        sha256 = check_sums(folder, names)
    except ChecksumError as error:
        raise CheckpointError(str(error)) from error
    if sha256 is None:
        warnings.warn(
            f"{folder} has no {SUMS_FILE}, so damaged or exchanged files cannot be detected; if you trust them, write "
            f"it with `{sums_command(folder)}` in that folder",
            stacklevel=4,
        )
    return sha256 or {}


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
    missing = f"{name_or_path}: no such folder, and not among the checkpoints that ship: {', '.join(shipped) or 'none'}"
    on_hub = str(name_or_path).count("/") == 1 and not path.is_absolute()
    raise CheckpointError(
        f"{missing}; for released weights say which robot, such as robot='vima'" if on_hub else missing
    )


def shipped_checkpoints() -> dict[str, Path]:
    """Names and folders of the checkpoints inside the package."""
    root = Path(str(resources.files("embodio.agent"))) / "checkpoints"
    if not root.is_dir():
        return {}
    return {path.name: path for path in sorted(root.iterdir()) if (path / WEIGHTS).is_file()}
