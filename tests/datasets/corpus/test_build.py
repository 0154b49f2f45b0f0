"""The corpus on disk: equal bytes however it was made, resumed after any interruption, with a manifest that is true."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from embodio.datasets.corpus.build import build_corpus
from embodio.datasets.corpus.shards import jobs_of, make_shard
from embodio.datasets.corpus.source import (
    CorpusError,
    CorpusItem,
    CorpusPlan,
    CorpusRequest,
    CorpusSource,
    generator_of,
    shuffled,
    split_of,
)
from embodio.datasets.corpus.sources.openclipart import OpenClipart
from embodio.datasets.corpus.sources.wordnet import WordNet
from tests.support.datasets.built_folders import content, unseen
from tests.support.datasets.crashing_source import CrashingClipart
from tests.support.datasets.debian_files import add_clipart, write_clipart, write_wordnet


def sources(root: Path) -> dict[str, CorpusSource]:
    if not (root / "art").exists():
        write_clipart(root / "art")
        write_wordnet(root / "words")
    return {
        "openclipart": OpenClipart(root / "art", shard_records=8),
        "wordnet": WordNet(root / "words", shard_records=2),
    }


def build(out: Path, chosen: Mapping[str, CorpusSource], workers: int = 1, **request: int) -> None:
    build_corpus(out, chosen, CorpusRequest(**{"seed": 0, **request}), workers, unseen)


def shards(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in content(folder).items() if name.endswith((".tar", ".jsonl"))}


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    build(tmp_path / "one", sources(tmp_path), 1)
    build(tmp_path / "two", sources(tmp_path), 2)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert len(shards(tmp_path / "one")) > 6
    build(tmp_path / "other", sources(tmp_path), 1, seed=1)
    assert shards(tmp_path / "other").keys() == shards(tmp_path / "one").keys()
    assert shards(tmp_path / "other") != shards(tmp_path / "one")


def test_what_is_there_is_not_made_again_and_what_is_damaged_is(tmp_path: Path) -> None:
    out, chosen = tmp_path / "out", sources(tmp_path)
    build(out, chosen)
    before = content(out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.tar")}
    build(out, chosen)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.tar")} == times
    cut, gone, unfinished = sorted(times)[:3]
    cut.write_bytes(cut.read_bytes()[:-512])
    gone.unlink()
    (out / "openclipart" / ".shards" / f"{unfinished.parent.name}-{unfinished.stem}.json").unlink()
    (out / "openclipart" / "train" / ".00000.77.part.tar").write_bytes(b"left by a killed process")
    build(out, chosen)
    assert content(out) == before
    assert sum(path.stat().st_mtime_ns != stamp for path, stamp in times.items()) == 3


def test_a_limit_takes_a_part_and_more_later_adds_to_it(tmp_path: Path) -> None:
    out, chosen = tmp_path / "out", sources(tmp_path)
    build(out, chosen)
    whole = shards(out)
    build(out, chosen, limit=10)
    few = shards(out)
    assert len(few) < len(whole)
    assert json.loads((out / "corpus.json").read_text())["sources"]["openclipart"]["records"]["train"] <= 10
    build(out, chosen)
    assert shards(out) == whole


def test_a_changed_picture_changes_its_shard_only(tmp_path: Path) -> None:
    out, chosen = tmp_path / "out", sources(tmp_path)
    build(out, chosen)
    before = shards(out)
    add_clipart(tmp_path / "art", "animals/thing_0", "another title", size=(90, 90))
    build(out, chosen)
    assert sum(before[name] != data for name, data in shards(out).items()) == 1


def test_the_manifest_says_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    out, chosen = tmp_path / "out", sources(tmp_path)
    (tmp_path / "art/png/animals/link.png").symlink_to("thing_0.png")
    missing = {"wordnet": WordNet(tmp_path / "nowhere")}
    summaries = build_corpus(out, chosen | missing, CorpusRequest(0), 1, unseen)
    assert "wordnet-base" in summaries[1].absent
    manifest = json.loads((out / "corpus.json").read_text())
    entry = manifest["sources"]["openclipart"]
    assert entry["records"]["train"] + entry["records"]["validation"] == 40
    assert entry["left_out"] == {"links to other pictures": 1}
    assert entry["ships"] is True and "public domain" in entry["licence"]
    assert entry["bytes"] == sum(map(len, shards(out).values()))
    assert manifest["absent"]["wordnet"]["packages"] == ["wordnet-base"]
    build(out, {"wordnet": chosen["wordnet"]})
    later = json.loads((out / "corpus.json").read_text())
    assert later["absent"] == {} and later["sources"]["openclipart"] == entry


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(CorpusError, match=r"thesis\.txt"):
        build(tmp_path / "out", sources(tmp_path))
    (tmp_path / "out" / "corpus.json").write_text("{")
    with pytest.raises(CorpusError, match="damaged"):
        build(tmp_path / "out", sources(tmp_path))


def test_a_tenth_is_for_validation_by_the_name_alone() -> None:
    keys = [f"animals/thing_{index}" for index in range(5000)]
    share = sum(split_of(key) == "validation" for key in keys) / len(keys)
    assert 0.085 < share < 0.115
    held = [index for index, key in enumerate(keys[:40]) if split_of(key) == "validation"]
    assert held == [8, 11, 23, 29]  # fixed for ever
    spoken = [CorpusItem(f"caption/{key}", {}, key) for key in keys]
    assert [item.split for item in spoken] == [split_of(key) for key in keys]


def test_a_few_items_are_a_fair_sample() -> None:
    items = [CorpusItem(f"{letter}/{index}", {}) for letter in "abcd" for index in range(100)]
    few = shuffled(items, 80)
    assert few == shuffled(reversed(items), None)[:80]
    assert all(10 <= sum(item.key.startswith(letter) for item in few) <= 30 for letter in "abcd")
    assert generator_of(0, "a").random() != generator_of(0, "b").random() != generator_of(1, "b").random()


@pytest.mark.parametrize("keys", [("a", "a"), ("a.b",), ("../a",), ("",)])
def test_keys_that_cannot_name_a_record_are_refused(tmp_path: Path, keys: tuple[str, ...]) -> None:
    plan = CorpusPlan([CorpusItem(key, {}) for key in keys])
    with pytest.raises(CorpusError, match="key"):
        jobs_of("toy", OpenClipart(tmp_path), plan, 0)


def test_killed_at_any_time_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    chosen = sources(tmp_path)
    build(tmp_path / "whole", chosen)
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.datasets.corpus import test_build as t\n"
        "root = Path(sys.argv[1])\nmake = t.OpenClipart.make\n"
        "def slow(*arguments):\n    time.sleep(0.01)\n    return make(*arguments)\n"
        "t.OpenClipart.make = slow\nt.build(root / 'killed', t.sources(root))\n"
    )
    for delay in (0.0, 0.05, 0.15, 0.1):
        process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=Path.cwd(), env=os.environ)
        begin = time.monotonic()
        while not list((tmp_path / "killed").rglob("*.tar")) and process.poll() is None:
            assert time.monotonic() - begin < 60
            time.sleep(0.005)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    build(tmp_path / "killed", chosen)
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def crashing(root: Path, deaths: int) -> CrashingClipart:
    """Clip art whose eleventh item kills; the shards are those of `sources`."""
    (root / "counter").mkdir()
    key = OpenClipart(root / "art").plan(CorpusRequest(0)).items[10].key
    return CrashingClipart(root / "art", shard_records=8, key=key, deaths=deaths, counter=root / "counter")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_that_kills_its_process_costs_nothing_but_time(workers: int, tmp_path: Path) -> None:
    whole = {"openclipart": sources(tmp_path)["openclipart"]}
    build(tmp_path / "whole", whole)
    build(tmp_path / "out", {"openclipart": crashing(tmp_path, 2)}, workers)
    assert len(list((tmp_path / "counter").iterdir())) == 2
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_shard_that_kills_every_process_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    whole = {"openclipart": sources(tmp_path)["openclipart"]}
    deadly = crashing(tmp_path, 99)
    with pytest.raises(CorpusError, match=r"shard train-0000\d of openclipart .*3 worker.*fewer workers.*`sources=`"):
        build(tmp_path / "out", {"openclipart": deadly})
    assert len(list((tmp_path / "counter").iterdir())) == 3
    kept = {name: data for name, data in shards(tmp_path / "out").items() if not Path(name).name.startswith(".")}
    build(tmp_path / "whole", whole)
    assert kept and kept.items() <= shards(tmp_path / "whole").items()
    build(tmp_path / "out", whole)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_shard_is_whole_or_absent(tmp_path: Path) -> None:
    chosen = sources(tmp_path)["openclipart"]
    job = jobs_of("openclipart", chosen, chosen.plan(CorpusRequest(0)), 0)[0]

    class Failing(OpenClipart):
        def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
            if item == job.items[3]:
                raise RuntimeError("the power fails")
            return super().make(item, seed)

    with pytest.raises(RuntimeError, match="power"):
        make_shard(tmp_path / "out", Failing(tmp_path / "art"), job)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
