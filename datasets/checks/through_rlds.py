"""The check of RLDS data against tfds and rlds: counts, lengths, and the first and last steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from embodio.datasets.checks.finding import Finding
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.sources.mapped import MappedSource
from embodio.datasets.tfds.process import run_program


def check_through_rlds(
    source: EpisodeSource, episodes: int = 0, *, done: Callable[[int], None] = lambda count: None
) -> list[Finding]:
    """Has tfds and rlds read a data set in a separate process, and compares that with what is read here.

    Args:
        source: RLDS data on this machine, perhaps seen through a description.
        episodes: how many to compare from the start; 0 compares all.
        done: called after each with the number of episodes done so far.

    Raises:
        MissingExtra: TensorFlow, tfds or rlds is not installed.
        DatasetError: the data is not RLDS or not whole on this machine, or tfds cannot read it.
    """
    reader = source.base if isinstance(source, MappedSource) else source
    if not isinstance(reader, RLDSReader):
        raise DatasetError(f"with=rlds: {source.name} is not RLDS data; `embodio-data convert` makes such a copy")
    if not isinstance(reader.location, Path):
        raise DatasetError(f"with=rlds: {reader.location} is not on this machine; fetch it first")
    if reader.missing:
        raise DatasetError(f"with=rlds: {'; '.join(reader.missing)}; fetch them first, or choose another split")
    count = min(len(reader), episodes or len(reader))
    request = {"folder": str(reader.location), "split": reader.split, "episodes": count}
    findings = []
    for found in run_program("compare", request, done):
        if found["differences"]:
            remedy = "other programs read this data otherwise: write it again, or report what differs"
            findings.append(Finding(found["check"], "warning", "; ".join(found["differences"]), remedy))
        else:
            findings.append(Finding(found["check"], "ok", found["compared"]))
    return findings
