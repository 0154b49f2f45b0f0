"""Tokenisers and vocoder train through the one trainer: they learn, and a killed run goes on to the same bits."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from embodio.datasets.errors import DatasetError, ExampleError
from embodio.model.errors import ConfigError, WeightsError
from embodio.model.tokenizers.files import load_audio_tokenizer, load_image_tokenizer, load_saved_vocoder
from embodio.model.weights.checksums import ChecksumError
from embodio.train.command_line.arguments import stage_of
from embodio.train.command_line.cli import compose
from embodio.train.command_line.schema import UsageError
from embodio.train.errors import ResumeError, TrainError
from embodio.train.experiments import experiment_named
from embodio.train.experiments.tokenizer_audio import AudioTokenizerRun
from embodio.train.experiments.tokenizer_image import ImageTokenizerRun
from embodio.train.experiments.vocoder import VocoderRun
from embodio.train.log import read_log
from embodio.train.main import CONFIGS, make_trainer, train
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.run_config import LoraConfig, PackingConfig, RunConfig
from embodio.train.tokenizers.settings import CodebookConfig, CodedLossConfig, ImageLossConfig, VocoderLossConfig
from tests.support.train.media_corpus import SMALL_AUDIO, SMALL_IMAGE, write_media_corpus
from tests.support.train.runs import same_files

KINDS = ("image", "audio", "vocoder")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media_corpus(tmp_path_factory.mktemp("corpus"))


def settings(kind: str, data: Path, out: Path, **changes: Any) -> RunConfig:
    common: dict[str, Any] = {
        "out": str(out),
        "data": str(data),
        "steps": 6,
        "batch_size": 3,
        "threads": 1,
        "workers": 0,
        "log_every": 1,
        "validate_every": 3,
        "checkpoint_every": 2,
        "holdout": 3,
        "optimiser": OptimiserConfig(warmup=2),
    }
    codebook = CodebookConfig(patience=2)
    config: RunConfig
    if kind == "image":
        loss = ImageLossConfig(adversarial_from=3, discriminator_width=8)
        config = ImageTokenizerRun(**common, sources=("drawings",), tokenizer=SMALL_IMAGE, loss=loss, codebook=codebook)
    elif kind == "audio":
        sound_loss = CodedLossConfig(adversarial_from=3, discriminator_width=8)
        config = AudioTokenizerRun(
            **common, sources=("tones",), tokenizer=SMALL_AUDIO, loss=sound_loss, codebook=codebook
        )
    else:
        voice_loss = VocoderLossConfig(adversarial_from=3, periods=(2, 3), poolings=(1,), discriminator_width=4)
        config = VocoderRun(**common, sources=("tones",), channels=16, loss=voice_loss, frames=8)
    return dataclasses.replace(config, **changes)


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each kind that was never interrupted."""
    found = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    for kind, out in found.items():
        assert train(settings(kind, data, out)) == 0
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_stopping_before_and_after_the_discriminator_starts_gives_the_same_bits(
    kind: str, data: Path, finished: dict[str, Path], tmp_path: Path
) -> None:
    for workers in (0, 1, 0):
        train(settings(kind, data, tmp_path / "run", stop_after=2, workers=workers))
    assert same_files(finished[kind] / "checkpoint", tmp_path / "run" / "checkpoint")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_started_again_gives_the_same_bits(
    kind: str, data: Path, finished: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.train.tokenizers import test_tokenizer_training as own\n"
        "from embodio.train.main import train\n"
        "train(own.settings(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))"
    )
    command = [sys.executable, "-c", code, kind, str(data), str(out)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], env=dict(os.environ))
    deadline = time.monotonic() + 600
    while not (out / "checkpoint" / "training.json").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=600)
    train(settings(kind, data, out))
    assert same_files(finished[kind] / "checkpoint", out / "checkpoint")


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_written_at_each_validation(kind: str, finished: dict[str, Path]) -> None:
    page = (finished[kind] / "reconstructions.html").read_text()
    assert (finished[kind] / "report.html").is_file(), "that of every run, next to it"
    assert "<dd>6</dd>" in page and ("image/png" if kind == "image" else "audio/wav") in page


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_tells_of_both_sides_once_the_discriminator_learns(kind: str, finished: dict[str, Path]) -> None:
    lines = [line for line in read_log(finished[kind] / "log.jsonl") if line["kind"] == "train"]
    assert ["discriminator" in line for line in lines] == [False] * 3 + [True] * 3


