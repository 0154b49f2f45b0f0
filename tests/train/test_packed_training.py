"""Training with packing: the losses of the run without, and the settings that say what a row holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.datasets.errors import DatasetError
from embodio.datasets.stream.packing import Capacity, longest_example, padding
from embodio.model import ModelConfig
from embodio.train.command_line.schema import UsageError
from embodio.train.experiments.tokenizer_image import ImageTokenizerRun
from embodio.train.log import read_log
from embodio.train.main import make_trainer, train
from embodio.train.run_config import PackingConfig
from tests.support.datasets.toy import write_toy_dataset
from tests.support.train.runs import settings


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=6, steps=7)


def losses(out: Path) -> list[tuple[str, float]]:
    return [(line["kind"], line["loss"]) for line in read_log(out / "log.jsonl") if "loss" in line]


def test_a_packed_run_has_the_losses_of_a_plain_one(data: Path, tmp_path: Path) -> None:
    train(settings(data, tmp_path / "plain"))
    train(settings(data, tmp_path / "packed", packing=PackingConfig(enabled=True, encoder=400, decoder=300)))
    plain, packed = losses(tmp_path / "plain"), losses(tmp_path / "packed")
    assert [kind for kind, _ in packed] == [kind for kind, _ in plain]
    assert [loss for _, loss in packed] == pytest.approx([loss for _, loss in plain], rel=1e-3)


def test_batches_of_training_and_validation_are_packed(data: Path, tmp_path: Path) -> None:
    trainer = make_trainer(settings(data, tmp_path, packing=PackingConfig(enabled=True, encoder=400, decoder=300)))
    held_out = next(iter(next(iter(trainer.validators.values())).batches()))
    for batch in (trainer.batches.make(0)[0], held_out):
        assert int(batch["packing/rows"].max()) < len(batch["packing/rows"]) - 1
        assert 0.0 <= padding(batch) < 1.0


def test_off_is_the_default_and_the_longest_example_fits() -> None:
    nano = ModelConfig.named("nano")
    assert PackingConfig().of_network(nano) is None
    assert longest_example(nano) == (256 + 72 + 16, 256)
    assert PackingConfig(enabled=True).of_network(nano) == (nano, Capacity(688, 512))
    assert PackingConfig(enabled=True, encoder=900, examples=2).of_network(nano) == (nano, Capacity(900, 512, 2))
    assert longest_example(ModelConfig.named("large")) == (512 + 576 + 128 + 4 * 32 + 4 * 16, 512 + 1024 + 512)


def test_wrong_settings_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"packing\.encoder: got -1, expected 0 or more"):
        PackingConfig(encoder=-1)
    with pytest.raises(UsageError, match=r"packing\.block: got 3, expected a divisor of batch_size=8"):
        settings(data, tmp_path, batch_size=8, packing=PackingConfig(enabled=True, block=3))
    trainer = make_trainer(settings(data, tmp_path, packing=PackingConfig(enabled=True, decoder=2)))
    with pytest.raises(DatasetError, match=r"raise packing\.encoder or packing\.decoder"):
        trainer.batches.make(0)


def test_packing_is_not_compiled_on_a_cpu(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="compile: packed examples have other lengths in each batch"):
        settings(data, tmp_path, compile=True, packing=PackingConfig(enabled=True))
    assert settings(data, tmp_path, compile=True, device="cuda", packing=PackingConfig(enabled=True)).compile


def test_a_stage_that_cannot_pack_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="packing: this stage has no transformer"):
        ImageTokenizerRun(str(tmp_path), packing=PackingConfig(enabled=True))
