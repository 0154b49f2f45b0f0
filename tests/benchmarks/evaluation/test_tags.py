"""Tags with choices are scored by a network, so that mAP and AUC of a suite are those of its scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embodio.benchmarks.evaluation.evaluation import evaluate
from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.metrics import tally
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families import family_named
from embodio.model.tasks.families.tag import Tagged
from tests.support.benchmarks.evaluations import evaluate_config, quiet
from tests.support.model import small

TAGS = ("dog", "rain", "a red cup")
RIGHT = (("dog",), ("rain", "dog"), ("a red cup",), ("rain",))


def asked() -> list[Tagged]:
    return [Tagged(media=InputMedia(image=small.image(row)), choices=TAGS) for row in range(len(RIGHT))]


def test_each_choice_has_its_log_probability() -> None:
    found = small.runner(rows_at_once=2).run("tag", asked())
    examples = [small.runner()._asked(family_named("tag"), one, None) for one in asked()]
    for one, choice in zip(found, small.runner().choose(examples, TAGS), strict=True):
        assert isinstance(one, Tagged) and one.text in TAGS and one.scores is not None
        np.testing.assert_allclose([one.scores[tag] for tag in TAGS], -choice.losses, atol=1e-3)
    (free,) = small.runner().run("tag", [replace(asked()[0], choices=())])
    assert isinstance(free, Tagged) and free.scores is None


def test_a_suite_ranks_them(tmp_path: Path) -> None:
    lines = []
    for row, right in enumerate(RIGHT):
        (tmp_path / f"{row}.png").write_bytes(encode_image(small.image(row), "png"))
        lines.append(json.dumps({"image": f"{row}.png", "text": right[0], "references": right, "choices": TAGS}))
    (tmp_path / "tags.jsonl").write_text("\n".join(lines))
    suite = tmp_path / "mine.yaml"
    suite.write_text("tasks: {tags: {family: tag, file: tags.jsonl, metrics: [tag_ranking]}}")
    found = evaluate(evaluate_config(suite, examples=1), small.runner(), quiet())["tags"].metrics["tag_ranking"]
    wanted = tally("tag_ranking")
    for one, right in zip(small.runner().run("tag", asked()), RIGHT, strict=True):
        wanted.update(one, Tagged(references=right))
    for figure, estimate in wanted.result(resamples=2).estimates.items():
        assert found.estimates[figure].value == pytest.approx(estimate.value, abs=1e-9)
