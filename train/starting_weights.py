"""Initial weights of a new run: those of a checkpoint or released ones, fitted to its network."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import torch
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from embodio.agent.checkpoint import (
    Checkpoint,
    checkpoint_files,
    find_checkpoint,
    load_checkpoint,
    shipped_checkpoints,
)
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.format.robot_formats import RobotFormats
from embodio.agent.released.loading import TOKENIZER, vocabulary_in
from embodio.model.config.model import ModelConfig
from embodio.model.config.sizes import SIZES
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.checksums import sha256_of
from embodio.model.weights.pretrained import load, weights_folder
from embodio.model.weights.weight_files import weight_file_names
from embodio.train.checkpoints.kept import CHECKPOINT
from embodio.train.errors import TrainError

_TABLE = "text_embedding.weight"
_POSITIONS = "towers.image.positions"
_SPECIAL = Vocabulary.default().size - Vocabulary.default().text_size
_RELEASED_PIECES = 32000
_RELEASED_ROWS = 33280
_MOST_SHOWN = 12


@dataclass(frozen=True)
class Start:
    """Initial weights.

    Attributes:
        name: as given in the settings.
        folder: where they are on this machine.
        sha256: of the weights.
        model: their network.
        vocabulary: their vocabulary, None if the folder has none.
        checkpoint: the agent they belong to, if they do.
    """

    name: str
    folder: Path
    sha256: str
    model: UnifiedIO2
    vocabulary: Vocabulary | None
    checkpoint: Checkpoint | None


class Fate(NamedTuple):
    """Outcome of a tensor: "loaded", "resized", "left out" (in the file only) or "new" (in the network only).

    Or of a setting without a tensor: "differs", so that the weights compute something else here.
    """

    kind: str
    name: str
    numbers: int
    why: str = ""


def open_start(name: str) -> Start:
    """Opens what `init=` names: an agent's checkpoint, a folder of a network, or released weights.

    Args:
        name: of a checkpoint that ships, a folder, or a name on the Hugging Face hub.

    Raises:
        TrainError: nothing has that name.
        AgentError, ModelError: files are missing, damaged or do not fit each other.
    """
    folder = start_folder(name)
    if all((folder / file).is_file() for file in checkpoint_files(folder)):
        agent = load_checkpoint(folder)
        return Start(name, folder, start_digest(folder), agent.model, agent.robots.vocabulary, agent)
    vocabulary, model = vocabulary_in(folder), load(folder, tokenizers=False)
    return Start(name, folder, start_digest(folder), model, vocabulary, None)


def begun_or_start(out: str, init: str, modality: str) -> tuple[UnifiedIO2, Vocabulary, bool]:
    """The network of a run that trains one of its encoders, its vocabulary, and whether the run is new.

    Args:
        out: folder of the run; if it holds a checkpoint, the network is that one's.
        init: as of `open_start`.
        modality: the input that is encoded, "image" or "audio".

    Raises:
        TrainError, AgentError, ModelError: as `open_start`; or the network lacks the input or a vocabulary.
    """
    checkpoint = Path(out) / CHECKPOINT
    new = not checkpoint.is_dir()
    start = open_start(init if new else str(checkpoint))
    if modality not in start.model.towers or modality not in start.model.config.input_modalities:
        raise TrainError(f"init: {init} is a network without the input {modality}; give one that has it")
    if start.vocabulary is None:
        raise TrainError(f"init: {init} has no vocabulary; put its {TOKENIZER} into the folder")
    return start.model, start.vocabulary, new


def start_folder(name: str) -> Path:
    """The folder of what `init=` names; raises TrainError or WeightsError if there is none."""
    path = Path(name)
    if path.is_dir() or name in shipped_checkpoints():
        folder = find_checkpoint(name)
        if not (folder / "config.json").is_file() and (folder / "checkpoint" / "config.json").is_file():
            raise TrainError(f"init: {name} is the folder of a run; give init={folder / 'checkpoint'}")
        return folder
    if path.is_absolute() or name.startswith(".") or name.count("/") != 1:
        ships = ", ".join(shipped_checkpoints())
        raise TrainError(f"init: {name} is not a folder, and not among the checkpoints that ship: {ships}")
    return weights_folder(name)


def start_digest(folder: Path) -> str:
    """The sha256 of the weights in a folder; of several files, that of the list of theirs."""
    files = sorted(weight_file_names(folder))
    digests = [sha256_of(folder / name) for name in files]
    if len(files) == 1:
        return digests[0]
    return hashlib.sha256(
        "".join(f"{one} {name}\n" for one, name in zip(digests, files, strict=True)).encode()
    ).hexdigest()


def digest_if_here(name: str) -> str:
    """The sha256 of the weights that `init=` names, "" where they are no longer on this machine."""
    if name and (Path(name).is_dir() or name in shipped_checkpoints()):
        return start_digest(start_folder(name))
    return ""


@torch.no_grad()
def draw_weights(model: UnifiedIO2, patterns: Sequence[str], seed: int) -> None:
    """Draws the weights of some names again, as those of a new network are drawn.

    Args:
        model: changed in place.
        patterns: of the names, such as "towers.image.*".
        seed: of the draw.

    Raises:
        TrainError: a pattern matches no weight.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise TrainError(f"fresh: {pattern!r} matches no weight; names are such as {names[0]}")
    torch.manual_seed(seed)
    drawn = dict(UnifiedIO2(model.config).named_parameters())
    for name, weight in model.named_parameters():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            weight.copy_(drawn[name])


