"""docs/objectives.md: its Python runs, its table is of objectives that exist, and its numbers are the defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from embodio.datasets.augment.tasks import task_augmentation_names
from embodio.datasets.objectives import objective_names, objective_settings
from embodio.datasets.objectives.parts.settings import PatchSettings, SoundSettings, TextSettings

PAGE = (Path(__file__).parents[3] / "docs" / "objectives.md").read_text(encoding="utf-8")


def test_the_snippets_run(capsys: pytest.CaptureFixture[str]) -> None:
    objective, augmentation = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(objective, {})
    assert "[Image]" in capsys.readouterr().out
    exec(augmentation, {})
    told = capsys.readouterr().out
    assert "the cup on the right [10. 40. 30. 80.]" in told and all(name in told for name in task_augmentation_names())


def test_the_augmentations_of_the_page_exist() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.partition("by the tasks of")[2]))
    assert len(named) == 6 and named <= set(task_augmentation_names())


def test_the_objectives_of_the_table_exist() -> None:
    table = PAGE.partition("## Objectives by what they write")[2].partition("A new one")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert {"multimodal", "complete_view"} < named <= set(objective_names())


def test_the_numbers_are_the_defaults() -> None:
    text, image, sound = TextSettings(), PatchSettings(), SoundSettings()
    for number in (
        f"`keep`: {text.keep}",
        f"`denoise`: {image.denoise}",
        f"`share`: {image.share} of an image, {sound.share} of a sound",
        f"`neutral`: {image.neutral}",
    ):
        assert number in PAGE
    assert image.keep == text.keep and text.whole == 0.5
    assert all(objective_settings("multimodal")().weights()[name] == 1 for name in ("text", "image", "audio"))
