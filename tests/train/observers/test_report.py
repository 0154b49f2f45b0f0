"""The report: one page without outside parts, with curves, tasks, account, samples and troubles."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from embodio.datasets.pages.example_page import ExampleCard, ShownPart
from embodio.model.example import Example
from embodio.model.processing.processor import Processor
from embodio.model.tokenizers.vocoder import Vocoder, VocoderConfig
from embodio.train.log import read_log
from embodio.train.loop import Trainer
from embodio.train.main import trainer_of
from embodio.train.observers.account import PHASES, Account, peak_operations
from embodio.train.observers.config import GuardConfig
from embodio.train.observers.curves import Curve, curves_svg
from embodio.train.observers.log_and_bar import LogAndBar
from embodio.train.observers.report import Report, report_html
from embodio.train.observers.samples import Sample, Samples
from tests.support.model.small import CONFIG, VOCABULARY, model
from tests.support.toy_experiment import ToyConfig, build
from tests.support.train.other_device import OtherDevice, moved_away


def lines() -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for step in range(20, 201, 20):
        shares = {f"time_{phase}": 1 / len(PHASES) for phase in PHASES}
        figures = {"bits_image": 9.0 - step / 100, "unigram_image": 9.5, "tokens_per_second": 1000.0, "mfu": 0.4}
        found.append({"kind": "train", "step": step, "loss": 5.0, "seconds_per_step": 1.0, **figures, **shares})
        found.append({"kind": "train", "step": step, "task": "<b>clip art</b>", "share": 0.4, "bits_image": 8.0})
    found.append({"kind": "validation", "step": 200, "loss": 4.0, "bits_image": 7.0, "unigram_image": 9.4})
    found.append({"kind": "validation", "step": 200, "task": "words", "loss": 4.5})
    found.append({"kind": "guard", "step": 150, "what": "step 150: loss nan <script>"})
    return found


def test_the_page_shows_everything_and_escapes_it() -> None:
    sample = Sample(ExampleCard("scene 1"), [ShownPart("image", note="a note")])
    page = report_html("run", lines(), 200, 400, {"seed": "3"}, [sample]).decode()
    for text in ("bits per token of image", "entropy without context", "Tasks of the stream", "40.0%", "scene 1"):
        assert text in page, text
    assert "&lt;b&gt;clip art" in page and "<script>" not in page and "http" not in page.replace("http-equiv", "")
    assert page.count("<svg") >= 4 and "Where the time goes" in page and "Written by the network" in page
    assert all(phase in page for phase in PHASES)


def test_a_run_without_lines_has_a_page() -> None:
    assert b"<h1>run" in report_html("run", [], 0, 10, {})


def test_curves_leave_out_what_is_not_finite_and_need_a_point() -> None:
    assert curves_svg("x", [Curve("a", [(1, float("nan"))])]) is None
    drawn = str(curves_svg("x", [Curve("a", [(1.0, 2.0), (2.0, float("inf")), (3.0, 2.0)])]))
    assert "nan" not in drawn and "inf" not in drawn and drawn.count("<polyline") == 1
    many = curves_svg("x", [Curve("a", [(float(step), float(step % 7)) for step in range(50_000)])])
    assert len(str(many)) < 20_000


def test_samples_are_written_by_the_network_the_same_each_time() -> None:
    rng = np.random.default_rng(0)
    image, sound = rng.integers(0, 256, (20, 20, 3)).astype(np.uint8), (0.1 * rng.normal(size=6000)).astype(np.float32)
    example = Example(text="draw it", image=image, text_target="a box", image_target=image, audio_target=sound)
    samples = Samples({"one": example}, Processor(CONFIG, VOCABULARY))
    first, second = samples(model())[0], samples(model())[0]
    assert [part.name for part in first.made] == ["text", "image", "sound"]
    assert [len(part.media) for part in first.made] == [0, 1, 2]
    assert [part.media for part in first.made] == [part.media for part in second.made]
    assert [part.name for part in first.card.writes] == ["text", "image", "sound"]
    bare = dataclasses.replace(samples, examples={"text": Example(text="say", text_target="a")})
    assert [part.name for part in bare(model())[0].made] == ["text"]


def test_samples_of_a_network_on_another_device_are_those_of_the_cpu() -> None:
    example = Example(text="draw it", text_target="a", audio_target=np.zeros(6000, np.float32))
    vocoder = Vocoder(VocoderConfig(channels=16, num_mels=CONFIG.audio_tokenizer.spectrogram_size[0]))
    samples = Samples({"one": example}, Processor(CONFIG, VOCABULARY), vocoder)
    expected = samples(model())[0].made
    with OtherDevice():
        assert samples(moved_away(copy.deepcopy(model())))[0].made == expected


def test_the_account_covers_all_of_the_time(tmp_path: Path) -> None:
    account = Account(torch.nn.Linear(1, 1), torch.device("cpu"), "float32")
    account.mark("validation")
    line = account.line()
    shares = [value for name, value in line.items() if name.startswith("time_")]
    assert abs(sum(shares) - 1) < 0.02 and line["memory_mb"] > 10 and "mfu" not in line
    assert 1e8 < peak_operations(torch.device("cpu"), "float32") < 1e14


def test_what_is_seen_of_a_run_changes_nothing_of_it(tmp_path: Path) -> None:
    """Log, sinks, report and samples that draw random numbers: the checkpoint is that of a run that nobody watches."""

    def trained(name: str, **changes: object) -> Trainer[Any]:
        config = ToyConfig(out=str(tmp_path / name), steps=3, batch_size=2, workers=0, dropout_rate=0.1, log_every=1)
        config = dataclasses.replace(config, validate_every=2, **changes)  # type: ignore[arg-type]
        torch.manual_seed(0)
        return trainer_of(build(config), config)

    def sample(network: torch.nn.Module) -> list[Sample]:
        torch.rand(5)
        return [Sample(ExampleCard(f"training: {network.training}"))]

    plain, watched = trained("plain"), trained("watched", guard=GuardConfig(spike=1e9, window=1))
    plain.observers, watched.observers = (), (LogAndBar(), Report(sample))
    assert plain.train() and watched.train()
    weights = [load_file(tmp_path / name / "checkpoint" / "training.safetensors") for name in ("plain", "watched")]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    page = (tmp_path / "watched" / "report.html").read_text()
    assert "training: False" in page and "bits per token of text" in page
    [*_, last] = [line for line in read_log(tmp_path / "watched" / "log.jsonl") if line["kind"] == "train"]
    assert {"bits_text", "unigram_text", "tokens_per_second", "padding", "mfu", "time_forward", "memory_mb"} <= set(
        last
    )
    assert 0 <= last["padding"] < 1 and last["mfu"] > 0 and last["bits_text"] > 0
