"""Untrusted file names from data, servers or checkpoints: checks that they are safe as paths."""

from __future__ import annotations

import re
from pathlib import Path

_LONGEST = 255  # bytes of one part of a path, the limit of most file systems
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:")
_HALF = re.compile(r"[\ud800-\udfff]")  # of a character: JSON can hold it, the name of a file cannot


def fault_of_name(name: str) -> str:
    """Why a name with slashes is unsafe as a path below a folder, as the end of a sentence; "" if it is safe.

    Refuses absolute names, names that lead upwards, and characters that only an attack or another system would use.
    """
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or _FORBIDDEN.search(name) or not name.strip("./"):
        return "is not that of a file inside the folder"
    if any(len(part.encode("utf-8", "surrogatepass")) > _LONGEST for part in parts) or _HALF.search(name):
        return "is too long or not text"
    return ""


def outside_of(folder: Path, path: Path) -> Path | None:
    """The target of a path below a folder if links lead outside of it; None if it stays inside.

    The files of a snapshot of the Hugging Face cache are links to its blobs, which count as inside.
    """
    leads_to, root = path.resolve(), folder.resolve()
    inside = any(leads_to.is_relative_to(allowed) for allowed in (root, *_blobs(root)))
    return None if inside else leads_to


def _blobs(root: Path) -> list[Path]:
    """The blob folders of a snapshot of the Hugging Face cache, to which its links lead."""
    return [
        revision.parents[1] / "blobs"
        for revision in (root, *root.parents)
        if revision.parent.name == "snapshots" and "--" in revision.parent.parent.name
    ]
