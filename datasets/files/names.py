"""File names given by data or a server, checked before they become paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from embodio.datasets.errors import UnsafeName
from embodio.model.file_names import fault_of_name, outside_of

_SLOT = re.compile(r"\{(\w+)(?::0(\d)d)?\}", re.ASCII)


def relative(name: str, origin: object) -> PurePosixPath:
    """A name with slashes as a relative path; the file system is not consulted.

    Args:
        name: as the data gives it.
        origin: the file or address that gives it, for the error.

    Raises:
        UnsafeName: it is absolute, leads upwards, or holds characters that only an attack or another system would use.
    """
    if fault := fault_of_name(name):
        raise UnsafeName(origin, name, fault)
    return PurePosixPath(name)


def inside(folder: Path, name: str, origin: object) -> Path:
    """The file or folder of that name below a folder; it need not exist.

    Links are followed only within the folder, and from a snapshot of the Hugging Face cache to its blobs.

    Args:
        folder: the folder that may be read or written.
        name: with slashes, relative to the folder.
        origin: the file or address that gives the name, for the error.

    Raises:
        UnsafeName: it leads outside of the folder.
    """
    path = folder / relative(name, origin)
    if leads_to := outside_of(folder, path):
        raise UnsafeName(origin, name, f"leads through a link to {leads_to}; put the file itself into {folder}")
    return path


def filled(template: str, slots: Mapping[str, int | str], origin: object) -> str:
    """A template such as "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet" with its slots filled in.

    Args:
        template: as the data gives it; numbers may have a width of up to 9 digits, and nothing else is supported.
        slots: name -> a number, or a text that is one part of a path.
        origin: the file that gives the template, for the error.

    Returns:
        A relative name that does not lead upwards.

    Raises:
        UnsafeName: the template has other slots, or its result is not such a name.
    """

    def fill(found: re.Match[str]) -> str:
        value = slots.get(found[1])
        if value is None or (found[2] and not isinstance(value, int)):
            raise UnsafeName(origin, template, f"has the slot {found[0]}; known are {', '.join(slots)}")
        if isinstance(value, str) and ("/" in value or "{" in value or "}" in value):
            raise UnsafeName(origin, value, f"is not one part of a path, as {found[0]} of {template!r} needs it")
        return f"{value:0{int(found[2] or 1)}d}" if isinstance(value, int) else value

    name = _SLOT.sub(fill, template)
    if "{" in name or "}" in name:
        raise UnsafeName(origin, template, f"is not a template of {', '.join(slots)}")
    return relative(name, origin).as_posix()
