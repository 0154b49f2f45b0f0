"""Making codes ahead: the tokenisers run once over the images and sounds of a corpus, a range of records at a time.

Targets that are the same whenever a record is drawn are coded: its image, its views, the images of a document, and a
sound that fits into one segment. Frames of videos and segments of longer sounds are drawn at random places, and their
codes are computed in training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from embodio.datasets.codes.store import Codes, key_of, store_folder, write_part
from embodio.datasets.engines import Crew
from embodio.datasets.errors import CorruptRecordError, UnusableRecord
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.plain import heard, segment_length
from embodio.datasets.records.corpora import Corpus
from embodio.datasets.records.record import Record, RecordSource
from embodio.model.config.model import ModelConfig
from embodio.model.errors import ModelError
from embodio.model.example import Example
from embodio.model.network.targets import Tokenizer
from embodio.model.processing.audio import SPARE_SAMPLES
from embodio.model.processing.processor import Processor
from embodio.model.tokenizers.files import fingerprint, load_audio_tokenizer, load_image_tokenizer
from embodio.model.tokens.vocabulary import Vocabulary

_PART = 256  # records of a job
_TOGETHER = 16  # targets that are coded at once
_LOADERS: Mapping[str, Callable[[str], Tokenizer]] = {"image": load_image_tokenizer, "audio": load_audio_tokenizer}


@dataclass(frozen=True)
class CodesPlan:
    """What codes are made of.

    Attributes:
        data: folder of the corpus.
        config: of a network with these tokenisers; how targets are prepared.
        vocabulary: of the same network.
        tokenizers: modality -> folder or shipped name of its tokeniser.
    """

    data: Path
    config: ModelConfig
    vocabulary: Vocabulary
    tokenizers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CodesJob:
    """Some records of a source.

    Attributes:
        source: the source.
        split: of it.
        numbers: of the records.
        name: of the part that is made, without its ending; another one if the source has changed.
    """

    source: Corpus
    split: str
    numbers: range
    name: str


def jobs_of(source: Corpus, split: str, records: RecordSource) -> list[CodesJob]:
    """The parts of a split of a source."""
    found = []
    for first in range(0, len(records), _PART):
        numbers = range(first, min(first + _PART, len(records)))
        text = f"{records.digest} {numbers.start} {numbers.stop}"
        name = f"{source.name}-{split}-{first:08d}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        found.append(CodesJob(source, split, numbers, name))
    return found


def make_codes(
    plan: CodesPlan, jobs: Sequence[CodesJob], crew: Crew, done: Callable[[int], None] = lambda count: None
) -> dict[str, int]:
    """Makes the parts that are missing; killed at any time, it loses those that were being made and no others.

    Args:
        plan: what they are made of.
        jobs: the parts.
        crew: makes them; what it writes does not depend on it.
        done: called with the number of parts that are done.

    Returns:
        Modality -> codes that were made now.

    Raises:
        DatasetError, ModelError: a source or a tokeniser cannot be read.
        EngineError: the engine fails.
    """
    folders = _folders(plan)
    missing = [job for job in jobs if not all((folder / f"{job.name}.npy").is_file() for folder in folders.values())]
    total, count = dict.fromkeys(folders, 0), len(jobs) - len(missing)
    done(count)
    for _, made in crew.engine(partial(_make_part, plan), missing, crew.workers):
        count += 1
        done(count)
        for modality, number in made.items():
            total[modality] += number
    return total


def whole_targets(record: Record, context: ObjectiveContext) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Modality and content of the targets of a record that are always the same; those that are damaged are left out."""
    pictures = [*([record.image] if record.image is not None else []), *(view.image for view in record.views)]
    pictures += [part for part in record.document if not isinstance(part, str)]
    for picture in pictures:
        try:
            yield "image", picture.load()
        except (CorruptRecordError, UnusableRecord):
            continue
    if record.sound is not None and record.video is None:
        try:
            sound, segment = heard(record, record.sound.load()), segment_length(context)
        except (CorruptRecordError, UnusableRecord):
            return
        if len(sound) - SPARE_SAMPLES <= segment:
            yield "audio", sound[:segment]


def _folders(plan: CodesPlan) -> dict[str, Path]:
    found = opened(plan.tokenizers)
    return {name: store_folder(plan.data, name, fingerprint(one)) for name, one in found.items()}


def _make_part(plan: CodesPlan, job: CodesJob) -> dict[str, int]:
    """Codes the targets of some records and writes a part for each modality; returns the number of codes of each."""
    processor, context = Processor(plan.config, plan.vocabulary), ObjectiveContext(plan.config, plan.vocabulary)
    prepared: dict[str, dict[tuple[int, ...], npt.NDArray[Any]]] = {name: {} for name, _ in plan.tokenizers}
    rows: dict[str, dict[tuple[int, ...], Codes]] = {name: {} for name in prepared}
    records = job.source.open(plan.data, job.split)
    for number in job.numbers:
        try:
            targets = list(whole_targets(records.record(number), context))
        except (CorruptRecordError, UnusableRecord):
            continue
        for modality, content in targets:
            if modality not in prepared:
                continue
            try:
                features = processor(_asked(modality, content))
            except ModelError:  # nothing of it is left on the canvas
                continue
            raw = features[f"targets/{modality}/{modality}"]
            prepared[modality].setdefault(key_of(raw), raw)
            if len(prepared[modality]) == _TOGETHER:
                rows[modality] |= _coded(plan, modality, prepared[modality])
    folders = _folders(plan)
    for modality, waiting in prepared.items():
        rows[modality] |= _coded(plan, modality, waiting)
        length = opened(plan.tokenizers)[modality].num_tokens
        write_part(folders[modality] / f"{job.name}.npy", rows[modality], length)
    return {modality: len(found) for modality, found in rows.items()}


def _asked(modality: str, content: npt.NDArray[Any]) -> Example:
    return Example(text="", image_target=content) if modality == "image" else Example(text="", audio_target=content)


@torch.no_grad()
def _coded(
    plan: CodesPlan, modality: str, waiting: dict[tuple[int, ...], npt.NDArray[Any]]
) -> dict[tuple[int, ...], Codes]:
    """The codes of prepared targets, which are then no longer waiting."""
    if not waiting:
        return {}
    batch = torch.from_numpy(np.stack(list(waiting.values())))
    codes = opened(plan.tokenizers)[modality].encode(batch).numpy().astype(np.int32)
    found = dict(zip(waiting, codes, strict=True))
    waiting.clear()
    return found


@lru_cache(maxsize=1)
def opened(places: tuple[tuple[str, str], ...]) -> dict[str, Tokenizer]:
    """The tokenisers of this process, by modality; raises ConfigError or WeightsError if one cannot be read."""
    return {modality: _LOADERS[modality](place) for modality, place in places}
