"""The linter: it finds nothing in our own wordings, and every kind of fault in others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embodio.model.tasks.families import families
from embodio.model.tasks.prompts.linting import PromptFault, lint_prompts
from embodio.model.tasks.prompts.wording import FOLDERS
from tests.support.model.annotations import CODEC, MAKE

GOOD = [
    'Where is "{expression}"?',
    'Box this: "{expression}".',
    'Find "{expression}" for me.',
    'Which region shows what "{expression}" says?',
    "Give four numbers that enclose {expression}.",
    "Somebody means {expression}; mark it.",
    "Look for {expression} and locate it.",
    "The place of {expression} is",
]


def lint(folder: Path, text: str, family: str = "refer") -> list[PromptFault]:
    file = folder / f"{family}.yaml"
    file.write_text(text, encoding="utf-8")
    return lint_prompts([file])


def group(extra: str = "", held: str = "Put a frame around {expression}.") -> str:
    texts = [*GOOD, extra] if extra else GOOD
    return f"plain:\n  wordings: {texts!r}\n  held_out: [{held!r}]\n"


def test_our_own_wordings_have_no_fault() -> None:
    assert lint_prompts([file for folder in FOLDERS for file in sorted(folder.glob("*.yaml"))], whole=True) == []


def test_good_wordings_pass(tmp_path: Path) -> None:
    assert lint(tmp_path, group()) == []


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        (group("Where is it?"), "unfillable", "fills {expression}, each once"),
        (group("Where is {expression} of {size}?"), "unfillable", "fills {expression}"),
        (group("Where is {expression} {?"), "unfillable", "a brace"),
        (group("Where is {box}? {expression}"), "leak", "{box} is the answer"),
        (group("<image_input> Locate {expression} there."), "special token", "<image_input> is read as letters"),
        (group("[Text] Give me {expression} as numbers."), "special token", "[Text]"),
        (group('"{expression}": where is  the'), "duplicate", "the words of refer.plain"),
        (group(held='where is a "{expression}"'), "duplicate", "(held out)"),
        (group("Look for {expression} and quickly locate it."), "similar", "almost the words"),
        (group(held="Look for {expression} and locate it now."), "similar", "the held-out"),
        ("plain: {wordings: ['Where is {expression}?'], held_out: ['Find {expression}.']}", "few", "1 wordings"),
        (group().replace("held_out", "later"), "format", "unknown key 'later'"),
        (group().partition("  held_out")[0], "few", "nothing is held out"),
        ("plain: {wordings: [], held_out: ['Find {expression}.']}", "empty", "not one wording"),
        (group() + "\nother: {wordings: []}", "unused", "asks for the groups plain"),
        ("{}", "empty", "asks for this group"),
        ("plain: [", "format", "not YAML"),
        ("- a", "format", "expected groups"),
        ("plain: 3", "format", "expected the keys"),
        ("plain: {wordings: [1, '']}", "format", "texts that are not empty, found 1"),
    ],
)
def test_faults_are_found(tmp_path: Path, text: str, kind: str, reason: str) -> None:
    found = lint(tmp_path, text)
    assert any(one.kind == kind and reason in one.reason for one in found), list(map(str, found))


def test_a_wording_that_says_one_of_two_answers_leaks(tmp_path: Path) -> None:
    text = "plain: {wordings: ['{instruction} {actions} Yes, it is right.', 'Yes or no? {instruction} {actions}']}"
    leaks = [one for one in lint(tmp_path, text, "judge_action") if one.kind == "leak"]
    assert [one.wording for one in leaks] == ["{instruction} {actions} Yes, it is right."]


def test_groups_of_one_family_do_not_share_words(tmp_path: Path) -> None:
    same = "'Box the \"{name}\".'"
    text = f"named: {{wordings: [{same}]}}\nunnamed: {{held_out: [{same}]}}"
    found = [one for one in lint(tmp_path, text, "localise") if one.kind == "duplicate"]
    assert [(one.name, "localise.named (held out)" in one.reason) for one in found] == [("localise.unnamed", True)]


def test_a_file_without_a_family_is_unused_and_a_family_without_a_file_is_empty(tmp_path: Path) -> None:
    assert [one.kind for one in lint(tmp_path, group(), "refr")] == ["unused"]
    assert "did you mean refer.yaml?" in str(lint(tmp_path, group(), "refr")[0])
    (tmp_path / "refer.yaml").write_text(group(), encoding="utf-8")
    whole = lint_prompts([tmp_path / "refer.yaml"], whole=True)
    assert {one.name for one in whole} == set(families()) - {"refer"} and {one.kind for one in whole} == {"empty"}


@pytest.mark.parametrize("name", sorted(MAKE))
def test_families_say_which_groups_and_slots_they_ask_for(name: str) -> None:
    family, seen = families()[name], set()
    for seed in range(60):
        annotation = MAKE[name](np.random.default_rng(seed))
        asked = family.group(annotation)
        seen.add(asked)
        assert set(family.slots(annotation, CODEC)) == set(family.groups[asked])
    assert seen == set(family.groups)
