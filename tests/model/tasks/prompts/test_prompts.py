"""Prompts: slots are filled once, ids stay ids, braces in what fills a slot are only braces."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.tasks import PromptError, Prompts
from embodio.model.tasks.families import families
from embodio.model.tasks.prompts import fill
from embodio.model.tasks.prompts.wording import read_wordings
from tests.support.model.small import VOCABULARY
from tests.support.rooms import sources


def test_ids_stand_between_texts() -> None:
    assert fill("look at {box} now, {name}!", box=[7, 8], name="Ada") == ["look at", 7, 8, "now, Ada!"]
    assert fill("{box}{name}", box=[7], name="x") == [7, "x"]
    assert fill(["see", 5, "the {name}"], name="cat") == ["see", 5, "the cat"]
    assert fill("nothing to fill") == ["nothing to fill"]


@given(st.text(max_size=20))
def test_braces_in_a_filling_are_only_braces(text: str) -> None:
    joined = "".join(part for part in fill("<{name}>", name="{name}" + text) if isinstance(part, str))
    assert joined == "<{name}" + text + ">"


@pytest.mark.parametrize("template", ["no slot", "{name} {name}", "{name} {other}", "{nam}"])
def test_wrong_slots_are_refused(template: str) -> None:
    with pytest.raises(PromptError, match=r"this task fills \{name\}, each once; found"):
        fill(template, name="cat")


def test_every_wording_can_be_written() -> None:
    for name in Prompts():
        for template in (*Prompts()[name].training, *Prompts()[name].held_out):
            assert VOCABULARY.encode(template)


def test_every_family_has_eight_wordings_and_two_for_evaluation() -> None:
    assert {name.split(".")[0] for name in Prompts()} == set(families())
    for name in Prompts():
        assert len(Prompts()[name].training) >= 8 and len(Prompts()[name].held_out) >= 2, name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plain: [", "not YAML"),
        ("- a", "expected groups"),
        ("plain: {wording: [a]}", "expected the keys"),
        ("plain: {wordings: []}", "there is no wording"),
        ("plain: {wordings: ['']}", "none of them empty"),
        ("plain: {wordings: [1]}", "a list of texts"),
        ("plain: {wordings: ['a {x}', 'b']}", "has the slots"),
        ("plain: {wordings: ['Say  it'], held_out: ['say it']}", "may not be trained on"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "toy.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PromptError, match=message):
        read_wordings(file)


def test_draws_are_deterministic_and_reach_every_wording() -> None:
    words = Prompts()["refer.plain"]
    drawn = [words.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert drawn == [words.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert set(drawn) == set(words.training) and words.draw() == words.training[0]
    assert {words.draw(np.random.default_rng(seed), held_out=True) for seed in range(50)} == set(words.held_out)


def test_changed_wordings_keep_their_slots() -> None:
    assert Prompts({"refer.plain": "{expression}?"})["refer.plain"].draw(np.random.default_rng(0)) == "{expression}?"
    with pytest.raises(PromptError, match="has the slots"):
        Prompts({"refer.plain": "{name}?"})
    with pytest.raises(PromptError, match=r"did you mean 'refer\.plain'"):
        Prompts({"refer.plane": "{expression}?"})


def test_a_style_has_wordings_of_its_own() -> None:
    known = Prompts()
    assert known.styled("caption.image", "alt_text").training != known.styled("caption.image").training
    with pytest.raises(PromptError, match="no style 'rhyme'; there are alt_text, reading"):
        known.styled("caption.image", "rhyme")


def test_a_draw_for_training_is_never_a_held_out_wording() -> None:
    for name in Prompts():
        words, rng = Prompts()[name], np.random.default_rng(0)
        drawn = {words.draw(rng) for _ in range(100)}
        assert drawn == set(words.training) and not drawn & set(words.held_out)


def test_no_source_but_an_evaluation_draws_what_is_held_out() -> None:
    asked = [
        source.path
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "draw"
        if any(keyword.arg == "held_out" for keyword in node.keywords)
    ]
    assert [path for path in asked if path.startswith(("datasets/", "train/"))] == []