@torch.no_grad()
def load_start(model: UnifiedIO2, start: Start, vocabulary: Vocabulary) -> list[Fate]:
    """Loads all weights that fit into a network.

    Tensors of the same name and shape are copied. Rows of the text table go by their meaning: the same piece of text,
    value or special token. Image positions are resized to the new grid. The rest keeps its first values.

    Args:
        model: the network of the new run; changed in place.
        start: the weights.
        vocabulary: of the new run.

    Returns:
        The outcome for each tensor.

    Raises:
        TrainError: the networks differ in size, so that next to nothing would be loaded.
    """
    _require_same_width(model.config, start)
    own, given = model.state_dict(), start.model.state_dict()
    fates = []
    for name, tensor in own.items():
        if name.startswith("tokenizers."):
            continue
        if name not in given:
            fates.append(Fate("new", name, tensor.numel(), f"not in {start.name}"))
        elif name == _TABLE:
            fates.extend(_load_table(tensor, given[name], start, vocabulary))
        elif tensor.shape == given[name].shape:
            tensor.copy_(given[name])
            fates.append(Fate("loaded", name, tensor.numel()))
        elif name == _POSITIONS and tensor.shape[1] == given[name].shape[1]:
            tensor.copy_(_resized(given[name], start.model.config, model.config))
            fates.append(
                Fate("resized", name, tensor.numel(), f"from a grid of {_grids(start.model.config, model.config)}")
            )
        else:
            shapes = f"{tuple(given[name].shape)} there, {tuple(tensor.shape)} here"
            fates += [Fate("new", name, tensor.numel(), shapes), Fate("left out", name, given[name].numel(), shapes)]
    fates += [Fate("left out", name, given[name].numel(), "not in this network") for name in given if name not in own]
    here, there = model.config.image_target_scale, start.model.config.image_target_scale
    if here != there and all("image" in one.target_modalities for one in (model.config, start.model.config)):
        fates.append(Fate("differs", "image_target_scale", 0, f"{there:g} there, {here:g} here"))
    return fates


def report(fates: list[Fate], start: Start, robots: RobotFormats | None = None) -> Table:
    """A table of loaded, resized, left out and new weights, part by part, and of settings that differ."""
    table = Table(title=f"weights from {start.name}")
    for column in ("", "part", "tensors", "numbers", "why"):
        table.add_column(column, justify="right" if column in ("tensors", "numbers") else "left", overflow="fold")
    groups: dict[tuple[str, str, str], list[Fate]] = {}
    for fate in fates:
        depth = 2 if fate.name.split(".")[0] in ("inputs", "targets", "towers") else 1
        groups.setdefault((fate.kind, ".".join(fate.name.split(".")[:depth]), fate.why), []).append(fate)
    for kind in ("loaded", "resized", "left out", "new", "differs"):
        for (found, part, why), members in groups.items():
            if found == kind:
                numbers = sum(member.numbers for member in members)
                table.add_row(kind, part, str(len(members)), f"{numbers:,}", why)
    for line in _other_formats(start, robots) if robots is not None else ():
        table.add_row("differs", line.partition(":")[0], "", "", line.partition(":")[2].strip())
    return table


def _require_same_width(config: ModelConfig, start: Start) -> None:
    here, there = config.transformer, start.model.config.transformer
    for field in ("emb_dim", "num_heads", "mlp_dim"):
        if getattr(here, field) != getattr(there, field):
            named = [size for size in SIZES if _same(ModelConfig.named(size), start)]
            hint = f"give size={named[0]}" if named else "it is of none of the named sizes"
            raise TrainError(
                f"init: {start.name} has transformer.{field} {getattr(there, field)}, this network "
                f"{getattr(here, field)}; {hint}"
            )


