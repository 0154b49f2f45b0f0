"""openclipart: what the captions say, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from embodio.datasets.corpus.source import CorpusRequest, LeftOut, SourceAbsent
from embodio.datasets.corpus.sources.openclipart import OpenClipart
from tests.support.datasets.debian_files import add_clipart, drawn


def sample(source: OpenClipart, path: str) -> tuple[dict[str, object], list[str]]:
    item = next(item for item in source.plan(CorpusRequest(0)).items if item.data["path"] == path)
    made = source.make(item, 0)
    assert {type(content) for content in (made["jpg"],)} == {bytes}
    return json.loads(made["json"]), str(made["txt"]).splitlines()


def test_titles_keywords_and_category_become_captions(tmp_path: Path) -> None:
    add_clipart(tmp_path, "animals/birds/owl_ann_a_01", "snowy owl", ("bird", "night", "hash(0x8a0916c)", ""))
    facts, lines = sample(OpenClipart(tmp_path), "animals/birds/owl_ann_a_01")
    assert facts == {"title": "snowy owl", "keywords": ["bird", "night"], "category": "animals"}
    assert lines[0] == "snowy owl" and len(lines) == len(set(lines)) >= 5
    assert "a drawing about bird and night" in lines and "animals: snowy owl" in lines
    assert sum("a snowy owl" in line for line in lines) == 2  # with the article, in two of the forms


def test_titles_of_collections_give_way_to_names_of_files(tmp_path: Path) -> None:
    for index, name in enumerate(("brown_fox_ann_artis_01", "star_53pt08step", "tea_pot", "kettle", "cup", "jug")):
        icon = ("icons",) if name == "tea_pot" else ()
        add_clipart(tmp_path, f"special/{name}", "Some Collection", icon, size=(20 + index, 30))
    source = OpenClipart(tmp_path)
    assert sample(source, "special/brown_fox_ann_artis_01")[1][0] == "brown fox"
    assert sample(source, "special/star_53pt08step")[1][0] == "star with 53 points, drawn in steps of 8"
    facts, lines = sample(source, "special/tea_pot")
    assert facts["title"] == "tea pot icon"
    assert not any("special" in line for line in lines)


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    add_clipart(tmp_path, "food/pear", "pear")
    drawn(tmp_path / "png/food/undescribed.png")
    (tmp_path / "png/food/again.png").symlink_to("pear.png")
    plan = OpenClipart(tmp_path).plan(CorpusRequest(0))
    assert [item.key for item in plan.items] == ["food/pear"]
    assert dict(plan.left_out) == {
        "links to other pictures": 1,
        "pictures without an SVG file that describes them": 1,
    }
    (tmp_path / "png/food/pear.png").write_bytes(b"damaged")
    with pytest.raises(LeftOut, match="decoded"):
        OpenClipart(tmp_path).make(plan.items[0], 0)


def test_the_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceAbsent, match="openclipart-png"):
        OpenClipart(tmp_path).plan(CorpusRequest(0))
    drawn(tmp_path / "png/food/pear.png")
    with pytest.raises(SourceAbsent, match="openclipart-svg"):
        OpenClipart(tmp_path).plan(CorpusRequest(0))


def test_pictures_that_readers_refuse_as_too_small_are_left_out(tmp_path: Path) -> None:
    sizes = {"narrow": (7, 30), "long": (900, 20), "small": (8, 8)}
    for name, size in sizes.items():
        add_clipart(tmp_path, f"food/{name}", name)
        Image.effect_noise(size, 90).convert("RGBA").save(tmp_path / f"png/food/{name}.png")
    source = OpenClipart(tmp_path)
    items = {item.key: item for item in source.plan(CorpusRequest(0)).items}
    for name in ("narrow", "long"):
        with pytest.raises(LeftOut, match="less than 8 pixels"):
            source.make(items[f"food/{name}"], 0)
    assert source.make(items["food/small"], 0)["jpg"]
