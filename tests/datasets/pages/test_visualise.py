"""The page that shows episodes: nothing in a data set breaks it, and what it shows is what the data holds."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.codecs.video import video_bytes
from embodio.datasets.errors import DatasetError
from embodio.datasets.pages.episode_page import EpisodePage, Medium, TokenTable, page_html
from embodio.datasets.pages.plot import HEIGHT, WIDTH, plot_svg
from embodio.datasets.pages.visualise import write_page
from embodio.datasets.rlds.reader import RLDSReader
from tests.support.datasets.toy import write_toy_dataset
from tests.support.html_events import html_events


class Reader(HTMLParser):
    """Notes all tags with their attributes' names, and the text of the instruction."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.instruction = ""
        self._inside = False
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        self._inside = ("class", "instruction") in attrs

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}",))
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.instruction += data


def page_of(text: str) -> Reader:
    tokens = TokenTable(text, ("step", text), [("0", text)])
    plot = plot_svg(text, np.arange(3.0))
    episode = EpisodePage(text, text, {"steps": "3", "note": text}, {text: b"x"}, {text: [plot]}, tokens)
    return Reader(page_html(text, {"robot": text}, [episode]))


NASTY = [
    "</p><script>alert(1)</script>",
    "{title} {",
    "\" onload='x' &lt;",
    "<!--",
    "]]>",
    "\x00\x1b[31m",
    "\ud800",
    "</style>",
]


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(st.characters()), st.sampled_from(NASTY), st.lists(st.sampled_from(NASTY)).map("".join)))
def test_no_text_breaks_the_page(text: str) -> None:
    found = page_of(text)
    assert found.tags == page_of("lift the cube").tags
    shown = "".join("\ufffd" if (sign < " " and sign not in "\t\n") or sign == "\x7f" else sign for sign in text)
    assert found.instruction == shown.encode("utf-8", "replace").decode()


def test_the_page_is_that_of_data_episodes_html() -> None:
    """Every kind of content, with text that means something in HTML."""
    text = "a<b> & \"c\" 'd'\x00"
    drawn = {
        "action": [plot_svg(text, np.arange(3.0)), plot_svg("y", np.array([-1, np.nan, 2.0]))],
        "state": [plot_svg("s", np.ones(3))],
        "reward": [plot_svg("r", np.zeros(3))],
    }
    first = EpisodePage(
        "Episode 0",
        ["push ", Medium("image/png", b"png"), " to ", Medium("audio/wav", b"wav")],
        {"steps": "3", "note": text},
        {text: b"mp4", "front": b"x"},
        drawn,
        TokenTable(f"note {text}", ("step", text), [("0", text), ("1", "x")]),
        {"microphone": Medium("audio/wav", b"snd")},
    )
    second = EpisodePage("Episode 1", "lift", {"note": "no steps"}, {}, {}, TokenTable("n", ("a",), []))
    page = page_html(f"toy {text}", {"robot": text, "episodes": "2"}, [first, second])
    expected = (Path(__file__).parent / "data" / "episodes.html").read_bytes()
    assert html_events(page) == html_events(expected)


def test_one_slider_goes_over_the_steps_of_an_episode() -> None:
    plot = plot_svg("x", np.arange(3.0))
    episode = EpisodePage("Episode 0", "lift", {"steps": "3"}, {}, {"x": [plot]})
    page = page_html("toy", {}, [episode]).decode()
    assert page.count('<input type="range" min="0" max="2"') == page.count('data-steps="3"') == 1
    assert page.count("<script>") == 1 and "data-margin" in plot


@pytest.mark.parametrize("values", [[np.nan, np.nan], [np.inf, 1, 2], [3, 3, 3], [5], [-1e308, 1e308], []])
def test_plots_of_odd_numbers_stay_inside(values: list[float]) -> None:
    svg = plot_svg("x", np.array(values, np.float64))
    drawn = re.search(r' d="([^"]*)"', svg)
    assert drawn is not None
    points = re.findall(r"[ML]([\d.-]+) ([\d.-]+)", drawn[1])
    assert len(points) == np.isfinite(values).sum()
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in points)
    bad = int((~np.isfinite(values)).sum())
    assert (f"{bad} not finite" in svg) == (bad > 0)


@pytest.mark.parametrize(
    ("shape", "size"), [((31, 45, 3), (44, 30)), ((64, 640, 1), (320, 32)), ((16, 16, 4), (16, 16))]
)
def test_videos_hold_every_frame(tmp_path: Path, shape: tuple[int, int, int], size: tuple[int, int]) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(video_bytes((np.full(shape, 60 * number, np.uint8) for number in range(4)), 10.0))
    reader = imageio_ffmpeg.read_frames(str(path))
    assert next(reader)["size"] == size
    frames = [np.frombuffer(frame, np.uint8) for frame in reader]
    assert [round(float(frame.mean()) / 60) for frame in frames] == [0, 1, 2, 3]


def test_frames_that_make_no_video_are_refused() -> None:
    with pytest.raises(DatasetError, match="empty"):
        video_bytes(iter(()), 10.0)
    with pytest.raises(DatasetError, match="differ in size"):
        video_bytes((np.zeros((16, 16 + 2 * number, 3), np.uint8) for number in range(2)), 10.0)


def test_the_page_shows_the_episode_and_needs_no_network(tmp_path: Path) -> None:
    source, out, counts = RLDSReader(write_toy_dataset(tmp_path / "toy", episodes=2, steps=3)), tmp_path / "a.html", []
    write_page(source, [1], out, done=counts.append)
    page = out.read_text(encoding="utf-8")
    assert counts == [1]
    assert Reader(out.read_bytes()).instruction == "lift the cube"
    assert not re.search(r"https?:|src=\"(?!data:)|@import|url\(", page)
    videos = re.findall(r"video/mp4;base64,([\w+/=]+)", page)
    assert len(videos) == 2
    assert all(base64.b64decode(video)[4:8] == b"ftyp" for video in videos)
    assert all(f"<figcaption>{name} " in page for name in ("x", "turn", "gripper", "height", "opening", "reward"))
    assert "prefers-color-scheme: dark" in page
    with pytest.raises(DatasetError, match=r"\[2\] do not exist; toy has 0 to 1"):
        write_page(source, [2], out)
