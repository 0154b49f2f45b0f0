"""Miniatures of what Debian's packages install: clip art, a dictionary, stamps; drawn and written by hand."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

GLOSSES = {
    "noun": (
        '00001740 03 n 01 entity 0 001 ~ 00001930 n 0000 | that which exists; "an entity of its own"  ',
        "02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 001 @ 02083346 n 0000 | a tame wolf  ",
    ),
    "verb": ('00001740 29 v 01 breathe 0 001 ~ 1 v 0000 01 + 02 00 | draw air into the lungs; "Breathe!"  ',),
    "adj": ("00001740 00 a 02 able(p) 0 fit 1 001 = 1 n 0000 | having what it takes  ",),
    "adv": ("00001740 02 r 01 well 0 000 | in a good way  ",),
}
_SORTS = ("large", "small", "old", "new", "round", "flat", "soft")
_NOUNS = ("owl", "fox", "pear", "plum", "cat", "loaf", "fish", "cake", "horse", "leek", "hen")
_SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg"><metadata><rdf:RDF><cc:Work>
<dc:title>{title}</dc:title><dc:description>a description</dc:description>
<dc:subject><rdf:Bag><rdf:li>hash</rdf:li>{keywords}</rdf:Bag></dc:subject>
<dc:creator><cc:Agent><dc:title>{creator}</dc:title></cc:Agent></dc:creator>
</cc:Work></rdf:RDF></metadata><g/></svg>"""


def drawn(path: Path, size: tuple[int, int] = (40, 30), colour: str = "red") -> Path:
    """A picture file with a disc on a transparent ground."""
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((4, 4, size[0] - 5, size[1] - 5), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


def add_clipart(
    root: Path,
    path: str,
    title: str,
    keywords: Sequence[str] = (),
    creator: str = "Ann Artist",
    size: tuple[int, int] = (40, 30),
) -> None:
    """One picture of openclipart-png with its description in openclipart-svg."""
    drawn(root / "png" / f"{path}.png", size)
    svg = root / "svg" / f"{path}.svg"
    svg.parent.mkdir(parents=True, exist_ok=True)
    items = "".join(f"<rdf:li>{word}</rdf:li>" for word in keywords)
    svg.write_text(_SVG.format(title=title, keywords=items, creator=creator), encoding="utf-8")


def write_clipart(root: Path, count: int = 40) -> Path:
    """Many pictures in two categories."""
    generator = np.random.default_rng(0)
    for index in range(count):
        category = ("animals", "food")[index % 2]
        size = (int(generator.integers(20, 60)), 30)
        title = f"{_SORTS[index % 7]} {_NOUNS[index % 11]}"
        add_clipart(root, f"{category}/thing_{index}", title, (category, "drawing"), size=size)
    return root


def write_stamps(root: Path) -> Path:
    """Two stamps, one with voices and its own sound, and a drawing in SVG."""
    sound = (0.5 * np.sin(np.arange(8000) / 12) * 32767).astype("<i2")
    captions = "A blackbird.\nde.utf8=Eine Amsel.\nfr.utf8=Un merle.\nxx.utf8=\n"
    for name in ("birds/blackbird", "birds/black_bird_2"):
        drawn(root / f"animals/{name}.png")
        (root / f"animals/{name}.txt").write_text(captions, encoding="utf-8")
    for tail in ("", "_desc", "_desc_fr", "_de"):
        with wave.open(str(root / f"animals/birds/blackbird{tail}.ogg"), "wb") as file:  # any format that can be read
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(sound.tobytes())
    disc = '<circle cx="32" cy="24" r="20" fill="blue"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48">{disc}</svg>'
    (root / "animals/cat.svg").write_text(svg, encoding="utf-8")
    (root / "animals/cat.txt").write_text("A cat.\nde.utf8=Eine Katze.\n", encoding="utf-8")
    drawn(root / "animals/nameless.png")
    return root


def write_wordnet(root: Path) -> Path:
    """A few lines of each data file, behind the lines of the licence."""
    root.mkdir(parents=True, exist_ok=True)
    for kind, lines in GLOSSES.items():
        text = "\n".join(["  1 This software and database is | provided", *lines, ""])
        (root / f"data.{kind}").write_text(text, encoding="utf-8")
    return root
