"""Shards of a collection: merged they have the bytes of one collection; what is missing or doubled is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from embodio.datasets import CollectionError, CollectionMismatch
from embodio.datasets.recording.collect import collect
from embodio.datasets.recording.merging import merge_collections
from embodio.train.commands.collect import main
from tests.support.datasets.fake_robot import FakeSource

SETTINGS: dict[str, Any] = {"noise": (0.0, 0.01), "workers": 1, "progress": False, "source": FakeSource()}


def run(folder: Path, shard: str = "", episodes: int = 5, seed: int = 100) -> None:
    collect("fake/plane", episodes, seed, folder, shard=shard, **SETTINGS)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".json"}


def test_merged_shards_have_the_bytes_of_one_collection(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    for number in (2, 1):
        run(tmp_path / "parts", f"{number}/2")
    assert main(["merge", str(tmp_path / "parts")]) == 0
    assert files(tmp_path / "parts") == files(tmp_path / "whole") != {}
    settings = [
        json.loads((tmp_path / name / "collection.json").read_text())["settings"] for name in ("parts", "whole")
    ]
    assert settings[0] == settings[1]
    assert merge_collections([tmp_path / "parts"], tmp_path / "parts") == 5, "merging again changes nothing"
    run(tmp_path / "parts", episodes=6)
    run(tmp_path / "whole", episodes=6)
    assert files(tmp_path / "parts") == files(tmp_path / "whole"), "and it can be extended"


def test_what_is_missing_doubled_or_different_is_named(tmp_path: Path) -> None:
    run(tmp_path / "a", "1/2", episodes=2)
    with pytest.raises(CollectionError, match="shards are missing: 2/2"):
        merge_collections([tmp_path / "a"], tmp_path / "out")
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    with pytest.raises(CollectionError, match=r"a/shards/1-of-2 and .*copy/shards/1-of-2 are both shard 1/2"):
        merge_collections([tmp_path / "a", tmp_path / "copy"], tmp_path / "out")
    run(tmp_path / "b", "2/2", episodes=2, seed=7)
    with pytest.raises(CollectionMismatch, match="seed"):
        merge_collections([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    run(tmp_path / "whole", episodes=1)
    with pytest.raises(CollectionError, match="is a whole collection"):
        merge_collections([tmp_path / "whole"], tmp_path / "out")
    with pytest.raises(CollectionError, match="is not a shard"):
        merge_collections([tmp_path / "nothing"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unfinished_shard_is_named(tmp_path: Path) -> None:
    run(tmp_path, "1/2", episodes=4)
    run(tmp_path, "2/2", episodes=4)
    index = tmp_path / "shards" / "2-of-2" / "collection.json"
    content = json.loads(index.read_text())
    content["episodes"].pop()
    index.write_text(json.dumps(content))
    with pytest.raises(CollectionError, match=r"\(shard 2/2\) lacks 1 of 2 episodes, such as number 3"):
        merge_collections([tmp_path], tmp_path)


def test_shards_of_corrections_become_corrections(tmp_path: Path) -> None:
    for number in (1, 2):
        run(tmp_path / "parts", f"{number}/2")
        index = tmp_path / "parts" / "shards" / f"{number}-of-2" / "collection.json"
        data = json.loads(index.read_text())
        data["settings"] |= {"agent": "runs/lift", "takeover": 3}
        index.write_text(json.dumps(data))
    assert merge_collections([tmp_path / "parts"], tmp_path / "parts") == 5
    settings = json.loads((tmp_path / "parts" / "collection.json").read_text())["settings"]
    assert (settings["agent"], settings["takeover"], settings["noise"]) == ("runs/lift", 3, [0.0, 0.01])