def _same(config: ModelConfig, start: Start) -> bool:
    here, there = config.transformer, start.model.config.transformer
    return (here.emb_dim, here.num_heads, here.mlp_dim) == (there.emb_dim, there.num_heads, there.mlp_dim)


def _load_table(own: Tensor, given: Tensor, start: Start, vocabulary: Vocabulary) -> Iterator[Fate]:
    """Copies the rows of the text table that mean the same; the others keep their first values."""
    pairs, why = _rows(len(given), start.vocabulary, vocabulary)
    pairs = {row: other for row, other in pairs.items() if row < len(own) and other < len(given)}
    if pairs:
        rows, others = torch.tensor(list(pairs)), torch.tensor(list(pairs.values()))
        own[rows] = given[others].to(own)
        whole = len(pairs) == len(own) == len(given)
        kind, about = ("loaded", "") if whole else ("resized", f"{len(pairs)} of {len(own)} rows{why}")
        yield Fate(kind, _TABLE, len(pairs) * own.shape[1], about)
    if len(pairs) < len(given):
        yield Fate("left out", _TABLE, (len(given) - len(pairs)) * own.shape[1], f"{len(given) - len(pairs)} rows{why}")
    if len(pairs) < len(own):
        yield Fate("new", _TABLE, (len(own) - len(pairs)) * own.shape[1], f"{len(own) - len(pairs)} rows{why}")


def _rows(rows: int, given: Vocabulary | None, own: Vocabulary) -> tuple[Mapping[int, int], str]:
    """Row here -> row there of the same meaning, and what to say about the others."""
    if given == own or (given is None and own == Vocabulary.default() and rows == own.padded_size):
        return {row: row for row in range(max(rows, own.padded_size))}, ""
    if given is None and rows == _RELEASED_ROWS:
        special = {own.text_size + place: _RELEASED_PIECES + place for place in range(_SPECIAL)}
        return special, f": values and special tokens; text only with {TOKENIZER} in the folder"
    return {}, f": the vocabulary of its text is not known; put its {TOKENIZER} into the folder"


def _resized(table: Tensor, given: ModelConfig, own: ModelConfig) -> Tensor:
    """The image positions of another grid: the class token's row as it is, the others resized (bicubic)."""
    there, here = _grid(given), _grid(own)
    image = table[1:].float().unflatten(0, there).permute(2, 0, 1).unsqueeze(0)
    resized = functional.interpolate(image, size=here, mode="bicubic", align_corners=False, antialias=True)
    return torch.cat((table[:1].float(), resized.squeeze(0).flatten(1).t()))


def _grid(config: ModelConfig) -> tuple[int, int]:
    if config.image_tower is None:
        raise TrainError("init: a network without images has no image positions")
    return config.image_tower.position_grid


def _grids(given: ModelConfig, own: ModelConfig) -> str:
    (rows, columns), (new_rows, new_columns) = _grid(given), _grid(own)
    return f"{rows} x {columns} to {new_rows} x {new_columns}"


def _other_formats(start: Start, robots: RobotFormats) -> Iterator[str]:
    """Differences in meaning to the robots that the weights come from: a line each, at most a dozen."""
    if start.checkpoint is None:
        return
    there, lines = start.checkpoint.robots, list[str]()
    for name, now in robots.items():
        before = there[there.nearest(now.embodiment)]
        lines += [f"{name}.{line}" if robots.named else line for line in _format_differences(before, now)]
    yield from lines[:_MOST_SHOWN]
    if len(lines) > _MOST_SHOWN:
        yield f"...: and {len(lines) - _MOST_SHOWN} more"


def _format_differences(before: PolicyFormat, now: PolicyFormat) -> Iterator[str]:
    """Differences in meaning between the formats of two robots."""
    old_config = before.config.to_dict()
    for name, value in now.config.to_dict().items():
        if (old := old_config[name]) != value:
            yield f"policy.{name}: {old!r} there, {value!r} here"
    yield from (f"robot: {difference}" for difference in before.embodiment.differences(now.embodiment))
    for field, statistics in now.statistics.fields.items():
        old_statistics = before.statistics.fields.get(field)
        if old_statistics is not None and not _close(
            old_statistics.max, statistics.max, old_statistics.min, statistics.min
        ):
            yield f"statistics.{field}: of other data; numbers are scaled by those of the new data"


def _close(*ends: tuple[float, ...]) -> bool:
    old_high, high, old_low, low = ends
    pairs = [*zip(old_high, high, strict=False), *zip(old_low, low, strict=False)]
    return len(old_high) == len(high) and all(math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-6) for a, b in pairs)
