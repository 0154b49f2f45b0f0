"""Pre-training end to end on a drawn corpus: it resumes to the bit, and says what is missing or has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from embodio.datasets.errors import DatasetError
from embodio.datasets.records.corpora import Corpora
from embodio.model.config.model import ModelConfig
from embodio.model.weights.pretrained import load
from embodio.train.command_line.cli import compose
from embodio.train.command_line.schema import UsageError
from embodio.train.errors import ResumeError, TrainError
from embodio.train.experiments.pretrain.config import PretrainConfig, PretrainSource
from embodio.train.experiments.pretrain.network import seen_in_training
from embodio.train.log import read_log
from embodio.train.main import CONFIGS, build_parts, train
from tests.support.train.pretraining import pretraining_settings as settings
from tests.support.train.pretraining import write_pretraining_corpus
from tests.support.train.runs import same_files


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pretraining_corpus(tmp_path_factory.mktemp("corpus"))


def test_it_learns_all_modalities_and_resumes_to_the_bit(corpus: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(settings(corpus, whole)) == 0
    assert train(settings(corpus, cut, stop_after=1)) == 0
    assert train(settings(corpus, cut)) == 0
    assert same_files(whole / "checkpoint", cut / "checkpoint")
    lines = read_log(whole / "log.jsonl")
    measured = {line.get("task", ""): line for line in lines if line["kind"] == "validation"}
    assert set(measured) == {"", "words", "drawings", "tones"}
    seen = {key for line in lines for key in line if key.startswith("loss_")}
    assert seen >= {"loss_text", "loss_image", "loss_audio"}
    network = load(whole / "checkpoint")
    assert network.config.dynamic_masking and network.config.target_modalities == ("text", "image", "audio")
    assert network.config.lengths.decoder_image == 64 and network.config.image_vocab_size == 128


def test_a_corpus_that_changed_is_named(corpus: Path, tmp_path: Path) -> None:
    assert train(settings(corpus, tmp_path, steps=1)) == 0
    other = corpus.with_name("other")
    for split in ("train", "validation"):
        (other / "words" / split).mkdir(parents=True)
        (other / "words" / split / "00000.jsonl").write_text(json.dumps({"text": "other words than before"}) + "\n")
    sources = {name: PretrainSource() for name in ("words", "drawings", "tones")}
    sources["words"] = PretrainSource(place=str(other / "words"))
    with pytest.raises(ResumeError, match=r"sources\.words\."):
        train(settings(corpus, tmp_path, steps=2, sources=sources))


def test_it_begins_with_the_weights_of_another_run(corpus: Path, tmp_path: Path) -> None:
    text: dict[str, Any] = {"targets": ("text",), "image_tokenizer": "", "audio_tokenizer": "", "steps": 1}
    text["sources"] = {"words": PretrainSource()}
    assert train(settings(corpus, tmp_path / "one", **text)) == 0
    parts = build_parts(settings(corpus, tmp_path / "two", init=str(tmp_path / "one" / "checkpoint")))
    before = load(tmp_path / "one" / "checkpoint").state_dict()
    assert torch.equal(parts.network.state_dict()["encoder.norm.scale"], before["encoder.norm.scale"])
    assert parts.identity["init"]


def test_mistakes_are_named(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="image_tokenizer: targets has image"):
        settings(corpus, tmp_path, image_tokenizer="")
    with pytest.raises(UsageError, match="audio_tokenizer: targets lacks audio"):
        settings(corpus, tmp_path, targets=("text", "image"))
    with pytest.raises(UsageError, match=r"modality_weights\.audio: got 2\.0, expected .* text, image"):
        settings(corpus, tmp_path, targets=("text", "image"), audio_tokenizer="", modality_weights={"audio": 2.0})
    with pytest.raises(UsageError, match=r"modality_weights\.image: got nan"):
        settings(corpus, tmp_path, modality_weights={"image": float("nan")})
    with pytest.raises(UsageError, match=r"length_discount: got 1\.5"):
        settings(corpus, tmp_path, length_discount=1.5)
    with pytest.raises(UsageError, match="sources: give at least one"):
        settings(corpus, tmp_path, sources={})
    with pytest.raises(UsageError, match=r"sources\.words\.objectives: sing"):
        settings(corpus, tmp_path, sources={"words": PretrainSource(objectives=("sing",))})
    with pytest.raises(TrainError, match="vocabulary: nowhere does not exist"):
        build_parts(settings(corpus, tmp_path, vocabulary="nowhere"))


def test_encoders_see_a_share_of_the_patches_in_training() -> None:
    config = ModelConfig.named("nano_generalist")
    sampling = seen_in_training(config, 0.5).sampling
    assert (sampling.image_patches, sampling.audio_patches, sampling.image_history_patches) == (36, 64, 36)
    assert seen_in_training(config, 1.0).sampling == config.sampling


def test_the_recipe_composes() -> None:
    config = compose(PretrainConfig, ["experiment=pretrain_nano", "data=d", "out=o"], config_dir=CONFIGS)
    assert config.size == "nano_generalist" and config.dynamic_masking and config.patches == 0.5
    assert (config.corpora, config.missing, config.shippable) == ("nano", "skip", True)
    assert (config.threads, config.precision) == (1, "bfloat16"), "as its time was measured"


def test_weights_that_ship_are_trained_without_some_sources() -> None:
    whole = Corpora.load("nano")
    assert {one.name for one in whole.sources} - {one.name for one in whole.shippable().sources} == {
        "python_docs",
        "stamps",
    }
    assert whole.shippable().groups == whole.groups


def test_a_config_of_corpora_stands_for_sources(corpus: Path, tmp_path: Path) -> None:
    mine = {
        "group": "text",
        "rate": 1.0,
        "title": "t",
        "origin": "o",
        "licence": "CC0",
        "objectives": {"denoise_text": 1},
    }
    sources = {"words": mine | {"path": "words"}, "gone": mine | {"path": "gone"}}
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"groups": {"text": {"rate": 1}}, "sources": sources}))
    changes: dict[str, Any] = {"sources": {}, "corpora": str(path)}
    with pytest.raises(DatasetError, match="1 of 2 sources are missing"):
        build_parts(settings(corpus, tmp_path / "run", **changes))
    parts = build_parts(settings(corpus, tmp_path / "run", **changes, missing="skip"))
    assert set(parts.identity["sources"]) == {"words"}
    with pytest.raises(UsageError, match="or corpora=nano, not both"):
        settings(corpus, tmp_path, corpora="nano")
    with pytest.raises(UsageError, match="missing: got 'ask'"):
        settings(corpus, tmp_path, **changes, missing="ask")


def test_the_recipe_of_the_paper_composes() -> None:
    media = ["image_tokenizer=i", "audio_tokenizer=a"]
    config = compose(PretrainConfig, ["experiment=pretrain_paper", "data=d", "out=o", *media], config_dir=CONFIGS)
    assert config.corpora == "paper" and not config.sources and config.batch_size == 512
