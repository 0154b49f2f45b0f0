"""`embodio-data prompts`: the wordings of every family of tasks, filled in, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from embodio.datasets.errors import DatasetError
from embodio.model.tasks.families import families, family_named
from embodio.model.tasks.prompts.filling import fill
from embodio.model.tasks.prompts.linting import lint_prompts
from embodio.model.tasks.prompts.wording import FOLDERS, Wordings, read_wordings
from embodio.train.commands.data.schemas import PromptsConfig


def prompts(config: PromptsConfig) -> int:
    """Lists families, groups and wordings, and their faults; returns the exit code, 1 if there is a fault."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    files = _files(config.source)
    if config.family is not None:
        family_named(config.family)
        files = [file for file in files if file.stem == config.family]
        if not files:
            raise DatasetError(f"family={config.family}: {config.source} has no file {config.family}.yaml")
    faults = lint_prompts(files, whole=config.source is None and config.family is None)
    faulty = {fault.name for fault in faults}
    groups = {
        name: wordings
        for file in files
        if file.stem in families() and not any(name.partition(".")[0] in (file.stem, file.name) for name in faulty)
        for name, wordings in read_wordings(file).items()
    }
    count = config.examples if config.examples is not None else (100 if config.family is not None else 1)
    _show(console, groups, count)
    for fault in faults:
        console.print(Text(str(fault), style="red"))
    wordings = sum(len(one.training) + len(one.held_out) for one in groups.values())
    told = f"{len(groups)} groups of {len({name.partition('.')[0] for name in groups})} families, {wordings} wordings"
    console.print(f"{told}; " + (f"{len(faults)} faults" if faults else "no faults"))
    return 1 if faults else 0


def _files(source: Path | None) -> Sequence[Path]:
    """The files of wordings of a file or a folder; those of the package for None."""
    if source is None:
        return [file for folder in FOLDERS for file in sorted(folder.glob("*.yaml"))]
    found = sorted(source.glob("*.yaml")) if source.is_dir() else [source]
    if not found or not found[0].is_file():
        raise DatasetError(f"source: {source} is not a YAML file of wordings or a folder with some")
    return found


def _show(console: Console, groups: Mapping[str, Wordings], examples: int) -> None:
    """A table of groups, with wordings filled in."""
    table = Table("family.group", "wordings", "held out", "for example")
    for name, wordings in groups.items():
        shown = [_filled(name, str(text)) for text in wordings.training[:examples]]
        if examples > 1:
            shown += [f"(held out) {_filled(name, str(text))}" for text in wordings.held_out[:examples]]
        table.add_row(name, str(len(wordings.training)), str(len(wordings.held_out)), Text("\n".join(shown)))
    if groups:
        console.print(table)


def _filled(name: str, wording: str) -> str:
    """A wording with the examples of its family in its slots; value tokens are in square brackets."""
    family, _, group = name.partition(".")
    return str(fill(wording, **families()[family].groups[group.partition("/")[0]])[0])
