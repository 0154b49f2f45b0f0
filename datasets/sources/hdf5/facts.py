"""Facts about an episode outside its steps: attributes, JSON in them, single values; and which of them are language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.episodes.features import METADATA, Feature, SequenceFeature, TensorFeature, TextFeature
from embodio.datasets.sources.hdf5.dialect import Dialect
from embodio.datasets.sources.hdf5.fields import data_sets, text_of

Fact = str | tuple[str, ...] | bool | int | float
"""A text, several paraphrases, or a number."""

# Words in names of instructions, the surest first, and words in names of other texts.
_LANGUAGE = (
    ("instruction", "instructions"),
    ("lang", "language"),
    ("utterance", "command", "sentence", "annotation"),
    ("description",),
    ("prompt",),
    ("task",),
    ("goal",),
)
_NOT_LANGUAGE = {"emb", "embedding", "id", "index", "name", "type", "path", "file", "source", "kind", "version"}
_LONGEST, _LONGEST_LEAF = 2000, 200  # characters of a text, and of one in JSON that is not language
_MARKUP = ("<", "(")  # how models and problem files begin
_LEAVES, _DEEPEST = 16, 4  # texts in JSON that are not language, and objects in objects
_RATE = ("fps", "control_freq", "control_hz", "control_frequency", "frequency", "hz")


def facts_of(file: Any, dialect: Dialect, path: Path, episode: str, length: int) -> dict[str, Fact]:
    """All facts about an episode, by name ("ep_meta/lang"); the nearest to it come first.

    Args:
        file: an open `h5py.File`.
        dialect: of the file.
        path: of the file.
        episode: name of its group; "" is the file.
        length: T, its steps.
    """
    found: dict[str, Fact] = {}
    group = file[episode] if episode else file
    for place in _parents(file, episode):
        for name, value in place.attrs.items():
            own = place.name == group.name
            found |= dict(_facts(name, value, numbers=own))
    for name, item in data_sets(group):
        if item is not None and _of_the_episode(item, length):
            found |= dict(_facts(name, item[()], numbers=item.shape == () and "/" not in name))
    for name, value in dialect.facts(file, path, episode).items():
        found |= dict(_facts(name, value, numbers=True))
    return found


def features_of_facts(
    seen: Sequence[Mapping[str, Fact]],
) -> tuple[dict[str, Feature], dict[str, SequenceFeature], dict[str, str]]:
    """Fields of the whole episode, those that hold several texts, and why numbers are not read.

    Texts missing from some episodes are empty there; numbers are taken only if all episodes have them.
    """
    episode, sequences, unread = dict[str, Feature](), dict[str, SequenceFeature](), dict[str, str]()
    for name in dict.fromkeys(name for facts in seen for name in facts):
        values = [facts[name] for facts in seen if name in facts]
        path, text = f"{METADATA}/{name}", any(isinstance(value, str | tuple) for value in values)
        if any(isinstance(value, tuple) for value in values):
            sequences[path] = SequenceFeature(TextFeature())
        elif text:
            episode[path] = TextFeature()
        elif len(values) < len(seen):
            unread[path] = f"only {len(values)} of {len(seen)} episodes that were looked at have it"
        else:
            kinds = {type(value) for value in values}
            kind = next((kind for kind in (float, int) if kind in kinds), bool)
            episode[path] = TensorFeature({float: "float64", int: "int64", bool: "bool"}[kind])
    return episode, sequences, unread


def language_rank(name: str) -> int | None:
    """The rank of a text's name as an instruction, 0 for the surest; None if it does not look like one."""
    words = set(re.split(r"[\W_\d]+", name.rpartition("/")[2].lower()))
    if words & _NOT_LANGUAGE:
        return None
    return next((rank for rank, known in enumerate(_LANGUAGE) if words & set(known)), None)


def by_language(names: Iterable[str]) -> list[list[str]]:
    """Names of texts that are instructions, the surest first; those that differ in their number only are together."""
    ranked = sorted(
        (rank, place, name) for place, name in enumerate(names) if (rank := language_rank(name)) is not None
    )
    groups: dict[str, list[str]] = {}
    for _, _, name in ranked:
        groups.setdefault(re.sub(r"_?\d+$", "", name), []).append(name)
    return list(groups.values())


def _of_the_episode(item: Any, length: int) -> bool:
    """Whether a data set holds one value, or texts that do not belong to steps."""
    if item.shape == ():
        return True
    is_text = item.dtype.kind == "S" or (item.dtype.kind == "O" and "vlen" in (item.dtype.metadata or {}))
    few = item.shape is not None and len(item.shape) == 1 and 0 < item.shape[0] <= _LEAVES and item.shape[0] != length
    return is_text and few


def rate_of(file: Any, episode: str) -> float | None:
    """Steps per second, where an attribute says so."""
    for place in reversed(list(_parents(file, episode))):
        for name in _RATE:
            value = place.attrs.get(name)
            if isinstance(value, int | float | np.integer | np.floating) and 0 < float(value) < np.inf:
                return float(value)
    return None


def _parents(file: Any, episode: str) -> Iterator[Any]:
    yield file
    place = file
    for name in filter(None, episode.split("/")):
        place = place[name]
        yield place


def _facts(name: str, value: Any, *, numbers: bool) -> Iterator[tuple[str, Fact]]:
    """The facts of one attribute, single value or entry of a JSON file."""
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist() if value.size > 1 else value.ravel()[0] if value.size else ""
    text = text_of(value)
    if text is not None:
        content = _json(text)
        if content is None:
            if len(text) <= _LONGEST and not text.startswith(_MARKUP):
                yield name, text
            return
        value = content
    if isinstance(value, Mapping):
        yield from _leaves(name, value)
    elif isinstance(value, list | tuple):
        texts = _wordings(value)
        if texts:
            yield name, texts
    elif numbers and isinstance(value, bool | np.bool_):
        yield name, bool(value)
    elif numbers and isinstance(value, int | np.integer) and abs(int(value)) < 2**63:
        yield name, int(value)
    elif numbers and isinstance(value, float | np.floating):
        yield name, float(value)


def _leaves(name: str, content: Mapping[str, Any]) -> Iterator[tuple[str, Fact]]:
    """The texts in a JSON object; of those that do not sound like language only some short ones."""
    others = _LEAVES if name != "env_args" else 0
    for path, value in _walk(name, content, 0):
        texts = _wordings(value) if isinstance(value, list) else ()
        short = isinstance(value, str) and len(value) <= _LONGEST_LEAF
        if language_rank(path) is None:
            others -= short
            if not short or others < 0:
                continue
        if texts:
            yield path, texts if len(texts) > 1 else texts[0]
        elif isinstance(value, str) and value.strip() and len(value) <= _LONGEST:
            yield path, value.strip().strip('"').strip()


def _walk(name: str, content: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        path = f"{name}/{key}"
        if isinstance(value, Mapping):
            if depth < _DEEPEST:
                yield from _walk(path, value, depth + 1)
        else:
            yield path, value


def _wordings(values: Sequence[Any]) -> tuple[str, ...]:
    """The non-empty texts, each once; one text if they are its words or letters."""
    texts = [text_of(value) for value in values]
    if not texts or None in texts:
        return ()
    said = [text for text in texts if text]
    if len(said) > 1 and all(len(text) <= 1 for text in texts if text is not None):
        return ("".join(str(value) for value in values).strip(),)
    if len(said) > 2 and not any(" " in text for text in said):
        return (" ".join(said),)
    return tuple(dict.fromkeys(said))


def _json(text: str) -> Any:
    """The content of JSON text; None if it is invalid."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
