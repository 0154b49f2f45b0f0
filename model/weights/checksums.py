"""SHA256SUMS: the sha256 of every file of a checkpoint, in the format that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from embodio.model.errors import WeightsError
from embodio.model.writing import write_text

SUMS_FILE = "SHA256SUMS"

_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\x00-\x1f\\]+)")


class ChecksumError(WeightsError):
    """A file of a checkpoint does not match its checksum."""


def sums_command(folder: Path) -> str:
    """The shell command that writes SHA256SUMS in a folder, for people."""
    deep = any(path.is_dir() for path in folder.iterdir())
    return f"find * -type f -exec sha256sum {{}} + > {SUMS_FILE}" if deep else f"sha256sum * > {SUMS_FILE}"


def _remedy(folder: Path) -> str:
    return (
        f"fetch or save the checkpoint again. After a change that you made on purpose, `rm {SUMS_FILE} && "
        f"{sums_command(folder)}` in that folder writes the checksums again"
    )


def sha256_of(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path, names: Iterable[str] | None = None) -> None:
    """Writes the checksums of a folder's files.

    Args:
        folder: holds the files.
        names: of the files that were written just now; what is known of the others stays. None takes every file, also
            in sub-folders, whose name does not begin with a dot.
    """
    path = folder / SUMS_FILE
    if names is None:
        files = (file for file in folder.rglob("*") if file.is_file() and file.name[0] != ".")
        known, names = {}, [file.relative_to(folder).as_posix() for file in files]
    else:
        known = {name: digest for name, digest in (read_sums(folder) or {}).items() if (folder / name).is_file()}
    known |= {name: sha256_of(folder / name) for name in names if name != SUMS_FILE}
    write_text(path, "".join(f"{known[name]}  {name}\n" for name in sorted(known)))


def read_sums(folder: Path) -> dict[str, str] | None:
    """Name of a file -> its sha256 as SHA256SUMS says; None where the folder has no such file.

    Raises:
        ChecksumError: the file is damaged.
    """
    path = folder / SUMS_FILE
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ChecksumError(f"{path} is damaged: it is not text; {_remedy(folder)}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            raise ChecksumError(
                f"{path} is damaged: line {number} is not `<sha256>  <file>`, each once; {_remedy(folder)}"
            )
        found[match[2]] = match[1]
    return found


def check_sums(folder: Path, names: Iterable[str]) -> Mapping[str, str] | None:
    """Compares files that are about to be read with the checksums that were saved with them.

    Args:
        folder: holds the files, and SHA256SUMS unless it was saved before there were checksums.
        names: of files that are there.

    Returns:
        The sha256 of each file; None where the folder has no SHA256SUMS, so that nothing was compared.

    Raises:
        ChecksumError: a file is another one than was saved, or the checksums do not mention it; names the file and the
            remedy.
    """
    known = read_sums(folder)
    if known is None:
        return None
    for name in names:
        if name not in known:
            raise ChecksumError(
                f"{folder / name} does not belong to this checkpoint ({SUMS_FILE} lacks it); {_remedy(folder)}"
            )
        if (found := sha256_of(folder / name)) != known[name]:
            raise ChecksumError(
                f"{folder / name} is damaged or not the file that was saved with this checkpoint: its sha256 is "
                f"{found[:12]}..., {SUMS_FILE} says {known[name][:12]}...; {_remedy(folder)}"
            )
    return {name: known[name] for name in names}
