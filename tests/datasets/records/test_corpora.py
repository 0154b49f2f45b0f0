"""Configs of corpora: the shares of the paper, sources that are missing, and the mixture that the rest makes."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from embodio.datasets.errors import DatasetError, NoSuchFiles
from embodio.datasets.objectives import named_objective, objective_names
from embodio.datasets.objectives.multimodal import MultimodalConfig
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.settings import TextSettings
from embodio.datasets.records.corpora import Corpora, HeldOut, corpora_names
from embodio.datasets.records.opening import record_readers
from embodio.datasets.records.record import Record
from embodio.datasets.stream.mixture import BLOCK
from embodio.model import ModelConfig, Vocabulary
from tests.support.datasets.corpora import RecordList

CONTEXT = ObjectiveContext(ModelConfig.named("nano"), Vocabulary.default())
TABLE_10 = {  # paper, appendix: share of each group in percent
    "text": 33.0, "image_text": 31.3, "video": 25.0, "interleaved": 8.70, "multi_view": 0.67, "trajectories": 0.33,
    "synthetic": 1.0,
}  # fmt: skip
OBJECTIVES = {"multimodal", *objective_names()}


def source(group: str, path: str, rate: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"group": group, "rate": rate, "path": path, "title": "t", "origin": "the web", "licence": "CC0"} | more


def config(**sources: dict[str, Any]) -> dict[str, Any]:
    text = {"rate": 3, "objectives": {"denoise_text": 1}}
    groups = {"text": text, "more": {"rate": 1, "objectives": {"denoise_text": 1}}}
    return {"groups": groups, "sources": sources}


def load(tmp_path: Path, content: Any) -> Corpora:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return Corpora.load(path)


def write(folder: Path, split: str, count: int) -> None:
    (folder / split).mkdir(parents=True)
    lines = [json.dumps({"text": f"{folder.name} {split} {number} and some more words"}) for number in range(count)]
    (folder / split / "00000.jsonl").write_text("\n".join(lines))


@pytest.mark.parametrize("name", ["paper", "nano"])
def test_the_shares_are_those_of_table_10(name: str) -> None:
    found = Corpora.load(name)
    assert name in corpora_names() and found.groups == TABLE_10
    assert sum(found.shares().values()) == pytest.approx(1.0)
    kinds = {reader.kind for reader in record_readers()}
    for one in found.sources:
        assert one.origin and one.licence and one.title and one.format in kinds
        assert set(one.objectives) <= OBJECTIVES and one.objectives
    for group, rate in found.groups.items():
        assert sum(one.rate for one in found.sources if one.group == group) == pytest.approx(rate, abs=0.1)


def test_some_shares_of_the_paper() -> None:
    shares = Corpora.load("paper").shares()
    for name, percent in {
        "mc4": 11.7,
        "laion_aesthetics": 17.7,
        "yt_temporal": 13.7,
        "obelics": 8.0,
        "croco": 0.33,
    }.items():
        assert shares[name] == pytest.approx(percent / 100, rel=0.02)


def test_missing_sources_are_an_error_by_name(tmp_path: Path) -> None:
    write(tmp_path / "a", "train", 5)
    corpora = load(tmp_path, config(a=source("text", "a"), b=source("text", "b"), c=source("more", "c/*.tar")))
    with pytest.raises(NoSuchFiles) as caught:
        corpora.mixture(tmp_path, CONTEXT)
    told = str(caught.value)
    assert "2 of 3 sources are missing" in told and "missing=skip" in told
    for name in ("b", "c"):
        assert f"{name}: {tmp_path}/{name}" in told and "It comes from the web (CC0)" in told


def test_missing_sources_can_be_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path / name, "train", 5)
        write(tmp_path / name, "validation", 2)
    all_of_them = config(
        a=source("text", "a", 2.0), gone=source("text", "gone"), b=source("text", "b"), c=source("more", "c")
    )
    corpora = load(tmp_path, all_of_them)
    with caplog.at_level(logging.WARNING):
        mixture = corpora.mixture(tmp_path, CONTEXT, missing="skip")
    assert "left out: gone: " in caplog.text and "a 37.50% -> 50.00%" in caplog.text and "18.8 %" in caplog.text
    assert mixture.rates().tolist() == pytest.approx([0.5, 0.25, 0.25])
    counts = Counter(mixture.place(1, position)[0] for position in range(0, BLOCK, 16))
    assert counts[0] / counts[1] == pytest.approx(2, rel=0.1)
    assert [len(entry.task) for entry in mixture.entries] == [5, 5, 5]
    held_out = corpora.mixture(tmp_path, CONTEXT, split="validation", missing="skip")
    assert [len(entry.task) for entry in held_out.entries] == [2, 2, 2]
    assert mixture.entries[0].task.example(0).text_target is not None
    with pytest.raises(NoSuchFiles, match="4 of 4 sources are missing"):
        corpora.mixture(tmp_path / "elsewhere", CONTEXT, missing="skip")


def test_sources_that_suit_no_objective_are_named(tmp_path: Path) -> None:
    for name in ("a", "c"):
        write(tmp_path / name, "train", 5)
    drawn = source("more", "c", objectives={"locate_patches": 1})
    corpora = load(tmp_path, config(a=source("text", "a"), c=drawn))
    with pytest.raises(NoSuchFiles, match="c: its records and this network suit none of locate_patches"):
        corpora.mixture(tmp_path, CONTEXT)
    assert [entry.name for entry in corpora.mixture(tmp_path, CONTEXT, missing="skip").entries] == ["a"]


def test_a_group_without_sources_gives_its_rate_to_the_others(tmp_path: Path) -> None:
    write(tmp_path / "a", "train", 5)
    corpora = load(tmp_path, config(a=source("text", "a"), c=source("more", "c")))
    assert corpora.mixture(tmp_path, CONTEXT, missing="skip").rates().tolist() == [1.0]


def test_damage_is_an_error_even_if_what_is_missing_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "a", "train", 5)
    write(tmp_path / "c", "train", 5)
    wrong = source("more", "c", settings={"columns": {"nothing": "x"}})
    corpora = load(tmp_path, config(a=source("text", "a"), c=wrong))
    with pytest.raises(DatasetError, match="nothing are not parts of a record"):
        corpora.mixture(tmp_path, CONTEXT, missing="skip")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"group": "others"}, r"sources.a.group: got 'others', expected one of more, text"),
        ({"rate": -1}, r"weight of 'a': got -1"),
        ({"colour": "red"}, r"sources.a: .*colour"),
        ({"held_out": 1}, r"a.held_out: got 1"),
        ({"rate": "much"}, r"sources.a.rate: got 'much', expected a number"),
        ({"rate": [1]}, r"sources.a.rate: got \[1\], expected a number"),
        ({"objectives": {"read_text": "often"}}, r"sources.a.objectives.read_text: got 'often', expected a number"),
        ({"objectives": "read_text"}, r"sources.a.objectives must have named values, found str"),
        ({"settings": "read_text"}, r"sources.a.settings must have named values, found str"),
    ],
)
def test_wrong_configs_are_named(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        load(tmp_path, config(a=source("text", "a") | change, c=source("more", "c")))
    with pytest.raises(DatasetError, match="groups without sources: more"):
        load(tmp_path, config(a=source("text", "a")))
    with pytest.raises(DatasetError, match="is neither a file nor one of nano, paper"):
        Corpora.load("papers")


@pytest.mark.parametrize("rate", ["much", True, None, [1]])
def test_a_rate_of_a_group_that_is_not_a_number_is_named(tmp_path: Path, rate: Any) -> None:
    content = config(a=source("text", "a"), c=source("more", "c"))
    content["groups"]["text"]["rate"] = rate
    with pytest.raises(DatasetError, match=r"groups.text.rate: got .*, expected a number"):
        load(tmp_path, content)
    content["groups"]["text"]["rate"] = "1e-3"  # a word to YAML
    assert load(tmp_path, content).groups["text"] == 0.001


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 95])
def test_held_out_records_are_a_division(count: int) -> None:
    records = RecordList([Record(key=str(number)) for number in range(count)])
    parts = [HeldOut(records, 10, split) for split in ("train", "validation")]
    keys = [int(part.record(index).key) for part in parts for index in range(len(part))]
    assert sorted(keys) == list(range(count)) and len(parts[1]) == count // 10
    with pytest.raises(DatasetError, match="there are"):
        parts[0].record(len(parts[0]))


def test_another_division_has_another_digest() -> None:
    records = RecordList([Record(key=str(number)) for number in range(20)])
    digests = {HeldOut(records, every, split).digest for every in (5, 10) for split in ("train", "validation")}
    assert len(digests) == 4


def test_an_objective_that_another_one_makes_too_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", "train", 5)
    twice = config(a=source("text", "a", objectives={"multimodal": 1, "denoise_text": 1}), b=source("more", "a"))
    with pytest.raises(DatasetError, match=r"a: multimodal makes the examples of denoise_text too.*text\.weight=0"):
        load(tmp_path, twice).mixture(tmp_path, CONTEXT)
    without = {"multimodal": named_objective("multimodal")(MultimodalConfig(text=TextSettings(weight=0.0)))}
    assert load(tmp_path, twice).mixture(tmp_path, CONTEXT, objectives=without).entries
