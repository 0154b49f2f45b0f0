"""Codes made ahead: they are those that training would compute, whoever makes them, and no others are used."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from embodio.datasets.codes.making import CodesPlan, jobs_of, make_codes
from embodio.datasets.codes.store import CodedTargets, CodeStore, open_stores
from embodio.datasets.engines import ALONE, Crew, named_engine
from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives import named_objective
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.records.corpora import Corpora
from embodio.model import Processor, UnifiedIO2, collate
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.files import fingerprint, save_tokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.train.experiments.pretrain.network import make_network, with_tokenizers
from tests.support.model.small import CONFIG, VOCABULARY
from tests.support.train.media_corpus import SMALL_AUDIO, SMALL_IMAGE, write_media_corpus


class Coded:
    """A corpus, its tokenisers, and the plan of its codes."""

    def __init__(self, folder: Path) -> None:
        self.data = write_media_corpus(folder)
        torch.manual_seed(0)
        self.tokenizers = {"image": ImageTokenizer(SMALL_IMAGE).eval(), "audio": AudioTokenizer(SMALL_AUDIO).eval()}
        for name, network in self.tokenizers.items():
            (folder / name).mkdir()
            save_tokenizer(folder / name, network)
        self.config = with_tokenizers(CONFIG, self.tokenizers)
        places = tuple((name, str(folder / name)) for name in self.tokenizers)
        self.plan = CodesPlan(self.data, self.config, VOCABULARY, places)
        groups = {"all": {"rate": 1, "objectives": {"multimodal": 1}}}
        common = {"group": "all", "rate": 1, "title": "t", "origin": "here", "licence": "CC0", "format": "webdataset"}
        sources = {name: {**common, "path": name} for name in ("drawings", "tones")}
        (folder / "mine.yaml").write_text(yaml.safe_dump({"groups": groups, "sources": sources}))
        self.sources = Corpora.load(folder / "mine.yaml").sources
        self.jobs = [job for one in self.sources for job in jobs_of(one, "train", one.open(self.data, "train"))]

    @property
    def shas(self) -> dict[str, str]:
        return {name: fingerprint(network) for name, network in self.tokenizers.items()}

    def parts(self) -> dict[str, bytes]:
        root = self.data / ".embodio" / "codes"
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.npy"))}


@pytest.fixture
def coded(tmp_path: Path) -> Coded:
    return Coded(tmp_path / "corpus")


def test_codes_are_those_that_training_computes(coded: Coded) -> None:
    assert make_codes(coded.plan, coded.jobs, ALONE) == {"image": 6, "audio": 2}
    stores = open_stores(str(coded.data), coded.shas)
    assert {name: len(store) for name, store in stores.items()} == {"image": 6, "audio": 2}
    plain = Processor(coded.config, VOCABULARY)
    ahead = pickle.loads(pickle.dumps(CodedTargets(plain, stores)))
    context, network = ObjectiveContext(coded.config, VOCABULARY), make_network(coded.config, coded.tokenizers)
    network.eval()
    rows: dict[str, list[dict[str, np.ndarray]]] = {"plain": [], "ahead": []}
    for source in coded.sources:
        records = source.open(coded.data, "train")
        for number in range(len(records)):
            name = "denoise_image" if source.name == "drawings" else "denoise_audio"
            example = named_objective(name)().example(records.record(number), context, np.random.default_rng(number))
            rows["plain"].append(plain(example))
            rows["ahead"].append(ahead(example))
    drawn = [row for row in rows["ahead"] if "targets/image/mask" in row]
    assert all("targets/image/tokens" in row and "targets/image/image" not in row for row in drawn)
    heard = [row for row in rows["ahead"] if "targets/audio/mask" in row]
    assert sum("targets/audio/tokens" in row for row in heard) == 2, "those that are a segment"
    expected, found = (network.embed_targets(collate(features)) for features in rows.values())
    for modality in ("image", "audio"):
        assert torch.equal(expected[modality].ids, found[modality].ids)


def test_a_batch_of_both_kinds_has_the_same_loss(coded: Coded) -> None:
    make_codes(coded.plan, coded.jobs, ALONE)
    plain, store = Processor(coded.config, VOCABULARY), open_stores(str(coded.data), coded.shas)
    context = ObjectiveContext(coded.config, VOCABULARY)
    network: UnifiedIO2 = make_network(coded.config, coded.tokenizers).eval()
    records = coded.sources[0].open(coded.data, "train")
    objective = named_objective("denoise_image")()
    examples = [objective.example(records.record(number), context, np.random.default_rng(0)) for number in range(4)]
    ahead = CodedTargets(plain, store)
    mixed = collate([(ahead if number % 2 else plain)(example) for number, example in enumerate(examples)])
    assert {"targets/image/tokens", "targets/image/image"} <= set(mixed)
    losses = [network.loss(network(batch)).total for batch in (mixed, collate([plain(one) for one in examples]))]
    assert torch.equal(losses[0], losses[1])


def test_making_goes_on_with_the_parts_that_are_missing(coded: Coded) -> None:
    make_codes(coded.plan, coded.jobs, ALONE)
    before, counted = coded.parts(), list[int]()
    assert len(before) == 4, "two sources, a part of each modality"
    gone = next(path for path in coded.data.rglob("*.npy") if "image" in str(path.parent) and "drawings" in path.name)
    gone.unlink()
    assert make_codes(coded.plan, coded.jobs, ALONE, counted.append) == {"image": 6, "audio": 0}
    assert coded.parts() == before and counted == [1, 2]
    assert make_codes(coded.plan, coded.jobs, ALONE) == {"image": 0, "audio": 0}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_codes_are_the_same_whoever_makes_them(engine: str, coded: Coded, tmp_path: Path) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    make_codes(coded.plan, coded.jobs, ALONE)
    other = Coded(tmp_path / "other")
    make_codes(other.plan, other.jobs, Crew(named_engine(engine), 2))
    assert other.parts() == coded.parts()


def test_codes_of_another_tokeniser_are_refused(coded: Coded) -> None:
    assert open_stores(str(coded.data), coded.shas) == {}
    make_codes(coded.plan, coded.jobs, ALONE)
    with pytest.raises(DatasetError, match=r"another image tokeniser made.*codes=ignore"):
        open_stores(str(coded.data), {"image": "f" * 64})
    assert set(open_stores(str(coded.data), coded.shas)) == {"image", "audio"}


def test_what_is_not_in_a_store_is_not_found_and_damage_is_named(tmp_path: Path) -> None:
    assert CodeStore(tmp_path).find(np.zeros((4, 4, 3), np.float32)) is None
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DatasetError, match=r"a\.npy is damaged"):
        CodeStore(tmp_path).find(np.zeros((4, 4, 3), np.float32))
