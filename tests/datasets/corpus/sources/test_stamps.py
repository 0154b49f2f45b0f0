"""Stamps: pictures with captions by language, voices with what they say, sounds of things."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from embodio.datasets.corpus.source import CorpusRequest, LeftOut, SourceAbsent
from embodio.datasets.corpus.sources.stamps import SOURCE, Stamps
from tests.support.datasets.debian_files import write_stamps


def test_pictures_voices_and_sounds(tmp_path: Path) -> None:
    source = Stamps(write_stamps(tmp_path))
    plan = source.plan(CorpusRequest(0))
    items = {item.key: item for item in plan.items}
    bird = "animals/birds/blackbird"
    assert set(items) == {
        *(bird, f"{bird}/sound", f"{bird}/en", f"{bird}/fr"),
        *("animals/birds/black_bird_2", "animals/cat"),
    }
    assert dict(plan.left_out) == {
        "pictures without a caption": 1,
        "names of things as speech, without a text": 1,
    }
    assert len({items[key].split for key in items if key.startswith(bird)}) == 1
    picture = source.make(items[bird], 0)
    assert picture["txt"] == "A blackbird." and set(picture) == {"jpg", "txt", "json"}
    facts = json.loads(picture["json"])
    assert facts["captions_by_language"] == {"de": "Eine Amsel.", "fr": "Un merle."}
    voice = source.make(items[f"{bird}/fr"], 0)
    assert json.loads(voice["json"])["transcript"] == "Un merle." and voice["flac"][:4] == b"fLaC"
    own = json.loads(source.make(items[f"{bird}/sound"], 0)["json"])
    assert own["kind"] == "sound" and "transcript" not in own


def test_drawings_need_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Stamps(write_stamps(tmp_path))
    cat = next(item for item in source.plan(CorpusRequest(0)).items if item.key == "animals/cat")
    load = builtins.__import__

    def without(name: str, *others: Any) -> Any:
        if name == "resvg_py":
            raise ImportError(name)
        return load(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LeftOut, match="extra `corpus`"):
        source.make(cat, 0)
    monkeypatch.undo()
    pytest.importorskip("resvg_py")
    assert source.make(cat, 0)["txt"] == "A cat."


def test_the_missing_package_is_named_and_nothing_ships(tmp_path: Path) -> None:
    assert not SOURCE.ships and SOURCE.licence == "GPL-2"
    with pytest.raises(SourceAbsent, match="tuxpaint-stamps-default"):
        Stamps(tmp_path / "none").plan(CorpusRequest(0))
