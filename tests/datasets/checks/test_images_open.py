"""verify opens images: first and last of every camera and episode, or all; replay spreads over tasks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.checks.episode_choice import choose_episodes, spread_over_tasks
from embodio.datasets.checks.finding import Finding
from embodio.datasets.checks.verify import verify
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.opening import open_source
from embodio.train.commands.data.data import main
from tests.support.datasets.toy import write_toy_dataset
from tests.support.datasets.vima_files import write_episode


def images(source: EpisodeSource, *, every_frame: bool = False) -> Finding:
    return next(found for found in verify(source, every_frame=every_frame) if found.check == "images")


def write_vima(folder: Path, broken: str = "") -> Path:
    for number in range(3):
        write_episode(folder / "rotate" / f"{number:06d}", 4, number)
    if broken:
        (folder / "rotate" / broken).write_bytes(b"not a picture")
    return folder


def test_images_that_open(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=3, steps=5)
    assert images(open_source(folder)).found == "first and last frame of each episode: 12 images"
    assert images(open_source(folder), every_frame=True).found == "every frame: 30 images"
    one_step = write_toy_dataset(tmp_path / "short", episodes=2, steps=1)
    assert images(open_source(one_step)).found == "first and last frame of each episode: 4 images"


@pytest.mark.parametrize("broken", ["000001/rgb_front/0.jpg", "000001/rgb_top/3.jpg"])
def test_a_first_or_last_frame_that_does_not_open_is_named(broken: str, tmp_path: Path) -> None:
    finding = images(open_source(write_vima(tmp_path / "vima", broken)))
    assert finding.status == "warning" and finding.found.startswith("1 of 3 episodes have images that do not open: 1;")


def test_a_frame_in_the_middle_is_looked_at_where_asked(tmp_path: Path) -> None:
    folder = write_vima(tmp_path / "vima", "000002/rgb_front/2.jpg")
    assert images(open_source(folder)).status == "ok"
    assert images(open_source(folder), every_frame=True).status == "warning"
    assert main(["verify", str(folder), "replay=0"]) == 0
    assert main(["verify", str(folder), "replay=0", "strict=true"]) == 1


@given(st.lists(st.sampled_from("abcdef"), max_size=40), st.integers(0, 50))
def test_episodes_are_shared_out_among_tasks(tasks: list[str], count: int) -> None:
    labels = dict(enumerate(tasks))
    chosen = spread_over_tasks(labels, count)
    assert len(set(chosen)) == len(chosen) == min(count, len(tasks)) and chosen == sorted(chosen)
    shares = {task: sum(labels[number] == task for number in chosen) for task in set(tasks)}
    for task, share in shares.items():
        assert share == tasks.count(task) or share + 1 >= max(shares.values())


def test_replayed_episodes_are_of_different_tasks(tmp_path: Path) -> None:
    for task, episodes in (("rotate", 5), ("rearrange", 2), ("twist", 3)):
        for number in range(episodes):
            write_episode(tmp_path / task / f"{number:06d}", 2, number)
    source = open_source(tmp_path)
    tasks = [source.episode(number).metadata["task"] for number in choose_episodes(source, range(10), 3)]
    assert sorted(tasks) == ["rearrange", "rotate", "twist"]
    (tmp_path / "twist" / "000000" / "trajectory.pkl").write_bytes(b"damaged")
    assert len(choose_episodes(open_source(tmp_path), range(10), 10)) == 9
