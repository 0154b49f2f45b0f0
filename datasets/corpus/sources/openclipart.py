"""Clip art of Debian's openclipart: pictures with titles, keywords and categories from their SVG files."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from embodio.datasets.corpus.encoding import facts, jpeg
from embodio.datasets.corpus.pictures import described_picture
from embodio.datasets.corpus.source import (
    CorpusItem,
    CorpusPlan,
    CorpusRequest,
    SourceAbsent,
    generator_of,
    shuffled,
)

FOLDER = Path("/usr/share/openclipart")
_LONGEST_SIDE = 256  # pixels
_COMMON_TITLE = 6  # a title of this many pictures is that of a collection
_FAMILY = re.compile(r"^part of |^clipart by |submission$|sibmission$|^various |collection by |theme$|iconset$", re.I)
_NOT_A_WORD = re.compile(r"^hash|0x[0-9a-f]|^\d+$|rollandin")
_OUTSIDE_WORDS = frozenset({"", "unsorted", "special", "clipart", "clip art", "magick", "theme", "svg", "png", "image"})
_STAR = re.compile(r"^star_(\d+)pt(\d+)step$")
_FIELDS = {
    "title": re.compile(r"<dc:title>([^<]*)"),
    "description": re.compile(r"<dc:description>([^<]*)"),
    "creator": re.compile(r"<dc:creator>.*?<dc:title>([^<]*)", re.S),
}
_FORMS = (
    "a drawing of {}",
    "clip art of {}",
    "a picture of {}",
    "an illustration of {}",
    "{} as clip art",
    "a simple drawing: {}",
    "{}, drawn on a white background",
)


@dataclass(frozen=True)
class OpenClipart:
    """The pictures of openclipart-png, described by the metadata of openclipart-svg.

    Attributes:
        folder: with the folders "png" and "svg".
    """

    folder: Path = FOLDER
    title: str = "clip art with titles, keywords and categories"
    licence: str = "public domain (Creative Commons public domain dedication)"
    ships: bool = True
    packages: tuple[str, ...] = ("openclipart-png", "openclipart-svg")
    layout: Literal["webdataset", "jsonl"] = "webdataset"
    shard_records: int = 500
    version: int = 2

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Lists the pictures that are described; raises SourceAbsent if a package is not installed."""
        pictures, drawings = self.folder / "png", self.folder / "svg"
        for folder, package in zip((pictures, drawings), self.packages, strict=True):
            if not folder.is_dir():
                raise SourceAbsent(f"{folder} is not there; the Debian package {package} brings it")
        left_out = Counter[str]()
        found = list(_described(pictures, drawings, left_out))
        titles = Counter(row["title"] for row in found)
        items = [
            CorpusItem(row["path"].replace(".", "_"), row | {"collection": titles[row["title"]] >= _COMMON_TITLE})
            for row in found
        ]
        return CorpusPlan(shuffled(items, request.limit), left_out)

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """The picture on white, captions in several forms, and the metadata."""
        data = item.data
        picture = described_picture(self.folder / "png" / f"{data['path']}.png", _LONGEST_SIDE)
        row = {"title": _subject(data), "keywords": _keywords(data), "category": _category(data)}
        return {"jpg": jpeg(picture), "txt": "\n".join(self.captions(item, seed)), "json": facts(row)}

    def captions(self, item: CorpusItem, seed: int) -> list[str]:
        """Several descriptions of one picture, each whole and different; the picture is not read."""
        subject, keywords, category = _subject(item.data), _keywords(item.data), _category(item.data)
        generator = generator_of(seed, item.key)
        forms = [_FORMS[index].format(_with_article(subject)) for index in generator.permutation(len(_FORMS))[:2]]
        lines = [subject, *forms]
        others = [word for word in keywords if word.lower() not in subject.lower()]
        if others:
            lines.append(f"{subject}; {', '.join(others[:6])}")
            lines.append(f"a drawing about {' and '.join(others[:2])}")
        if category not in _OUTSIDE_WORDS:
            lines.append(f"{category}: {subject}")
        return list(dict.fromkeys(lines))


def _described(pictures: Path, drawings: Path, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """Path and metadata of each picture, in the order of the paths; links lead to pictures that are there anyway."""
    for file in sorted(pictures.rglob("*.png")):
        drawing = drawings / file.relative_to(pictures).with_suffix(".svg")
        if file.is_symlink():
            left_out["links to other pictures"] += 1
        elif not drawing.is_file():
            left_out["pictures without an SVG file that describes them"] += 1
        else:
            text = drawing.read_bytes().decode("utf-8", "replace")
            block = text[max(0, text.find("<rdf:RDF")) : text.rfind("</rdf:RDF>")]
            row: dict[str, Any] = {"path": file.relative_to(pictures).with_suffix("").as_posix()}
            row |= {name: _clean(match[1]) if (match := at.search(block)) else "" for name, at in _FIELDS.items()}
            row["keywords"] = sorted({_words(word) for word in re.findall(r"<rdf:li>([^<]*)", block)})
            row["size"] = file.stat().st_size
            yield row


def _subject(data: Mapping[str, Any]) -> str:
    """What the picture shows: its title, or its file's name where the title is that of a collection."""
    title, stem = data["title"], data["path"].rsplit("/", 1)[-1]
    if star := _STAR.match(stem):
        return f"star with {int(star[1])} points, drawn in steps of {int(star[2])}"
    if title and not data["collection"] and not _FAMILY.search(title):
        return _words(title)
    name = _words(stem)
    author = _words(data["creator"]).lower()
    words = name.split()
    for cut in range(len(words) - 1, 0, -1):  # names end with that of the author, cut off somewhere
        if author.startswith(" ".join(words[cut:]).lower()):
            words = words[:cut]
            break
    collection = _words(title).removesuffix(" theme").removesuffix(" icons")
    is_icon = "icons" in data["keywords"] or "icon" in data["keywords"]
    name = " ".join(words)
    if is_icon and "icon" not in name.lower():
        name = f"{name} icon"
    return name if name else collection


def _with_article(subject: str) -> str:
    """The subject as a noun phrase: "an apple"; names, plurals and numbers stay."""
    first = subject.partition(" ")[0]
    is_noun = first.islower() and first.isalpha() and first not in ("a", "an", "the", "no")
    if not is_noun or (subject.endswith("s") and not subject.endswith("ss")):
        return subject
    return f"{'an' if first[0] in 'aeiou' else 'a'} {subject}"


def _keywords(data: Mapping[str, Any]) -> list[str]:
    found = [word for word in data["keywords"] if word not in _OUTSIDE_WORDS and not _NOT_A_WORD.search(word.lower())]
    return found[:12]


def _category(data: Mapping[str, Any]) -> str:
    return _words(data["path"].split("/")[0])


def _words(text: str) -> str:
    """A name of a file or a keyword as words: without numbers of files and other decoration."""
    text = re.sub(r"\.(svg|png)$", "", _clean(text))
    text = re.sub(r"[_\-]+", " ", text)
    return re.sub(r"\s+0*\d{1,2}$", "", " ".join(text.split())).strip(" .,:;")


def _clean(text: str) -> str:
    return " ".join(html.unescape(text).split())


SOURCE = OpenClipart()
