"""Spoken commands: every wording that may be trained on, no other, and at most a segment of sound."""

from __future__ import annotations

import json

import pytest

from embodio.datasets.corpus.source import CorpusRequest
from embodio.datasets.corpus.sources.commands import SOURCE, Commands
from embodio.datasets.corpus.voices import is_installed
from embodio.envs.perturbing.wordings import wordings_of

LIFT = "lift the red cube"


def test_every_wording_for_training_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embodio.datasets.corpus.voices.is_installed", lambda: True)
    items = Commands(voices=3).plan(CorpusRequest(0)).items
    said = [item.data["text"] for item in items if item.data["instruction"] == LIFT]
    assert sorted(said) == sorted([LIFT, *wordings_of(LIFT, 2)] * 3)
    assert not {text for level in (3, 4, 5) for text in wordings_of(LIFT, level)} & set(said)
    assert len({item.key for item in items}) == len(items)


@pytest.mark.skipif(not is_installed(), reason="the program espeak-ng is not installed")
def test_a_command_is_said_and_means_its_instruction() -> None:
    [item] = SOURCE.plan(CorpusRequest(0, 1)).items
    made = SOURCE.make(item, 0)
    facts = json.loads(made["json"])
    assert item.data["text"] in facts["transcript"] and facts["instruction"] == item.data["instruction"]
    assert made == SOURCE.make(item, 0)
