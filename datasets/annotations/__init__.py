"""Formats of annotated files, found by listing this folder: how a file becomes annotations of a task family.

A format is one module with the format's name; a function `READ`: (file, folder of media, family, further settings as
keywords) -> items; and the names of the families that it opens as `FAMILIES`, empty for all.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodio.datasets.plug_ins import PlugIns, UnknownPlugInError

if TYPE_CHECKING:
    from embodio.datasets.annotations.parts.item import AnnotatedItem, Read
    from embodio.model.tasks.base.family import Family


class UnknownAnnotationFormatError(UnknownPlugInError):
    """An unknown name of a format of annotations; the message lists the known ones."""


_FORMATS = PlugIns(__name__, "READ", kind="annotation format", error=UnknownAnnotationFormatError)
_FAMILIES = PlugIns(__name__, "FAMILIES", kind="annotation format", error=UnknownAnnotationFormatError)


def annotation_formats() -> list[str]:
    """The names of all formats, in alphabetical order; nothing is imported."""
    return _FORMATS.names()


def annotation_reader(name: str) -> Read:
    """The reader of a format by its name; raises UnknownAnnotationFormatError."""
    reader: Read = _FORMATS.named(name)
    return reader


def families_of_format(name: str) -> tuple[str, ...]:
    """The names of the families that a format opens, empty for all; raises UnknownAnnotationFormatError."""
    found: tuple[str, ...] = _FAMILIES.named(name)
    return found


def read_annotations(
    name: str, file: Path, folder: Path, family: Family[Any], reading: Mapping[str, Any] | None = None
) -> Sequence[AnnotatedItem]:
    """The items of a file.

    Args:
        name: of the format.
        file: the annotations; a folder where the format says so.
        folder: of pictures, sounds and videos; no name in the annotations leads out of it.
        family: what the annotations are for.
        reading: further settings of the format by name, see its module.

    Raises:
        UnknownAnnotationFormatError: there is no such format.
        AnnotationError: the format does not open the family or has no such setting, or the file is not of the format.
    """
    from embodio.datasets.annotations.parts.item import AnnotationError

    reader, known = annotation_reader(name), families_of_format(name)
    if known and family.name not in known:
        raise AnnotationError(f"{file}: {name} has nothing for the family {family.name!r}; it opens {', '.join(known)}")
    parameters = inspect.signature(reader).parameters.values()
    settings = {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}
    for setting in reading or {}:
        if setting not in settings:
            listed = f"it has {', '.join(settings)}" if settings else "it has none"
            raise AnnotationError(f"{file}: {name} has no setting {setting!r}; {listed}")
    for setting, default in settings.items():
        if default is inspect.Parameter.empty and setting not in (reading or {}):
            raise AnnotationError(f"{file}: {name} needs the setting {setting!r}")
    return reader(file, folder, family, **(reading or {}))
