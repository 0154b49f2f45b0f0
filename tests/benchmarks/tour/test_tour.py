"""A tour: one page with an episode, and answers about its frame, a made-up scene, a picture and words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from embodio.agent import save_checkpoint
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.tour import guide
from embodio.benchmarks.tour.tour import TourConfig, main
from embodio.datasets.errors import FeatureError
from tests.support.agent.artists import artist
from tests.support.agent.toy_env import ToyEnv
from tests.support.datasets.tiny_corpus import write_tiny_corpus

ENV = "tests.benchmarks.tour.test_tour:FilmedEnv"
WORDS = "push block 4"
SEED = 0


class FilmedEnv(ToyEnv):
    """A toy environment with a video, in which every episode has the same words."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        self.render_mode = render_mode

    def reset(self, **how: Any) -> Any:
        super().reset(**how)
        self._words, self._left = WORDS, 4
        return self._observe(), {}

    def render(self) -> np.ndarray:
        return self._observe()["front"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = artist(prompt_sounds=1)
    folder = tmp_path_factory.mktemp("artist") / "checkpoint"
    save_checkpoint(folder, found.model, found.format)
    return folder


def tour(out: Path, checkpoint: Path, **settings: Any) -> str:
    page = guide.show(
        TourConfig(
            **{"out": out, "agent": str(checkpoint), "env": ENV, "seed": SEED, "threads": 1, "spoken": "", **settings}
        ),
        Console(quiet=True),
    )
    return page.read_text()


def test_everything_is_on_one_page(tmp_path: Path, checkpoint: Path) -> None:
    corpus = write_tiny_corpus(tmp_path / "corpus", ("validation",), WORDS)
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "mine.png")
    spoken, mine = str(corpus / "commands" / "validation"), str(tmp_path / "mine.png")
    page = tour(tmp_path / "out", checkpoint, spoken=spoken, picture=mine)
    for title in (
        *("It acts, told by a voice", "It imagines the end", "It judges actions", "It hears", "What is said?"),
        *("On the frame that it saw first", "On a scene that it has never seen", "On a picture of yours"),
        *("Which way do surfaces face?", "Draw a red cube", "Say: ", "the opposite action"),
    ):
        assert title in page
    assert "after 4 steps" in page
    assert page.count("video/mp4") == 1
    assert page.count("audio/wav") >= 2  # what it was told, there and where it says what it hears
    assert (tmp_path / "out" / "scene" / "validation" / "00000.tar").is_file()
    assert "right</h4>" in page  # the made-up scene has right answers


def test_without_a_voice_it_is_told_in_words(tmp_path: Path, checkpoint: Path) -> None:
    page = tour(tmp_path, checkpoint)
    assert "told by a voice" not in page and "It hears" not in page
    assert WORDS in page


def test_mistakes(tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BenchmarkError, match=r"picture: .*nothing\.png"):
        tour(tmp_path, checkpoint, picture=str(tmp_path / "nothing.png"))
    with pytest.raises(FeatureError, match="nothing said there means 'push block 4', only lift the red cube"):
        tour(tmp_path, checkpoint, spoken="lift-aloud")
    deaf = artist()
    save_checkpoint(tmp_path / "deaf", deaf.model, deaf.format)
    with pytest.raises(BenchmarkError, match=r"spoken: .*deaf hears no instructions .* give spoken='' for words"):
        tour(tmp_path / "t", tmp_path / "deaf", spoken="lift-aloud")
    assert main([f"agent={tmp_path / 'none'}", f"out={tmp_path / 'x'}"]) == 1
    assert "none" in capsys.readouterr().err
