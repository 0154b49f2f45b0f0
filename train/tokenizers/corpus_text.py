"""The text of a corpus: lines of JSON, captions and transcripts, to train text pieces on."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.train.tokenizers.media import Split


def corpus_lines(corpus: Path, sources: tuple[str, ...], split: Split) -> Iterator[str]:
    """Yields the texts of sources, in the order of sources, files and records; each line once for each occurrence.

    Raises:
        DatasetError: a source is absent or has no text.
        CorruptRecordError: a line is not JSON with a "text", or no UTF-8.
    """
    for source in sources:
        count = 0
        for path in sorted((corpus / source / split).glob("*")):
            if path.name.startswith("."):
                continue
            for line in _lines(path):
                count += 1
                yield line
        if not count:
            raise DatasetError(
                f"data: {corpus / source / split} holds no text; embodio-data corpus out={corpus} makes it, or leave "
                f"{source} out of sources="
            )


def sampled(lines: Iterator[str], count: int, seed: int) -> list[str]:
    """At most `count` different lines, those with the smallest hashes of (seed, line), in the order of the hashes."""
    keyed = {hashlib.blake2b(f"{seed}:{line}".encode(), digest_size=8).digest(): line for line in lines}
    return [keyed[key] for key in sorted(keyed)[:count]]


def _lines(path: Path) -> Iterator[str]:
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as file:
            for number, line in enumerate(file):
                yield from _text_of(path, number, line)
    elif path.suffix == ".tar":
        with tarfile.open(path, "r:") as archive:
            for number, info in enumerate(archive):
                member = archive.extractfile(info) if info.isfile() else None
                if member is not None and info.name.endswith(".txt"):
                    yield from (line for line in _decoded(path, number, member.read()).splitlines() if line.strip())
                elif member is not None and info.name.endswith(".json"):
                    yield from _text_of(path, number, member.read(), key="transcript", required=False)


def _text_of(path: Path, number: int, data: bytes, key: str = "text", *, required: bool = True) -> Iterator[str]:
    try:
        record = json.loads(_decoded(path, number, data))
    except (ValueError, RecursionError) as error:
        raise CorruptRecordError(path, number, f"it is not JSON ({error})", "make the corpus again") from error
    text = record.get(key) if isinstance(record, dict) else None
    if isinstance(text, str) and text.strip():
        yield " ".join(text.split())
    elif required:
        raise CorruptRecordError(path, number, f"it has no {key!r}", "make the corpus again")


def _decoded(path: Path, number: int, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorruptRecordError(path, number, f"it is not UTF-8 ({error})", "make the corpus again") from error