def test_checkpoints_are_read_without_training_code(finished: dict[str, Path], data: Path, tmp_path: Path) -> None:
    image = load_image_tokenizer(finished["image"] / "checkpoint")
    assert image.config == SMALL_IMAGE and not image.training
    assert image.decode(image.encode(torch.rand(2, 16, 16, 3))).shape == (2, 16, 16, 3)
    assert load_audio_tokenizer(finished["audio"] / "checkpoint").config == SMALL_AUDIO
    assert load_saved_vocoder(finished["vocoder"] / "checkpoint")(torch.zeros(1, 4, 128)).shape == (1, 1024)
    trainer = make_trainer(settings("image", data, tmp_path, init=str(finished["image"] / "checkpoint")))
    assert torch.equal(trainer.run.model.tokenizer.codebook, image.codebook)
    with pytest.raises(TrainError, match="init"):
        other = dataclasses.replace(SMALL_IMAGE, channels=16)
        make_trainer(settings("image", data, tmp_path, tokenizer=other, init=str(finished["image"] / "checkpoint")))


def test_neither_side_gets_a_gradient_from_the_loss_of_the_other(data: Path, tmp_path: Path) -> None:
    loss = ImageLossConfig(adversarial_from=0, discriminator_width=8)
    trainer = make_trainer(settings("image", data, tmp_path, loss=loss))
    model, batch = trainer.run.model.train(), trainer.batches[0]

    def gradients(**weights: float) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        model.zero_grad()
        model.weights = dataclasses.replace(loss, **weights)
        trainer.measure(batch).loss.backward()
        return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}

    trainer.measure(batch)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    weak = gradients(adversarial=1e-6)
    model.load_state_dict(state)
    strong = gradients(adversarial=10.0)
    same = {name: torch.allclose(weak[name], strong[name], atol=1e-6) for name in weak}
    assert all(equal for name, equal in same.items() if name.startswith("discriminator."))
    assert not same["tokenizer.decoder.last.weight"]


def test_a_few_pictures_are_learned_by_heart(data: Path, tmp_path: Path) -> None:
    loss = ImageLossConfig(adversarial=0.0)
    config = settings(
        "image", data, tmp_path, steps=60, loss=loss, optimiser=OptimiserConfig(learning_rate=3e-3, warmup=5, ema=0.0)
    )
    trainer = make_trainer(config)
    batch = trainer.batches[0]
    losses = [trainer.step(batch).loss.item() for _ in range(60)]
    assert losses[-1] < 0.4 * losses[0]


def test_missing_sources_and_other_data_are_told(data: Path, finished: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"embodio-data corpus"):
        make_trainer(settings("image", data, tmp_path, sources=("drawings", "absent")))
    with pytest.raises(ExampleError, match=r"no picture"):
        make_trainer(settings("image", data, tmp_path, sources=("tones",))).batches.make(0)
    other = write_media_corpus(tmp_path / "other", train=7)
    with pytest.raises(ResumeError, match="pictures"):
        train(settings("image", other, finished["image"]))


@pytest.mark.parametrize("kind", KINDS)
def test_settings_that_tokenisers_cannot_carry_out_are_refused_at_once(kind: str, data: Path, tmp_path: Path) -> None:
    for name, change in (
        ("lora.rank", {"lora": LoraConfig(rank=2)}),
        ("recompute", {"recompute": ("tokenizer.encoder.*",)}),
        ("accumulate", {"accumulate": 2}),
        ("packing", {"packing": PackingConfig(enabled=True)}),
    ):
        with pytest.raises(UsageError, match=name):
            settings(kind, data, tmp_path, **change)


def test_a_vocoder_that_reads_other_spectrograms_is_refused_before_training(
    finished: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"vocoder: .* reads 128 mel bands; the spectrograms have 32"):
        make_trainer(settings("audio", data, tmp_path, vocoder=str(finished["vocoder"] / "checkpoint")))


def test_damaged_and_foreign_files_are_refused(finished: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing of that name"):
        load_image_tokenizer("no-such-tokeniser")
    with pytest.raises(ConfigError, match="audio_tokenizer"):
        load_image_tokenizer(finished["audio"] / "checkpoint")
    for name in ("config.json", "model.safetensors", "SHA256SUMS"):
        (tmp_path / name).write_bytes((finished["audio"] / "checkpoint" / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises((ChecksumError, WeightsError)):
        load_audio_tokenizer(tmp_path)


@pytest.mark.parametrize("recipe", ["tokenizer/image", "tokenizer/audio", "tokenizer/vocoder", "tokenizer/text"])
def test_recipes_are_complete_but_for_data_and_out(recipe: str) -> None:
    stage = stage_of(CONFIGS / "experiment" / f"{recipe}.yaml")
    schema = experiment_named(stage).schema
    config = compose(schema, [f"experiment={recipe}", "data=corpus", "out=runs/a"], config_dir=CONFIGS)
    assert type(config) is schema and config.data == "corpus"
