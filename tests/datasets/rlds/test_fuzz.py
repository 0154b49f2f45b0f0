"""Damaged data: whatever happens to the bytes of a data set, it gives the right values or an error with a name."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from embodio.agent import PolicyConfig, PolicyFormat
from embodio.agent.errors import AgentError
from embodio.datasets.episodes.features import features_of
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.files.byte_files import LocalFile
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.tfrecord import frame, scan
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.stream.loader import Loader, LoaderConfig
from embodio.datasets.stream.stream import BatchStream
from embodio.datasets.tasks.next_action import NextAction
from embodio.envs.errors import EmbodimentError
from embodio.model.config.model import ModelConfig
from embodio.model.errors import ModelError
from embodio.model.processing.processor import Processor
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.datasets.fake_robot import fake_embodiment

EPISODES, STEPS = 3, 2
TYPED = (DatasetError, EmbodimentError)


def write(folder: Path, **changes: Any) -> Path:
    """Three episodes of two steps; `changes` replace fields of the first step of episode 1."""
    embodiment, generator = fake_embodiment(), np.random.default_rng(0)
    with RLDSWriter(folder, "mini", features_of(embodiment)) as writer:
        for episode in range(EPISODES):
            rows = []
            for step in range(STEPS):
                row = {
                    "observation/front": generator.integers(0, 256, (8, 12, 3), dtype=np.uint8),
                    "observation/wrist": generator.integers(0, 256, (16, 16, 3), dtype=np.uint8),
                    "observation/state": generator.uniform(0, 1, 2).astype(np.float32),
                    "action": generator.uniform(-0.5, 0.5, 3).astype(np.float32),
                    "expert_action": np.zeros(3, np.float32),
                    "reward": np.float32(0),
                    "discount": np.float32(1),
                    "is_first": step == 0,
                    "is_last": step == STEPS - 1,
                    "is_terminal": False,
                    "language_instruction": f"move {episode} \u00e9",
                }
                rows.append(row | (changes if episode == 1 and not step else {}))
            meta = {"seed": episode, "success": True, "environment": "e", "expert": "x", "noise": np.float32(0)}
            writer.add(rows, {f"episode_metadata/{name}": value for name, value in meta.items()})
    embodiment.save(folder / "embodiment.json")
    return folder


def episodes(folder: Path) -> Iterator[list[Any] | None]:
    """The values of each episode, None for one that says that it is damaged; raises what opening raises."""
    source = open_source(folder)
    for number in range(len(source)):
        try:
            opened = source.episode(number)
            values: list[Any] = [opened.instruction, opened.metadata]
            for path in ("action", "observation/state", "is_last"):
                values.append(opened.array(path).tolist())
            for camera in opened.cameras:
                values += [opened.frame(camera, step).tolist() for step in range(len(opened))]
            yield values
        except DatasetError:
            yield None


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write(tmp_path_factory.mktemp("fuzz") / "mini")
    assert None not in list(episodes(folder))
    open_source(folder).episode_length(0)  # makes the files that save work, too
    return folder


@contextlib.contextmanager
def copied(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(folder, Path(place) / "mini"))


def damage(content: bytes, kind: str, place: int, amount: int) -> bytes:
    """A bit flipped, a tail cut off, a piece lost, zeroed, or put in twice."""
    place %= max(1, len(content))
    if kind == "flip":
        return content[:place] + bytes([content[place] ^ 1 << amount % 8]) + content[place + 1 :]
    if kind == "cut":
        return content[:place]
    piece = content[place : place + amount]
    middle = {"lose": b"", "zero": bytes(len(piece)), "repeat": piece * 2}[kind]
    return content[:place] + middle + content[place + amount :]


damages = st.tuples(
    st.sampled_from(["flip", "flip", "cut", "lose", "zero", "repeat"]), st.integers(0, 2**20), st.integers(1, 64)
)
quiet = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quiet
@given(damages)
@example(("cut", 0, 1))
def test_a_damaged_shard_gives_right_values_or_says_so(whole: Path, kind: tuple[str, int, int]) -> None:
    expected = list(episodes(whole))
    with copied(whole) as folder:
        shard = next(folder.glob("*.tfrecord*"))
        shard.write_bytes(damage(shard.read_bytes(), *kind))
        try:
            found = list(episodes(folder))
        except TYPED:
            return
        assert all(values is None or values == right for values, right in zip(found, expected, strict=True))


@quiet
@given(st.integers(0, 9), damages)
def test_damaged_descriptions_are_errors_with_names(whole: Path, number: int, kind: tuple[str, int, int]) -> None:
    """What they say cannot be checked, but nothing else than an error with a name comes out of nonsense."""
    with copied(whole) as folder:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and "tfrecord" not in path.name)
        file = files[number % len(files)]
        file.write_bytes(damage(file.read_bytes(), *kind))
        with contextlib.suppress(*TYPED):
            list(episodes(folder))
            open_source(folder).embodiment.to_dict()


@quiet
@given(damages, st.integers(0, EPISODES - 1))
def test_nonsense_with_a_right_checksum_is_an_error_with_a_name(
    whole: Path, kind: tuple[str, int, int], number: int
) -> None:
    """Writers can be wrong too: the frames of the records are whole, what is in them is not."""
    with copied(whole) as folder:
        shard = next(folder.glob("*.tfrecord*"))
        content, records = shard.read_bytes(), []
        for place, (start, length) in enumerate(spans(shard)):
            payload = content[start : start + length]
            records.append(frame(damage(payload, *kind) if place == number else payload))
        shard.write_bytes(b"".join(records))
        with contextlib.suppress(*TYPED):
            list(episodes(folder))
            task = make_task(folder)
            for record in range(len(task)):
                with contextlib.suppress(DatasetError, ModelError, AgentError):
                    task.example(record)


def spans(shard: Path) -> Any:
    return scan(LocalFile(shard)).tolist()


def make_task(folder: Path) -> NextAction:
    source = open_source(folder)
    config = PolicyConfig(cameras=("wrist",), chunk=1, state_range="limits")
    form = PolicyFormat(config, source.embodiment, compute_statistics(source), Vocabulary.default())
    return NextAction(source, form, range(len(source)))


def batches(folder: Path, limit: int = 1) -> tuple[list[Any], tuple[Any, ...]]:
    task = make_task(folder)
    stream = BatchStream(task, Processor(ModelConfig.named("nano"), Vocabulary.default()), 0, 2)
    with Loader(stream, 0, 6, LoaderConfig(damaged_limit=limit)) as loader:
        return list(loader), loader.damaged


@pytest.mark.parametrize("action", [np.nan, np.inf, -np.inf])
def test_an_action_that_is_no_number_is_skipped_and_counted(action: float, tmp_path: Path) -> None:
    folder = write(tmp_path / "mini", action=np.array([action, 0, 0], np.float32))
    made, damaged = batches(folder)
    assert len(made) == 6 and [(error.dataset, error.episode, error.step) for error in damaged] == [("mini", 1, 0)]
    with pytest.raises(DatasetError, match="1 episodes or records are damaged, but damaged_limit is 0"):
        batches(folder, limit=0)


def test_text_that_is_not_utf8_is_skipped_and_counted(whole: Path) -> None:
    with copied(whole) as folder:
        shard = next(folder.glob("*.tfrecord*"))
        content = shard.read_bytes()
        payloads = [content[start : start + length] for start, length in spans(shard)]
        payloads[1] = payloads[1].replace("\u00e9".encode(), b"\xff\xfe")
        shard.write_bytes(b"".join(map(frame, payloads)))
        made, damaged = batches(folder)
        assert len(made) == 6 and [error.episode for error in damaged] == [1] and "UTF-8" in str(damaged[0])


def test_an_empty_episode_is_refused_when_written_and_left_out_when_read(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(FeatureError), RLDSWriter(tmp_path / "none", "none", features_of(fake_embodiment())) as writer:
        writer.add([], {})
    with copied(whole) as folder:
        shard = next(folder.glob("*.tfrecord*"))
        content = shard.read_bytes()
        payloads = [content[start : start + length] for start, length in spans(shard)]
        shard.write_bytes(b"".join(map(frame, [payloads[0], b"", payloads[2]])))
        made, damaged = batches(folder)
        assert len(made) == 6 and [error.episode for error in damaged] == [1]
