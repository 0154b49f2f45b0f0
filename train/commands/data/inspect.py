"""`embodio-data inspect`: what a data set holds, and a description proposed for one that has none."""

from __future__ import annotations

from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from embodio.datasets.conversion.inspect_source import instructions, propose
from embodio.datasets.episodes.feature_text import format_feature
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.episodes.side_files import data_folder
from embodio.datasets.episodes.source import EpisodeSource, some_episodes
from embodio.datasets.opening import open_source
from embodio.datasets.sources.description import Description, InstructionFields
from embodio.model.writing import write_text
from embodio.train.command_line.output_path import require_writable
from embodio.train.commands.data.schemas import InspectConfig


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
        if config.out is not None:
            console.print(f"out: nothing was written to {config.out}; {source.description.path} describes this data")
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


def _show_instructions(console: Console, source: EpisodeSource, described: InstructionFields | None) -> None:
    console.print("instructions in some of the episodes; those on one line are paraphrases:")
    for line in instructions(source, described):
        console.print(f"  {line}")


def _first(source: EpisodeSource) -> str:
    """The first episode with steps, and the number of its steps."""
    number, episode = next(some_episodes(source), (0, None))
    if episode is None:
        return "none of them has steps that can be read"
    return f"{'the first' if number == 0 else f'episode {number}'} has {len(episode)} steps"


def _described(description: Description) -> str:
    """A readable summary of a data set's YAML file."""
    lines = [description.about] if description.about else []
    if description.embodiment is not None:
        robot, action = description.embodiment, description.embodiment.action
        meaning = f"{action.mode}, frame {action.frame}, rotation {action.rotation}, gripper {action.gripper}"
        lines.append(f"robot: {robot.name}, {robot.control_hz:g} Hz; action: {meaning}")
    lines += [f"see: {place}" for place in description.see]
    return "\n".join([*lines, f"all of it: {description.path}"])
