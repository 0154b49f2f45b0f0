"""Prompts: slots are filled once, ids stay ids, braces in what fills a slot are only braces."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.tasks import PromptError, Prompts
from embodio.model.tasks.prompts import fill
from tests.model.runner.small import VOCABULARY


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


def test_every_prompt_can_be_written() -> None:
    for field in fields(Prompts):
        text = getattr(Prompts(), field.name)
        assert text == field.default and VOCABULARY.encode(text)
