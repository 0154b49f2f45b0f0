"""Members: named parts of one record, such as the files KEY.jpg, KEY.txt and KEY.json of a tar or a folder.

The suffix says what a member is. A suffix of two parts is a further annotation: KEY.depth.png is the fact "depth".

    jpg png webp ...          image         view0.jpg view1.jpg ...   views
    wav flac ogg mp3 ...      sound         transcript.txt            transcript
    mp4 webm mkv ...          video         txt caption               captions, one a line; text where there is
    json                      facts         npy                       an array   no image, sound or video

Of the JSON, "text", "caption", "captions", "transcript", "document" and "views" go into those parts of the record, and
everything else is a fact. Pickles are never read.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError
from embodio.datasets.records.decoding import (
    IMAGES,
    SOUNDS,
    VIDEOS,
    image_media,
    numbers_of_image,
    sound_media,
    video_media,
)
from embodio.datasets.records.record import Media, Record, View
from embodio.datasets.records.settings import Origin, RecordSettings, refuse
from embodio.model.example import Image

_TEXTS = ("txt", "text", "caption", "captions")
_VIEW = re.compile(r"view_?(\d+)\.(\w+)")


@dataclass(frozen=True)
class Member:
    """A part of a record.

    Attributes:
        read: returns its bytes; raises CorruptRecordError.
        origin: for errors.
    """

    read: Callable[[], bytes]
    origin: Origin


def is_member(suffix: str) -> bool:
    """Whether a suffix in lower case means anything here."""
    last = suffix.rpartition(".")[2]
    return last in (*IMAGES, *SOUNDS, *VIDEOS, *_TEXTS, "json", "npy", "cls", "transcript")


def split_name(name: str, *, at_first: bool) -> tuple[str, str]:
    """Key and suffix of a file name with slashes; the suffix is in lower case and without its dot.

    Args:
        name: such as "cats/a.depth.png".
        at_first: whether the key ends at the first dot, as in tars. In folders, where names of files may hold any dots,
            only the suffixes known here are taken off.
    """
    folder, slash, base = name.rpartition("/")
    if at_first:
        stem, _, suffix = base.partition(".")
        return f"{folder}{slash}{stem}", suffix.lower()
    stem, _, last = base.rpartition(".")
    before, dot, kind = stem.rpartition(".")
    compound = kind.lower() in ("depth", "masks", "normals", "transcript") or _VIEW.fullmatch(f"{kind.lower()}.x")
    if dot and compound:
        return f"{folder}{slash}{before}", f"{kind}.{last}".lower()
    return f"{folder}{slash}{stem}", last.lower()


def record_of_members(key: str, members: Mapping[str, Member], settings: RecordSettings) -> Record:
    """Makes a record; media are decoded when they are needed.

    Args:
        key: of the record.
        members: by suffix in lower case.
        settings: limits.

    Raises:
        CorruptRecordError: a text or the JSON is damaged.
    """
    parts: dict[str, Any] = {"key": key}
    facts: dict[str, Any] = {}
    lines: list[str] = []
    for suffix, member in members.items():
        kind, _, last = suffix.rpartition(".")
        if suffix == "json":
            loaded = _json(member)
            facts |= loaded if isinstance(loaded, dict) else {"json": loaded}
        elif suffix in _TEXTS:
            lines += text_of(member.read(), member.origin).splitlines()
        elif suffix in ("transcript", "transcript.txt"):
            parts["transcript"] = text_of(member.read(), member.origin).strip()
        elif last in _TEXTS or last == "cls":
            facts[kind or last] = text_of(member.read(), member.origin).strip()
        elif last == "npy":
            facts[kind or last] = Media(lambda member=member: _array(member))  # type: ignore[misc]
        elif not kind and (made := _media(last, member, settings)):
            parts.setdefault(*made)
        elif kind and not _VIEW.fullmatch(suffix):
            facts |= _annotation(kind, last, member, settings)
    parts["views"] = _views(members, facts, settings)
    _spread(parts, facts, lines, members, settings)
    return Record(**parts, facts=facts)


def text_of(data: bytes, origin: Origin) -> str:
    """Bytes as text; raises CorruptRecordError if they are not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"{origin.place}: not text in UTF-8 ({error.reason} at its byte {error.start})"
        raise CorruptRecordError(origin.path, origin.record, problem, "Convert it to UTF-8") from error


