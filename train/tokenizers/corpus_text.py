"""The text of a corpus: running text, captions and transcripts, to train text pieces on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from embodio.datasets.errors import DatasetError
from embodio.train.tokenizers.media import Split, opened_source


def corpus_lines(corpus: Path, names: tuple[str, ...], split: Split) -> Iterator[str]:
    """Yields the lines of all texts, in the order of sources and records.

    Raises:
        DatasetError: a source is absent, or its records have no text.
        CorruptRecordError: a record cannot be read.
    """
    for name in names:
        source, count = opened_source(corpus, name, split), 0
        for index in range(len(source)):
            record = source.record(index)
            for text in (record.text, *record.captions, record.transcript):
                for line in filter(None, (" ".join(one.split()) for one in text.splitlines())):
                    count += 1
                    yield line
        if not count:
            raise DatasetError(f"data: the records of {corpus / name} have no text; leave {name} out of sources=")


def sampled(lines: Iterable[str], count: int, seed: int) -> list[str]:
    """At most `count` different lines, those with the smallest hashes of (seed, line), in the order of the hashes."""
    keyed = {hashlib.blake2b(f"{seed}:{line}".encode(), digest_size=8).digest(): line for line in lines}
    return [keyed[key] for key in sorted(keyed)[:count]]
