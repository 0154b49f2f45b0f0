"""The report: one well-formed page that needs nothing from outside, and the videos in it."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from embodio.benchmarks.rollouts.curve import cumulative, curve_svg
from embodio.benchmarks.rollouts.latency import Latency
from embodio.benchmarks.rollouts.report import report_html, write_report
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.summary import EpisodeRow
from embodio.benchmarks.rollouts.video import EpisodeVideo
from tests.support.html_events import html_events

VOID = {"meta", "br", "img", "link", "hr", "input"}


class Checker(HTMLParser):
    """Checks that tags are nested well, and collects references and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def film(folder: Path, frames: int, outcome: str = "success") -> str | None:
    with EpisodeVideo(folder, "robosuite/lift agent:1-seed7", fps=20) as video:
        for index in range(frames):
            video.add(np.full((64, 96, 3), 10 * index, np.uint8))
        return video.finish(outcome)


def example(video: str | None = None) -> Results:
    statuses = ["success", "timeout", "error", "success", "failure"]
    rows = [
        EpisodeRow(100 + i, status, 30 + i, 1.25, first_success=30 + i if status == "success" else None)
        for i, status in enumerate(statuses)
    ]
    rows[0] = EpisodeRow(100, "success", 30, 1.0, "", video, first_success=30)
    rows[2] = EpisodeRow(102, "error", 3, 1.0, "<script>alert('x')</script> & more", "gone.mp4")
    agent = {"name": "a<b", "sha256": {"model.safetensors": "ab" * 32}}
    settings = {"agent": "a<b", "env": "robosuite/lift", "seed": 100, "replan": None}
    return Results(settings, agent, {"torch": "2.13.0"}, {"processor": "P"}, Latency.of([1.0, 2.0]), rows)


def test_video_has_all_frames_and_a_telling_name(tmp_path: Path) -> None:
    name = film(tmp_path / "videos", 5)
    assert name == "robosuite-lift-agent-1-seed7-success.mp4"
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "videos" / name))
    meta = next(reader)
    assert meta["size"] == (96, 64)
    assert meta["fps"] == 20
    frames = [np.frombuffer(frame, np.uint8).reshape(64, 96, 3) for frame in reader]
    assert len(frames) == 5
    assert frames[3].mean() == pytest.approx(30, abs=3)
    assert [path.name for path in (tmp_path / "videos").iterdir()] == [name]


def test_a_video_that_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), EpisodeVideo(tmp_path, "v", fps=20) as video:
        video.add(np.zeros((32, 32, 3), np.uint8))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    assert film(tmp_path, 0) is None


def test_page_is_well_formed_and_self_contained(tmp_path: Path) -> None:
    name = film(tmp_path / "videos", 4)
    write_report(example(name), tmp_path / "report.html", tmp_path / "videos", "embodio-rollout agent='a<b'")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert all(reference.startswith("data:") for reference in checker.references)
    assert not re.search(r"@import|url\(|https?://", page)
    embedded = base64.b64decode(checker.references[0].removeprefix("data:video/mp4;base64,"))
    assert embedded == (tmp_path / "videos" / str(name)).read_bytes()
    assert len(checker.references) == 1, "a video whose file is gone is left out"


def test_page_says_it_all() -> None:
    page = report_html(example(), Path("nowhere"), "embodio-rollout agent='a<b'").decode()
    assert "<script>" not in page
    checker = Checker()
    checker.feed(page)
    text = " ".join(checker.words)
    assert "50.0%" in text
    assert "2 of 4 episodes" in text
    assert "<script>alert('x')</script> & more" in text
    assert "ab" * 32 in text
    assert "embodio-rollout agent='a<b'" in text
    for seed in range(100, 105):
        assert str(seed) in text
    assert "Videos" not in text


def test_the_page_is_that_of_data_report_html(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"mp4")
    page = report_html(example("v.mp4"), tmp_path, "embodio-rollout agent='a<b'")
    expected = (Path(__file__).parent / "data" / "report.html").read_bytes()
    assert html_events(page) == html_events(expected)


def test_success_at_any_step_is_shown_where_it_differs() -> None:
    results = example()
    assert b"success at any step" not in report_html(results, Path("nowhere"), "")
    results.rows[1] = EpisodeRow(101, "timeout", 31, 1.25, first_success=7)
    assert b"success at any step" in report_html(results, Path("nowhere"), "")


def test_the_length_of_the_way_is_shown_where_it_is_known() -> None:
    results = example()
    assert b"SPL" not in report_html(results, Path("nowhere"), "")
    results.rows = [replace(row, path=4.0, shortest=3.0) for row in results.rows]
    page = report_html(results, Path("nowhere"), "").decode()
    assert "0.375" in page and "arXiv 1807.06757" in page, "two of four succeed, by three quarters"


def test_page_without_episodes() -> None:
    results = example()
    results.rows, results.latency = [], None
    assert "n/a" in report_html(results, Path("nowhere"), "").decode()


def test_curve_leaves_errors_out() -> None:
    points = cumulative(example().rows)
    assert [point.episode for point in points] == [1, 2, 3, 4, 5]
    assert [point.rate for point in points] == pytest.approx([1, 0.5, 0.5, 2 / 3, 0.5])
    assert all(point.low <= point.rate <= point.high for point in points)
    errors_first = [EpisodeRow(0, "error", 0, 0.0), EpisodeRow(1, "success", 1, 0.0)]
    assert [point.episode for point in cumulative(errors_first)] == [2]


@pytest.mark.parametrize("count", [0, 1, 5, 100, 1000])
def test_curve_stays_in_its_picture(count: int) -> None:
    statuses = ["success", "timeout", "success", "error", "failure"]
    rows = [EpisodeRow(seed, statuses[seed % 5], 10, 1.0) for seed in range(count)]
    picture = ElementTree.fromstring(curve_svg(rows))
    width, height = (float(value) for value in picture.attrib["viewBox"].split()[2:])
    strip = [item for item in picture.iter("rect") if item.attrib["class"] in set(statuses)]
    assert len(strip) == count
    for item in picture.iter("rect"):
        left, right = float(item.attrib["x"]), float(item.attrib["x"]) + float(item.attrib["width"])
        assert 0 <= left < right <= width
        assert 0 <= float(item.attrib["y"]) < height
    for name in ("polygon", "polyline"):
        for item in picture.iter(name):
            for point in item.attrib["points"].split():
                x, y = (float(value) for value in point.split(","))
                assert 0 <= x <= width
                assert 0 <= y <= height


def test_text_that_a_page_cannot_hold_does_no_harm() -> None:
    page = report_html(example(), Path("nowhere"), "command \x00 \ud800 <b>").decode()
    assert "command \ufffd ? &lt;b&gt;" in page
