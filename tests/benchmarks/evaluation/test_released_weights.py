"""Released weights are evaluated with the tokeniser of their folder, and not without one that fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.agent import CheckpointError
from embodio.benchmarks.evaluation.acting import NetworkRunner
from embodio.benchmarks.evaluation.evaluate import main
from embodio.benchmarks.evaluation.runner import open_runner
from embodio.model import TaskRunner, save_weights
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.released import write_released
from tests.support.benchmarks.evaluations import write_suite
from tests.support.model import small


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of another vocabulary than the default one, with their tokeniser."""
    folder = write_released(tmp_path_factory.mktemp("released") / "uio2", rows=Vocabulary.nano().padded_size)
    (folder / "tokenizer.model").write_bytes(Vocabulary.nano().to_bytes())
    return folder


def vocabulary_of(model: object, given: object = "") -> Vocabulary:
    runner = open_runner(str(model), str(given), "cpu", 2)
    assert isinstance(runner, NetworkRunner) and isinstance(runner.tasks, TaskRunner)
    return runner.tasks.vocabulary


def test_the_tokeniser_of_the_folder_is_taken(nano: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vocabulary_of(nano) == Vocabulary.nano() != Vocabulary.default()
    repository = tmp_path / "models--allenai--uio2-large"
    (repository / "refs").mkdir(parents=True)
    (repository / "snapshots").mkdir()
    (repository / "refs" / "main").write_text("5e1f\n")
    (repository / "snapshots" / "5e1f").symlink_to(nano)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert vocabulary_of("allenai/uio2-large") == Vocabulary.nano()
    with pytest.raises(CheckpointError, match=r"not in the local cache .*`hf download allenai/uio2-xl`"):
        open_runner("allenai/uio2-xl", "", "cpu", 2)


def test_weights_without_a_tokeniser_that_fits_are_refused(nano: Path, tmp_path: Path) -> None:
    bare = write_released(tmp_path / "bare", rows=Vocabulary.nano().padded_size)
    tokenizer = bare / "tokenizer.model"  # of the default vocabulary
    with pytest.raises(CheckpointError, match=r"has 5376 ids, its tokeniser needs 1792; put the SentencePiece file"):
        open_runner(str(bare), "", "cpu", 2)
    tokenizer.unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.model is missing; .* Put that file into the folder"):
        open_runner(str(bare), "", "cpu", 2)
    with pytest.raises(CheckpointError, match="has 5376 ids, its tokeniser needs 1792"):
        open_runner(str(bare), str(write_released(tmp_path / "other")), "cpu", 2)
    for given in (nano, nano / "tokenizer.model", "text-nano"):
        assert vocabulary_of(bare, given) == Vocabulary.nano()


def test_a_network_of_ours_without_its_vocabulary_is_refused(tmp_path: Path) -> None:
    save_weights(small.model(), tmp_path)
    with pytest.raises(CheckpointError, match=r"vocabulary\.model is missing; .* name it with vocabulary="):
        open_runner(str(tmp_path), "", "cpu", 2)
    (tmp_path / "vocabulary.model").write_bytes(Vocabulary.default().to_bytes())
    assert vocabulary_of(tmp_path) == Vocabulary.default()


def test_the_command_evaluates_them(nano: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = write_suite(tmp_path)
    arguments = [f"suite={suite}", "tasks=[questions]", "limit=2", "resamples=20", "examples=0"]
    assert main([*arguments, f"model={nano}", f"out={tmp_path / 'out'}"]) == 0
    assert "vqa_accuracy" in capsys.readouterr().err
    assert main([*arguments, f"model={tmp_path}", f"out={tmp_path / 'none'}"]) == 1
    assert "config.json is missing" in capsys.readouterr().err
