"""GRIT as a whole: a miniature in its own layout, answered by one who knows it, by one who knows half, by a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.benchmarks.evaluation.evaluate import EvaluateConfig
from embodio.benchmarks.evaluation.evaluation import evaluate
from embodio.benchmarks.evaluation.procedures import named_procedure, procedure_names
from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.metrics.parts.instances import Instances, PeoplePoses
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.locations.labelled import Keypoints
from tests.support.benchmarks.evaluations import quiet
from tests.support.model import small

SIDE = 20
BOX = [[2, 4, 10, 14]]  # (y1, x1, y2, x2) of the only thing, person and mask
TASKS = {
    "categorization": ({"task_bbox": [4, 2, 14, 10], "output_options": "few"}, {"words": ["cup"]}),
    "localization": ({"task_query": "cup"}, {"bboxes": [[4, 2, 14, 10]]}),
    "vqa": ({"task_query": "what?"}, {"words": ["cup"] * 5}),
    "refexp": ({"task_query": "the cup"}, {"bboxes": [[4, 2, 14, 10]]}),
    "segmentation": ({"task_query": "cup"}, {"masks": [{"size": [20, 20], "counts": [82] + [8, 12] * 9 + [8, 130]}]}),
    "keypoint": ({"task_query": "person"}, {"points": [[4, 2, 1, 14, 10, 2] + [9, 6, 0] * 15]}),
    "normal": ({}, {"out_image_name": "normals.png"}),
}


class Knows:
    """Answers as is right, or not readably every question in pictures of new sources."""

    def __init__(self, only_bright: bool = False) -> None:
        self._only_bright = only_bright
        self.asked: list[str] = []

    def run(self, family: str, asked: Sequence[Any], *, seeds: Sequence[int], **how: Any) -> list[Any]:
        assert len(seeds) == len(asked) and (how == {"threshold": 0.5} or family != "localise")
        self.asked += [family] * len(asked)
        return [self._answer(family, one) for one in asked]

    def _answer(self, family: str, one: Any) -> Any:
        if self._only_bright and not one.media.image.max():
            return AnswerError("an answer", "")
        box = np.array(BOX, dtype=np.float32)
        mask = np.zeros((SIDE, SIDE), dtype=bool)
        mask[2:10, 4:14] = True
        points = np.full((17, 2), (6, 9), dtype=np.float32)
        points[:2] = [[2, 4], [10, 14]]
        up = np.zeros((SIDE, SIDE, 3), dtype=np.float32)
        up[..., 2] = 1
        answer: dict[str, Any] = {
            "localise": {"boxes": np.concatenate([box, box]), "labels": ("cup", "cup")},
            "refer": {"box": box[0]},
            "segment": {"mask": mask},
            "keypoints": {"keypoints": Keypoints(points, np.ones(17, dtype=bool))},
            "normals": {"normals": up},
        }
        return replace(one, **answer.get(family, {"text": "cup"}))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two samples of each task: one of the same source, and one of a new source, in a black picture."""
    (tmp_path / "images").mkdir()
    (tmp_path / "samples" / "ablation").mkdir(parents=True)
    (tmp_path / "output_options").mkdir()
    (tmp_path / "output_options" / "few.json").write_text('["cup", "dog"]')
    for name, colour in (("same", (90, 90, 90)), ("new", (0, 0, 0)), ("normals", (128, 128, 255))):
        picture = np.full((SIDE, SIDE, 3), colour, dtype=np.uint8)
        (tmp_path / "images" / f"{name}.png").write_bytes(encode_image(picture, "png"))
    for task, (asked, output) in TASKS.items():
        samples = [
            {
                "input": {"example_id": name, "image_id": f"{name}.png", **asked},
                "output": {"example_id": name, **output},
                "meta": {"data_source": "coco", "is_new_source": name == "new", "is_distorted": False},
            }
            for name in ("same", "new")
        ]
        (tmp_path / "samples" / "ablation" / f"{task}.json").write_text(json.dumps(samples))
    return tmp_path


