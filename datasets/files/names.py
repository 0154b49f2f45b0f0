"""Names of files that data or a server gives, checked before they become paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from embodio.datasets.errors import UnsafeName

_LONGEST = 255  # bytes of one part of a path, the limit of most file systems
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:")
_HALF = re.compile(r"[\ud800-\udfff]")  # of a character: JSON can hold it, the name of a file cannot
_SLOT = re.compile(r"\{(\w+)(?::0(\d)d)?\}", re.ASCII)


def relative(name: str, origin: object) -> PurePosixPath:
    """A name with slashes as a path below some folder; nothing is looked up.

    Args:
        name: as the data gives it.
        origin: the file or address that gives it, for the error.

    Raises:
        UnsafeName: it is absolute, leads upwards, or holds what only an attack or another system would put there.
    """
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or _FORBIDDEN.search(name) or not name.strip("./"):
        raise UnsafeName(origin, name, "is not that of a file inside the folder")
    if any(len(part.encode("utf-8", "surrogatepass")) > _LONGEST for part in parts) or _HALF.search(name):
        raise UnsafeName(origin, name, "is too long or not text")
    return PurePosixPath(name)


def inside(folder: Path, name: str, origin: object) -> Path:
    """The file or folder of that name below a folder; it need not exist.

    Links are followed only within the folder, and from a snapshot of the Hugging Face cache to its blobs.

    Args:
        folder: that may be read or written.
        name: with slashes, relative to the folder.
        origin: the file or address that gives the name, for the error.

    Raises:
        UnsafeName: it leads outside of the folder.
    """
    path = folder / relative(name, origin)
    leads_to, root = path.resolve(), folder.resolve()
    if not any(leads_to.is_relative_to(allowed) for allowed in (root, *_blobs(root))):
        raise UnsafeName(origin, name, f"leads through a link to {leads_to}; put the file itself into {folder}")
    return path


def filled(template: str, slots: Mapping[str, int | str], origin: object) -> str:
    """A template such as "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet" with its slots filled in.

    Args:
        template: as the data gives it; numbers may ask for up to 9 digits, nothing else is understood.
        slots: name -> a number, or a text that is one part of a path.
        origin: the file that gives the template, for the error.

    Returns:
        A name that is relative and leads nowhere upwards.

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


def _blobs(root: Path) -> list[Path]:
    """Where the files of a snapshot of the Hugging Face cache lie, which holds links to them."""
    return [
        revision.parents[1] / "blobs"
        for revision in (root, *root.parents)
        if revision.parent.name == "snapshots" and "--" in revision.parent.parent.name
    ]
