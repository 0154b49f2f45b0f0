"""Formats of annotated files, found by listing this folder: how a file becomes annotations of a task family.

A format is one module with the format's name and a function `READ`: (file, folder of media, family) -> items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodio.datasets.plug_ins import PlugIns, UnknownPlugInError

if TYPE_CHECKING:
    from embodio.datasets.annotations.parts.item import Read


class UnknownAnnotationFormatError(UnknownPlugInError):
    """An unknown name of a format of annotations; the message lists the known ones."""


_FORMATS = PlugIns(__name__, "READ", kind="annotation format", error=UnknownAnnotationFormatError)


def annotation_formats() -> list[str]:
    """The names of all formats, in alphabetical order; nothing is imported."""
    return _FORMATS.names()


def annotation_reader(name: str) -> Read:
    """The reader of a format by its name; raises UnknownAnnotationFormatError."""
    reader: Read = _FORMATS.named(name)
    return reader