def document_of(
    parts: Sequence[Any], image: Callable[[Any], Media[Image] | None], origin: Origin
) -> tuple[str | Media[Image], ...]:
    """Interleaved texts and images.

    Args:
        parts: texts, and {"text": ...} or {"image": ...}.
        image: the image that the value of "image" means; None if there is none.
        origin: for errors.

    Raises:
        CorruptRecordError: a part is something else, or an image is missing.
    """
    found: list[str | Media[Image]] = []
    for part in parts:
        text = part if isinstance(part, str) else part.get("text") if isinstance(part, Mapping) else None
        if isinstance(text, str):
            found.append(text)
            continue
        media = image(part["image"]) if isinstance(part, Mapping) and part.get("image") is not None else None
        if media is None:
            refuse(origin, f"the document has a part that is neither text nor an image of the record: {part!r:.80}")
        found.append(media)
    return tuple(found)


def _spread(
    parts: dict[str, Any],
    facts: dict[str, Any],
    lines: Sequence[str],
    members: Mapping[str, Member],
    settings: RecordSettings,
) -> None:
    """Takes captions, texts and documents out of the facts, and lines of text to where they belong."""
    captions = [line.strip() for line in lines if line.strip()]
    for name in ("caption", "captions"):
        value = facts.pop(name, ())
        several = [value] if isinstance(value, str) else value if isinstance(value, list) else ()
        captions += [one.strip() for one in several if isinstance(one, str) and one.strip()]
    has_media = bool(parts.keys() & {"image", "sound", "video"} or parts["views"])
    parts["captions"] = tuple(dict.fromkeys(captions)) if has_media else ()
    parts["text"] = str(facts.pop("text", "") or ("" if has_media else "\n".join(lines).strip()))
    if isinstance(facts.get("transcript"), str):
        parts.setdefault("transcript", facts.pop("transcript"))
    if isinstance(facts.get("document"), list):
        origin = members["json"].origin

        def image(name: Any) -> Media[Image] | None:
            member = members.get(str(name).lower())
            return None if member is None else image_media(member.read, member.origin, settings)

        parts["document"] = document_of(facts.pop("document"), image, origin)


def _media(suffix: str, member: Member, settings: RecordSettings) -> tuple[str, Media[Any]] | None:
    """The name of a part of a record and its media, if a suffix is that of media."""
    if suffix in IMAGES:
        return "image", image_media(member.read, member.origin, settings)
    if suffix in SOUNDS:
        return "sound", sound_media(member.read, member.origin, settings)
    if suffix in VIDEOS:
        return "video", video_media(member.read, member.origin, settings)
    return None


def _annotation(kind: str, last: str, member: Member, settings: RecordSettings) -> dict[str, Any]:
    """A fact: an image as its own numbers, or other media."""
    if last in IMAGES:
        return {kind: Media(lambda: numbers_of_image(member.read(), member.origin, settings))}
    made = _media(last, member, settings)
    return {} if made is None else {kind: made[1]}


def _views(members: Mapping[str, Member], facts: dict[str, Any], settings: RecordSettings) -> tuple[View, ...]:
    """The views in the order of their numbers, with poses and intrinsics from the JSON's list "views"."""
    found = {int(match[1]): members[suffix] for suffix in members if (match := _VIEW.fullmatch(suffix))}
    known = facts.pop("views", ()) if found else ()
    views = []
    for place, number in enumerate(sorted(found)):
        facts_of = known[place] if isinstance(known, list) and place < len(known) else {}
        member = found[number]
        views.append(
            View(
                image=image_media(member.read, member.origin, settings),
                pose=_matrix(facts_of, "pose", 4, member.origin),
                intrinsics=_matrix(facts_of, "intrinsics", 3, member.origin),
            )
        )
    return tuple(views)


def _matrix(values: Any, name: str, size: int, origin: Origin) -> npt.NDArray[np.float64] | None:
    value = values.get(name) if isinstance(values, dict) else None
    if value is None:
        return None
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        refuse(origin, f"{name} of a view is not made of numbers", error)
    if matrix.shape != (size, size) or not np.isfinite(matrix).all():
        refuse(origin, f"{name} of a view is not {size} x {size} numbers")
    return matrix


def _json(member: Member) -> Any:
    text = text_of(member.read(), member.origin)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        refuse(member.origin, f"not JSON ({error})", error)


def _array(member: Member) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(io.BytesIO(member.read()), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        refuse(member.origin, f"the array cannot be read ({error})", error)
    return array
