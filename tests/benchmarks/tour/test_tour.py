"""A tour: one page with an episode, and answers about its frame, a made-up scene, a picture and words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from embodio.agent import Agent, Declined, save_checkpoint
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.tour import guide
from embodio.benchmarks.tour.episode import TourPlay, known_of
from embodio.benchmarks.tour.marks import Mark, mark_of
from embodio.benchmarks.tour.stops import of_frame
from embodio.benchmarks.tour.tour import TourConfig, main
from embodio.datasets.corpus.robots.photographer import ROBOT, Shot
from embodio.datasets.errors import FeatureError
from embodio.envs import make_env
from embodio.envs.rollout import EpisodeResult
from embodio.model.tasks.errors import AnswerError
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


@pytest.mark.sim  # first, so that robosuite, which ends the display, is the last to be told that the process ends
def test_the_simulator_knows_what_the_robot_sees() -> None:
    world = make_env("robosuite/lift")
    seen, _ = world.reset(seed=10000)
    shot = known_of(world, "agentview")
    world.close()
    assert shot is not None and shot.names == ("red cube",)
    np.testing.assert_array_equal(shot.image, seen["agentview"])
    cube = seen["agentview"][shot.masks == 1].mean(axis=0)
    assert cube[0] > 2 * cube[1] and (shot.masks == ROBOT).any()
    assert known_of(FilmedEnv(), "front") is None


def test_everything_is_on_one_page(tmp_path: Path, checkpoint: Path) -> None:
    corpus = write_tiny_corpus(tmp_path / "corpus", ("validation",), WORDS)
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "mine.png")
    spoken, mine = str(corpus / "commands" / "validation"), str(tmp_path / "mine.png")
    page = tour(tmp_path / "out", checkpoint, spoken=spoken, picture=mine)
    for title in (
        *("It acts, told by a voice", "It imagines the end", "It hears", "What is said?", "how many cubes are there?"),
        *("On the frame that it saw first", "On a scene that it has never seen", "On a picture of yours"),
        *("Point at the red cube", "Where is everything?", "Would it do the opposite action?", "It draws"),
        *("On a picture that was drawn for it", "Which way do surfaces face?", "Draw a red cube", "Say: ", guide.ROUGH),
    ):
        assert title in page, title
    assert "after 4 steps" in page
    assert page.count("video/mp4") == 2  # what it was told, and what is not there
    assert "“open the door”" in page and "it acted all the same for 4 steps" in page
    assert "this policy has not learned to refuse" in page and "to refuse</p>" in page
    assert page.count("audio/wav") >= 2  # what it was told, there and where it says what it hears
    assert (tmp_path / "out" / "scene" / "validation" / "00000.tar").is_file()
    assert "right</h4>" in page and "✗</span>" in page  # the made-up scene has right answers


def test_without_a_voice_it_is_told_in_words(tmp_path: Path, checkpoint: Path) -> None:
    page = tour(tmp_path, checkpoint, absent="")
    assert "told by a voice" not in page and "It hears" not in page and "not there" not in page
    assert WORDS in page


def test_what_is_known_is_marked_and_the_truth_stands_next_to_it() -> None:
    mask = np.zeros((20, 30), bool)
    mask[4:10, 6:16] = True
    frame, box = np.zeros((20, 30, 3), np.uint8), np.array([4, 6, 10, 16], np.float32)
    asked = [stop for stop in of_frame(frame, ("red cube",), known(mask)) if stop.known]
    titles = {stop.title: stop for stop in asked}
    where = titles["Where is the red cube?"]
    np.testing.assert_array_equal(where.asked.box, box)
    assert where.request.box is None
    assert titles["what colour is the cube?"].asked.text == "red"
    assert titles["how many cubes are there?"].asked.text == "one"
    assert titles["where is the cube?"].asked.references == ("in the middle",)
    shifted = np.array([4, 11, 10, 21], np.float32)
    for found, right, words in ((box, True, "boxes overlap by 100%"), (shifted, False, "boxes overlap by 33%")):
        mark = mark_of("refer", dataclasses.replace(where.request, box=found), where.asked)
        assert mark == Mark(right, words)
    question = titles["what colour is the cube?"]
    assert mark_of("answer_question", AnswerError("nothing", ""), question.asked) == Mark(right=False)
    assert mark_of("caption", question.asked, question.asked) is None


def test_refusing_what_is_not_there_is_right() -> None:
    refused = TourPlay(EpisodeResult(0, "abstained", 0, 0.1, "there is none"), (), None)
    acted = TourPlay(EpisodeResult(0, "success", 9, 0.1), (), None)
    assert guide.went("sit", refused, may_abstain=True).line == (
        "  ✓ “sit”  it refused before its first action: there is none; right: to refuse"
    )
    said = guide.went("sit", acted, may_abstain=True).line
    assert said.startswith("  ✗") and "did its own task instead" in said and "not learned" not in said


def test_an_agent_that_refuses_what_is_not_there_is_marked_right(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = Agent.act

    def refusing(self: Agent, observation: Any) -> Any:
        if self.sessions[0].instruction == "open the door":
            raise Declined("there is no door")
        return act(self, observation)

    monkeypatch.setattr(Agent, "act", refusing)
    page = tour(tmp_path, checkpoint)
    assert "it refused before its first action: there is no door" in page
    assert page.count("video/mp4") == 1
    stop = page[page.index("<h2>Asked for something that is not there") :]
    assert "✓</span> “open the door”" in stop and "after 4 steps on" in page


def known(mask: np.ndarray) -> Shot:
    eye = np.eye(4)
    depth, camera = np.ones(mask.shape), np.array([[20.0, 0, 15], [0, 20.0, 10], [0, 0, 1]])
    values = mask.astype(np.uint8)
    return Shot(mask, depth, values, ("red cube",), np.zeros((1, 3)), (0.5,), np.zeros(3), False, eye, camera)


def test_mistakes(tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BenchmarkError, match=r"picture: .*nothing\.png"):
        tour(tmp_path, checkpoint, picture=str(tmp_path / "nothing.png"))
    with pytest.raises(FeatureError, match="nothing said there means 'push block 4', only lift the red cube"):
        tour(tmp_path, checkpoint, spoken="lift-aloud")
    deaf = artist()
    save_checkpoint(tmp_path / "deaf", deaf.model, deaf.format)
    with pytest.raises(BenchmarkError, match=r"spoken: .*deaf hears no instructions .* give spoken='' for words"):
        tour(tmp_path / "t", tmp_path / "deaf", spoken="lift-aloud")
    assert main(["out="]) == 2
    assert "'out' must be a path, got ''" in capsys.readouterr().err
    assert main([f"agent={tmp_path / 'none'}", f"out={tmp_path / 'x'}"]) == 1
    assert "none" in capsys.readouterr().err
