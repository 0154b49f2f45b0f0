"""Splits and slices in tfds' notation: "train", "train[:90%]", "train[3:]", "train[:2shard]+test", "all"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.datasets.errors import DatasetError

_PART = re.compile(r"(?P<split>[\w-]+)(\[(?P<selector>[\d\w%:.-]+)\])?")
_BOUND = re.compile(r"((?P<value>-?[\d_.]+)(?P<unit>%|shard)?)?")
_ADDED = re.compile(r"\s*\+\s*")


@dataclass(frozen=True)
class Slice:
    """Records of one split.

    Attributes:
        split: its name.
        first: number of the first record.
        last: one past the number of the last one.
    """

    split: str
    first: int
    last: int


def read_slices(text: str, lengths: Mapping[str, Sequence[int]], place: object) -> list[Slice]:
    """Parses the name of a split, a slice of one, or several joined by "+", and rounds as tfds does.

    Args:
        text: what to read; "all" means all splits in sequence.
        lengths: name of each split -> numbers of records of its shards.
        place: the data set, for errors.

    Raises:
        DatasetError: there is no such split, it has fewer records, or the text is not a slice.
    """
    return [found for part in _ADDED.split(text) for found in _read(part, lengths, place)]


def _read(text: str, lengths: Mapping[str, Sequence[int]], place: object) -> list[Slice]:
    if text in lengths:
        return [Slice(text, 0, sum(lengths[text]))]
    if text == "all":
        return [Slice(split, 0, sum(counts)) for split, counts in lengths.items()]
    found = _PART.fullmatch(text)
    if found is None or found["split"] == "all":
        raise _wrong(text)
    split, selector = found["split"], found["selector"]
    if split not in lengths:
        raise DatasetError(f"{place} has no split {split!r}; it has {', '.join(sorted(lengths)) or 'none'}")
    bounds = [_BOUND.fullmatch(part) for part in (selector or "").split(":")]
    if not any(bound and bound[0] for bound in bounds) or None in bounds or len(bounds) > 2:
        raise _wrong(text)
    units = [bound["unit"] for bound in bounds if bound and bound["unit"]]
    unit = units[0] if units else ""
    values = [_number(text, bound["value"] if bound else None, unit) for bound in bounds]
    if len(values) == 1:
        if unit != "shard" or values[0] is None:
            raise DatasetError(
                f"split {text!r}: only shards are taken one by one. Write {split}[3:4] or {split}[3shard]"
            )
        values.append(values[0] + 1)
    return [_slice(text, split, values, unit, lengths[split])]


def _number(text: str, value: str | None, unit: str) -> float | None:
    if value is None:
        return None
    try:
        number = float(value) if unit == "%" else int(value)
    except ValueError as error:
        raise _wrong(text) from error
    if unit == "%" and abs(number) > 100:
        raise DatasetError(f"split {text!r}: {value}% is beyond 100 %")
    return number


def _slice(text: str, split: str, values: Sequence[float | None], unit: str, shards: Sequence[int]) -> Slice:
    total = sum(shards)
    bounds = []
    for value, absent in zip(values, (0, total), strict=True):
        if value is None:
            bounds.append(absent)
        elif unit == "%":
            bounds.append(round(value * total / 100.0))
        elif unit == "shard":
            last = bool(bounds) and value <= 0  # of the end, 0 is the end itself
            bounds.append(sum(shards[: int(value) + (len(shards) if last else 0)]))
        else:
            bounds.append(int(value))
    if max(map(abs, bounds)) > total:
        raise DatasetError(f"split {text!r}: {split} has {total} records")
    first, last_record = (bound + total if bound < 0 else bound for bound in bounds)
    if first > last_record:
        raise DatasetError(f"split {text!r} ends before it begins, at record {last_record} of {total}")
    return Slice(split, first, last_record)


def _wrong(text: str) -> DatasetError:
    return DatasetError(
        f"split {text!r} cannot be read. Write train, train+test, all, train[:90%], train[3:], train[10%:20%] or "
        "train[:2shard]"
    )
