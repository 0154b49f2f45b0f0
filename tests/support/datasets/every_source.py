"""One small data set of every kind that `open_source` reads, for tests that hold for all of them."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.opening import open_source
from tests.support.datasets.array_record_files import as_array_record
from tests.support.datasets.rich_data import write_rich
from tests.support.datasets.robomimic_files import write_robomimic
from tests.support.datasets.toy import write_toy_dataset
from tests.support.datasets.vima_files import write_episode


def _toy(folder: Path) -> Path:
    return write_toy_dataset(folder / "toy", episodes=3, steps=3)


def _array_record(folder: Path) -> Path:
    as_array_record(_toy(folder))
    return folder / "toy"


def _lerobot(folder: Path, images: str) -> Path:
    convert(open_source(_toy(folder)), folder / "lerobot", ConversionSettings("lerobot", images=images))
    return folder / "lerobot"


def _lerobot_of_others(folder: Path) -> Path:
    out = _lerobot(folder, "png")
    (out / "meta" / "embodio.json").unlink()
    return out


def _vima(folder: Path) -> Path:
    for number in range(2):
        write_episode(folder / "vima" / "rotate" / f"{number:06d}", number + 1, number)
    return folder / "vima"


def _vima_tar(folder: Path) -> Path:
    with tarfile.open(folder / "rotate.tar", "w") as archive:
        archive.add(_vima(folder) / "rotate", "rotate")
    return folder / "rotate.tar"


def _described(folder: Path) -> Path:
    path = folder / "square.yaml"
    files = write_robomimic(folder / "square.hdf5")
    path.write_text(propose(open_source(files), files))
    return path


KINDS: dict[str, Callable[[Path], Path | str]] = {
    "rlds": _toy,
    "rlds with fields of every kind": lambda folder: write_rich(folder / "rich"),
    "rlds in array_record": _array_record,
    "rlds behind a url": lambda folder: f"file://{_toy(folder)}",
    "lerobot with videos": lambda folder: _lerobot(folder, "video"),
    "lerobot with images": lambda folder: _lerobot(folder, "png"),
    "lerobot of others": _lerobot_of_others,
    "hdf5": lambda folder: write_robomimic(folder / "square.hdf5"),
    "vima": _vima,
    "vima in a tar": _vima_tar,
    "described": _described,
}
