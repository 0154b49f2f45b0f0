"""`embodio-data`: what a data set holds, its statistics, a page that shows it, checks, and other layouts of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from embodio.agent.errors import AgentError
from embodio.datasets.catalogue import catalogue_names
from embodio.datasets.conversion.inspect_source import instructions, propose
from embodio.datasets.episodes.feature_text import format_feature
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.episodes.side_files import data_folder
from embodio.datasets.episodes.source import EpisodeSource, some_episodes
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.sources.description import Description, Instruction
from embodio.envs.errors import EmbodimentError, EmbodimentMismatch
from embodio.model.errors import ModelError
from embodio.model.tokens.statistics import FieldStatistics, Normaliser
from embodio.model.writing import write_json, write_text
from embodio.train.command_line.cli import run as run_command
from embodio.train.command_line.output_path import require_writable
from embodio.train.command_line.ranges import COUNT, require_ranges
from embodio.train.commands.data.convert import ConvertDataConfig, convert_data
from embodio.train.commands.data.verify import VerifyConfig, check
from embodio.train.commands.data.visualise import VisualiseConfig, visualise

_WIDTH = 120  # characters in a line of a table that goes into a file


@dataclass(frozen=True)
class InspectConfig:
    """Which data set to look at.

    Attributes:
        source: folder, file, URL, YAML file, or name of the catalogue.
        folder: path or URL where the files of a catalogue name are; null looks in EMBODIO_DATA.
        split: name of the split; null takes the usual one.
        out: YAML file to write the proposed description to; null shows it.
    """

    source: str
    folder: str | None = None
    split: str | None = None
    out: Path | None = None


@dataclass(frozen=True)
class StatsConfig:
    """Whose statistics to compute.

    Attributes:
        source: folder, file, URL, YAML file, or name of the catalogue.
        folder: path or URL where the files of a catalogue name are; null looks in EMBODIO_DATA.
        split: name of the split; null takes the usual one.
        fields: numeric fields of a step; empty takes those of action, expert_action and state that are there.
        episodes: how many episodes to read; 0 reads all.
        out: JSON file to write them to; null only shows them.
    """

    source: str
    folder: str | None = None
    split: str | None = None
    fields: tuple[str, ...] = ()
    episodes: int = 0
    out: Path | None = None

    def __post_init__(self) -> None:
        require_ranges(self, episodes=COUNT)


@dataclass(frozen=True)
class Verb:
    """One thing that `embodio-data` does.

    Attributes:
        schema: dataclass of its settings.
        execute: does it, and returns the exit code.
        description: one sentence for the help.
        examples: command lines for the help.
    """

    schema: type[Any]
    execute: Callable[[Any], int]
    description: str
    examples: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-data`; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    verbs = _verbs()
    action = arguments.pop(0) if arguments and arguments[0] in verbs else ""
    if not action:
        return _overview(verbs, arguments)
    if arguments and _is_place(arguments[0]):
        arguments[0] = f"source={_quoted(arguments[0])}"
    verb = verbs[action]
    return run_command(
        verb.schema,
        verb.execute,
        arguments,
        prog=f"embodio-data {action}",
        description=verb.description,
        examples=verb.examples,
        user_errors=(DatasetError, EmbodimentError, EmbodimentMismatch, AgentError, ModelError),
    )


def _overview(verbs: Mapping[str, Verb], arguments: Sequence[str]) -> int:
    """Lists what the command does where it was not told one of these; returns the exit code."""
    asked = bool({"--help", "-h"} & set(arguments))
    console = Console(stderr=not asked, highlight=False, soft_wrap=True, markup=False)
    if not asked:
        wrong = f"there is no {arguments[0]!r}" if arguments else "say what to do"
        console.print(f"embodio-data: {wrong}; {', '.join(verbs)} are there. More: embodio-data --help")
        return 2
    console.print(
        "What a data set holds, in any layout: a folder, a file, a URL, a YAML file, a name of the catalogue.\n"
    )
    for name, verb in verbs.items():
        console.print(f"  embodio-data {name:<10} {verb.description}\n{'':26}e.g. {verb.examples[0]}")
    console.print(f"\nEach has its own --help. The catalogue: {', '.join(catalogue_names())}")
    return 0


def _is_place(argument: str) -> bool:
    """Whether this is a name or a path rather than `key=value`."""
    return not argument.startswith("-") and ("=" not in argument or "://" in argument.partition("=")[0])


def _quoted(argument: str) -> str:
    """Text as hydra takes it, whatever is in it."""
    plain = all(letter.isalnum() or letter in "/._-" for letter in argument)
    return argument if plain else "'" + argument.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _verbs() -> dict[str, Verb]:
    return {
        "inspect": Verb(
            InspectConfig,
            inspect,
            "Show what a data set holds, and propose its YAML file.",
            (
                "embodio-data inspect data/lift",
                "embodio-data inspect data/mine out=mine.yaml",
                "embodio-data inspect droid folder=gs://gresearch/robotics/droid/1.0.0",
            ),
        ),
        "stats": Verb(
            StatsConfig,
            stats,
            "Compute minimum, maximum, mean, deviation and quantiles of a data set's numbers.",
            ("embodio-data stats data/lift 'fields=[action,state]'",),
        ),
        "convert": Verb(
            ConvertDataConfig,
            convert_data,
            "Write any data set as RLDS or LeRobot v3; the same command goes on after it was interrupted.",
            (
                "embodio-data convert lift.hdf5 out=data/lift name=lift",
                "embodio-data convert data/lift out=data/lift_lerobot to=lerobot",
            ),
        ),
        "visualise": Verb(
            VisualiseConfig,
            visualise,
            "Write one HTML page with video, plots and tokens of some episodes.",
            ("embodio-data visualise data/lift out=lift.html 'episodes=[0,5]'",),
        ),
        "verify": Verb(
            VerifyConfig,
            check,
            "Check numbers, limits, bins, gripper and images of a data set, and replay it.",
            ("embodio-data verify data/lift replay=5",),
        ),
    }


def inspect(config: InspectConfig) -> int:
    """Shows the fields of a data set and proposes a description where it has none; returns the exit code."""
    if config.out is not None:
        require_writable(config.out)
    source = open_source(config.source, folder=config.folder, split=config.split)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{source.name}: {len(source)} episodes; {_first(source)}")
    if data_folder(source) is not None and (empty := index_episodes(source).empty_in_words()):
        console.print(empty)
    table = Table("field", "holds")
    for path, feature in sorted(source.features.steps.items()):
        table.add_row(path, format_feature(feature))
    for path, feature in sorted(source.features.episode.items()):
        table.add_row(f"{path} (episode)", format_feature(feature))
    for path, several in sorted(source.features.sequences.items()):
        table.add_row(f"{path} (any number)", format_feature(several.item))
    for path, reason in sorted(source.features.unread.items()):
        table.add_row(path, Text(f"not read: {reason.partition(': ')[2] or reason}"))
    console.print(table)
    if hasattr(source, "description"):
        _show_instructions(console, source, None)
        console.print(_described(source.description))
    else:
        proposal = propose(source, getattr(source, "location", config.source), split=config.split)
        described = Description.from_dict(yaml.safe_load(proposal), Path(f"{source.name}.yaml"))
        _show_instructions(console, source, described.instruction)
        if config.out is None:
            console.print(proposal)
        else:
            write_text(config.out, proposal)
            console.print(f"proposed description: {config.out}")
    source.close()
    return 0


def _show_instructions(console: Console, source: EpisodeSource, described: Instruction | None) -> None:
    console.print("instructions in some of the episodes; those in one line are wordings of the same:")
    for line in instructions(source, described):
        console.print(f"  {line}")


def _first(source: EpisodeSource) -> str:
    """Which episode is the first that has steps, and how many these are."""
    number, episode = next(some_episodes(source), (0, None))
    if episode is None:
        return "none of them has steps that can be read"
    return f"{'the first' if number == 0 else f'episode {number}'} has {len(episode)} steps"


def _described(description: Description) -> str:
    """What the YAML file of a data set says of it, for people."""
    lines = [description.about] if description.about else []
    if description.embodiment is not None:
        robot, action = description.embodiment, description.embodiment.action
        meaning = f"{action.mode}, frame {action.frame}, rotation {action.rotation}, gripper {action.gripper}"
        lines.append(f"robot: {robot.name}, {robot.control_hz:g} Hz; action: {meaning}")
    lines += [f"see: {place}" for place in description.see]
    return "\n".join([*lines, f"all of it: {description.path}"])


def stats(config: StatsConfig) -> int:
    """Computes, shows and perhaps writes the statistics; returns the exit code."""
    if config.out is not None:
        require_writable(config.out)
    source = open_source(config.source, folder=config.folder, split=config.split)
    progress_console = Console(stderr=True, highlight=False)
    with Progress(console=progress_console, disable=not progress_console.is_terminal) as progress:
        task = progress.add_task("episodes", total=min(len(source), config.episodes or len(source)))
        found = compute_statistics(
            source,
            fields=config.fields,
            episodes=config.episodes,
            done=lambda count: progress.update(task, completed=count),
        )
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(found.source)
    for field, values in found.fields.items():
        console.print(_table(field, values, _units(source, field)))
    if config.out is not None:
        write_json(config.out, found.to_dict(), indent=2)
        console.print(f"statistics: {config.out}")
    source.close()
    return 0


def _units(source: EpisodeSource, field: str) -> Mapping[str, str]:
    """Name of a dimension -> its unit, where the data set says what robot it is of."""
    try:
        robot = source.embodiment
    except (DatasetError, EmbodimentError):
        return {}
    dimensions = robot.state if field == "state" else robot.action.dimensions
    return {dimension.name: dimension.unit for dimension in dimensions}


def _table(field: str, values: FieldStatistics, units: Mapping[str, str]) -> Table:
    """One row for each dimension; those that never change, or hardly ever, are marked."""
    constant = Normaliser.from_statistics("minmax", values).constant
    marks = {name: "constant" for name, same in zip(values.names, constant, strict=True) if same}
    marks |= dict.fromkeys(values.outliers_only, "constant but for outliers")
    table = Table(title=f"{field}, {values.count} steps", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    table.add_column("unit")
    for column in ("min", "q01", "mean", "std", "q99", "max"):
        table.add_column(column, justify="right")
    if marks:
        table.add_column("")
    columns = (values.min, values.q01, values.mean, values.std, values.q99, values.max)
    for index, name in enumerate(values.names):
        mark = [marks.get(name, "")] if marks else []
        table.add_row(name, units.get(name, ""), *(f"{column[index]:.4g}" for column in columns), *mark)
    return table
