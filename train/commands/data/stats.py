"""`embodio-data stats`: statistics of a data set's numbers, as tables and as a file."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from embodio.datasets.engines import Crew, named_engine
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.progress import counted
from embodio.envs.errors import EmbodimentError
from embodio.model.tokens.statistics import FieldStatistics, Normaliser
from embodio.model.writing import write_json
from embodio.train.command_line.output_path import require_writable
from embodio.train.commands.data.schemas import StatsConfig

_WIDTH = 120  # characters in a line of a table that goes into a file


def stats(config: StatsConfig) -> int:
    """Computes, shows and perhaps writes the statistics; returns the exit code."""
    if config.out is not None:
        require_writable(config.out)
    source = open_source(config.source, folder=config.folder, split=config.split)
    progress_console = Console(stderr=True, highlight=False)
    with counted("episodes", min(len(source), config.episodes or len(source)), progress_console) as done:
        crew = Crew(named_engine(config.engine), config.workers)
        found = compute_statistics(source, fields=config.fields, episodes=config.episodes, done=done, crew=crew)
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
    """Name of a dimension -> its unit, if the data set describes its robot."""
    try:
        robot = source.embodiment
    except (DatasetError, EmbodimentError):
        return {}
    dimensions = robot.state if field == "state" else robot.action.dimensions
    return {dimension.name: dimension.unit for dimension in dimensions}


def _table(field: str, values: FieldStatistics, units: Mapping[str, str]) -> Table:
    """One row for each dimension; those that never or hardly ever change are marked."""
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
