"""`embodio-data codes`: makes the codes of a corpus ahead, so that pre-training need not compute them."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from embodio.datasets.codes.making import CodesJob, CodesPlan, jobs_of, make_codes, opened
from embodio.datasets.engines import Crew, named_engine
from embodio.datasets.errors import NoSuchFiles
from embodio.datasets.progress import counted
from embodio.datasets.records.corpora import Corpora
from embodio.model.config.model import ModelConfig
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.commands.data.schemas import CodesConfig
from embodio.train.experiments.pretrain.network import with_tokenizers


def codes(config: CodesConfig) -> int:
    """Makes the codes that are missing and reports; returns the exit code, 1 if there is none of the sources."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    places = {"image": config.image_tokenizer, "audio": config.audio_tokenizer}
    given = {name: place for name, place in places.items() if place}
    vocabulary = Vocabulary.default()
    size = ModelConfig.named(config.size, vocab_size=vocabulary.padded_size)
    network = with_tokenizers(size, opened(tuple(given.items())))
    plan = CodesPlan(Path(config.source), network, vocabulary, tuple(given.items()))
    jobs = _jobs(config, console)
    if not jobs:
        return 1
    records = sum(len(job.numbers) for job in jobs)
    with counted("parts", len(jobs), console) as done:
        made = make_codes(plan, jobs, Crew(named_engine(config.engine), config.workers), done)
    told = ", ".join(f"{number:,} {name}" for name, number in made.items())
    console.print(f"{records:,} records in {len(jobs)} parts: {told} codes are new")
    return 0


def _jobs(config: CodesConfig, console: Console) -> list[CodesJob]:
    """The parts of all sources that are there, each place once."""
    jobs, seen = list[CodesJob](), set[str]()
    for source in Corpora.load(config.corpora).sources:
        for split in ("train", "validation"):
            try:
                records = source.open(config.source, split)
            except NoSuchFiles as error:
                console.print(f"left out: {error}")
                continue
            if records.digest not in seen:
                seen.add(records.digest)
                jobs += jobs_of(source, split, records)
    return jobs
