"""The mixture of rows: those that can be read, by the number of their items, and what is said of the others."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from embodio.datasets.catalogue.held_out import HELD_OUT
from embodio.datasets.catalogue.mixing import InstructionData, open_tasks, wanted_rows
from embodio.datasets.catalogue.rows import CatalogueError, read_catalogue
from embodio.datasets.errors import NoSuchFiles
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.stream.mixture import BLOCK
from embodio.model import ModelConfig, Vocabulary
from tests.support.datasets.instruction_tasks import write_instruction_tasks

CONTEXT = ObjectiveContext(ModelConfig.named("nano"), Vocabulary.default())


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_instruction_tasks(tmp_path_factory.mktemp("tasks"))


def opened(rows: Path, **settings: object) -> InstructionData:
    return open_tasks(read_catalogue(rows), rows.parent / "data", CONTEXT, CONTEXT, **settings)  # type: ignore[arg-type]


def test_rates_follow_categories_and_the_square_root_of_what_is_there(rows: Path) -> None:
    found = opened(rows, missing="skip")
    sizes = {name: len(task) for name, task in found.tasks.items()}
    assert sizes == {"questions": 98, "references": 25, "sentences": 1998}
    root = (98**0.5, 25**0.5)
    assert found.rates.rows == pytest.approx(
        {"questions": 0.6 * root[0] / sum(root), "references": 0.6 * root[1] / sum(root), "sentences": 0.4}
    )
    drawn = Counter(found.training.place(0, position)[0] for position in range(BLOCK))
    for number, entry in enumerate(found.training.entries):
        assert drawn[number] / BLOCK == pytest.approx(found.rates.rows[entry.name], abs=2 / BLOCK)


def test_what_is_missing_is_an_error_by_name_or_left_out_and_said(rows: Path) -> None:
    with pytest.raises(NoSuchFiles, match=r"(?s)1 of 4 tasks .*\nlost: .*lost.jsonl does not exist\n.*=skip"):
        opened(rows)
    found = opened(rows, missing="skip")
    assert list(found.missing) == ["lost"] and 0.1 < found.lost < 0.5
    with pytest.raises(NoSuchFiles, match="1 of 1 tasks cannot be read"):
        opened(rows, names=["lost"], missing="skip")


def test_some_tasks_and_kinds(rows: Path) -> None:
    assert set(opened(rows, names=["words", "references"]).tasks) == {"sentences", "references"}
    assert set(opened(rows, kinds={"pretraining": 1}).tasks) == {"sentences"}
    with pytest.raises(CatalogueError, match="tasks: reference are neither tasks"):
        wanted_rows(read_catalogue(rows), ["reference"])


def test_the_last_items_are_kept_for_validation(rows: Path) -> None:
    found = opened(rows, missing="skip")
    assert len(found.held_out["questions"]) == 100 // HELD_OUT and "references" not in found.held_out
    trained, kept = found.tasks["questions"], found.held_out["questions"]
    words = CONTEXT.vocabulary
    assert "98?" in words.decode(words.encode(kept.example(0).text)) and kept.digest != trained.digest
    assert "97?" in words.decode(words.encode(trained.example(97).text))


def test_what_a_network_does_not_write_is_left_out(rows: Path, tmp_path: Path) -> None:
    text = (rows / "pictures.yaml").read_text().replace("family: refer", "family: depth")
    (tmp_path / "pictures.yaml").write_text(text)
    found = open_tasks(read_catalogue(tmp_path), rows.parent / "data", CONTEXT, CONTEXT, missing="skip")
    assert found.missing["references"] == "the network does not write image"


def test_held_out_items_have_media_of_their_own_where_the_row_says_so(tmp_path: Path) -> None:
    for split, grey in (("train", 10), ("kept", 200)):
        (tmp_path / "data" / split).mkdir(parents=True)
        Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(tmp_path / "data" / split / "000.png")
        line = {"image": "000.png", "question": "how bright?", "text": split}
        (tmp_path / "data" / f"{split}.jsonl").write_text(json.dumps(line))
    row = {"title": "t", "family": "answer_question", "prompts": "plain", "format": "jsonl", "path": "train.jsonl"}
    row |= {"media": "train", "validation": "kept.jsonl", "validation_media": "kept", "origin": "o", "licence": "CC0"}
    row |= {"split": "train", "size": None, "metrics": ["exact_match"], "source": ["own"]}
    file = {"title": "t", "group": "g", "share": 100, "inputs": ["text", "image"], "outputs": ["text"]}
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "one.yaml").write_text(yaml.safe_dump(file | {"tasks": {"bright": row}}))
    found = opened(tmp_path / "rows")
    for tasks, grey in ((found.tasks, 10), (found.held_out, 200)):
        image = tasks["bright"].example(0).image
        assert image is not None and np.all(np.asarray(image) == grey)
