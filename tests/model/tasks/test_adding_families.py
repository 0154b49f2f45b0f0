"""Adding a family: one module and one file of wordings are found, and messages say what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.model import Vocabulary
from embodio.model.tasks import PromptError, Prompts, TaskError, families
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.families import families as all_families
from embodio.model.tasks.families import family_named
from embodio.model.tasks.prompts import wording as wordings

CODEC = TaskCodec(Vocabulary.default(), (384, 384), 512)
TOY = """
from dataclasses import dataclass
from embodio.model.tasks.base.text_family import TextFamily, TextItem

@dataclass(frozen=True, eq=False, kw_only=True)
class Rhyme(TextItem):
    word: str

class FindRhyme(TextFamily[Rhyme]):
    name = "toy_rhyme"
    annotation = Rhyme

    def slots(self, annotation, codec):
        return {"word": annotation.word}

FAMILY = FindRhyme()
"""


def test_a_family_is_added_by_one_module_and_one_file_of_wordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_rhyme.py").write_text(TOY)
    (tmp_path / "toy_rhyme.yaml").write_text("plain:\n  wordings: ['What rhymes with {word}?']\n")
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    monkeypatch.setattr(wordings, "FOLDERS", [*wordings.FOLDERS, tmp_path])
    all_families.cache_clear()
    wordings.shipped_wordings.cache_clear()
    try:
        family = family_named("toy_rhyme")
        annotation = family.annotation(word="house", text="mouse")  # type: ignore[call-arg]
        example = family.write(annotation, Prompts()["toy_rhyme.plain"].draw(), CODEC)
        assert example.text[1:] == ["What rhymes with house?"] and example.text_target == "mouse"
    finally:
        all_families.cache_clear()
        wordings.shipped_wordings.cache_clear()


def test_a_module_without_a_family_and_a_family_without_wordings_say_what_to_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_bare.py").write_text('"""Nothing yet."""')
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    all_families.cache_clear()
    try:
        with pytest.raises(TaskError, match=r"toy_bare\.py: a module of families needs FAMILY"):
            all_families()
    finally:
        all_families.cache_clear()
    with pytest.raises(PromptError, match=r"add toy_bare\.yaml, with the group 'plain'"):
        Prompts()["toy_bare.plain"]


WITH_WORDINGS = TOY.replace(
    "annotation = Rhyme\n",
    "annotation = Rhyme\n    wordings = {'plain': {'wordings': ['Name a rhyme of {word}.']}}\n",
)


def test_a_family_of_ones_own_is_one_module_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Prompts()
    (tmp_path / "own_rhymes.py").write_text(WITH_WORDINGS.replace("toy_rhyme", "own_rhyme"))
    (tmp_path / "other_rhymes.py").write_text(WITH_WORDINGS.replace("toy_rhyme", "own_rhyme"))
    (tmp_path / "broken_rhymes.py").write_text("def")
    (tmp_path / "own_captions.py").write_text(WITH_WORDINGS.replace("toy_rhyme", "caption"))
    monkeypatch.syspath_prepend(str(tmp_path))
    family = family_named("own_rhymes:FAMILY")
    assert family is family_named("own_rhymes:FAMILY") and family.name not in all_families()
    annotation = family.annotation(word="house", text="mouse")  # type: ignore[call-arg]
    for prompts in (before, Prompts()):
        example = family.write(annotation, prompts["own_rhyme.plain"].draw(), CODEC)
        assert example.text[1:] == ["Name a rhyme of house."] and example.text_target == "mouse"
    for name, said in {
        "own_rhymes:NOTHING": "has no attribute 'NOTHING'; expected module:NAME",
        "no_rhymes:FAMILY": "No module named 'no_rhymes'; expected module:NAME of what PYTHONPATH reaches",
        "own_rhymes:Rhyme": "it is a type, not an instance of Family",
        "own_captions:FAMILY": "there is a family 'caption' already; take another name",
        "other_rhymes:FAMILY": "there is a family 'own_rhyme' already; take another name",
        "broken_rhymes:FAMILY": "invalid syntax.*; expected module:NAME",
        ":FAMILY": "expected module:NAME",
    }.items():
        with pytest.raises(TaskError, match=said):
            family_named(name)


def test_a_family_that_is_not_there_is_named() -> None:
    with pytest.raises(TaskError, match="did you mean 'refer'"):
        family_named("refr")