def config(data: Path, **changes: Any) -> EvaluateConfig:
    usual = {"out": data / "out", "data": data, "examples": 1, "resamples": 50}
    return EvaluateConfig("grit", "known", **(usual | changes))


def test_whoever_knows_all_has_the_full_score(data: Path) -> None:
    runner = Knows()
    found = evaluate(config(data), runner, quiet())
    mains = {task: one.metrics[one.main[0]].estimates[one.main[1]].value for task, one in found.items()}
    assert mains == pytest.approx(dict.fromkeys(TASKS, 1.0), abs=1e-3)
    assert set(runner.asked) >= {"localise", "segment", "keypoints"}
    assert json.loads((data / "out" / "results.json").read_text())["score"]["value"] == pytest.approx(1.0, abs=1e-3)


def test_the_score_is_the_mean_over_tasks_of_both_sources(data: Path) -> None:
    found = evaluate(config(data), Knows(only_bright=True), console := quiet())
    of_parts = found["segmentation"].parts.items()
    parts = {name: metrics["grit_instances"].estimates["grit_instances"].value for name, metrics in of_parts}
    assert parts == {"coco": 0.5, "newSrc": 0.0, "sameSrc": 1.0}
    assert found["keypoint"].metrics["grit_people"].unreadable == 1
    results = json.loads((data / "out" / "results.json").read_text())
    assert results["score"]["value"] == pytest.approx(0.5, abs=1e-3)
    assert results["tasks"]["vqa"]["parts"]["newSrc"]["unreadable"] == 1
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "newSrc" in shown and "mean over tasks" in shown
    evaluate(config(data, out=data / "some", tasks=("vqa",)), Knows(), quiet())
    assert "score" not in json.loads((data / "some" / "results.json").read_text()), "a suite without tasks has no score"


def test_a_network_answers_what_takes_several_questions(data: Path) -> None:
    found = evaluate(config(data, tasks=("segmentation", "keypoint")), small.runner(), quiet())
    assert found["segmentation"].metrics["grit_instances"].items == 2


def test_stuff_is_asked_by_name_and_empty_masks_are_none() -> None:
    class Draws(Knows):
        def _answer(self, family: str, one: Any) -> Any:
            if family == "localise":
                boxes = np.array([[0, 0, 5, 5], [9, 9, 15, 15]], dtype=np.float32)
                return replace(one, boxes=boxes, labels=(one.name,) * 2)
            if one.box is not None and one.box[0] == 9:
                return AnswerError("a mask", "")
            return replace(one, mask=np.full((SIDE, SIDE), one.name != "air"))

    image = InputMedia(image=np.zeros((SIDE, SIDE, 3), dtype=np.uint8))
    asked = [Instances(media=image, name=name, stuff=name != "cup") for name in ("cup", "sea", "air")]
    runner = Draws()
    answers = named_procedure("segment_each").ask(runner.run, asked, [1, 2, 3], {"find": {"threshold": 0.5}})
    assert [len(one.masks) for one in answers] == [1, 1, 0] and runner.asked == ["localise", *["segment"] * 4]


def test_nobody_is_an_answer_too() -> None:
    class Nobody(Knows):
        def _answer(self, family: str, one: Any) -> Any:
            return replace(one, boxes=np.zeros((0, 4), dtype=np.float32), labels=())

    asked = [PeoplePoses(media=InputMedia(image=np.zeros((SIDE, SIDE, 3), dtype=np.uint8)))]
    (answer,) = named_procedure("keypoints_each").ask(Nobody().run, asked, [1], {"find": {"threshold": 0.5}})
    assert answer.people == ()


def test_procedures_are_listed_and_have_metrics() -> None:
    assert procedure_names() == ["act", "keypoints_each", "segment_each"]
    assert all(named_procedure(name).name == name and named_procedure(name).metrics for name in procedure_names())
