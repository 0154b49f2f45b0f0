"""CodeStore: codes by the content of the raw target that they stand for, as the `Processor` prepares it.

The key of a row is a hash of the prepared target, float32 to the bit. So a row is used where record, crop and
preprocessing are those it was made of, whichever objective asks for it, and never otherwise. A store is a folder

    DATA/.embodio/codes/image-0123456789abcdef/PART.npy

named after modality and tokeniser; its parts are whole or absent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.pieces.record_index import SIDE_FOLDER
from embodio.model.example import Example
from embodio.model.network.targets import CODE_OFFSET
from embodio.model.processing.processor import Features, Processor
from embodio.model.writing import replacing

_SHOWN = 16  # letters of a tokeniser's SHA-256 in the name of a folder
_KEY = 2  # numbers of 64 bits

Codes = npt.NDArray[np.int32]


def store_folder(data: Path, modality: str, tokenizer: str) -> Path:
    """The folder of the codes of a tokeniser, given its SHA-256, next to a corpus."""
    return data / SIDE_FOLDER / "codes" / f"{modality}-{tokenizer[:_SHOWN]}"


def key_of(prepared: npt.NDArray[Any]) -> tuple[int, ...]:
    """The key of a prepared target, two numbers of 64 bits."""
    total = hashlib.blake2b(np.ascontiguousarray(prepared).data, digest_size=8 * _KEY)
    return tuple(np.frombuffer(total.digest(), "<u8").tolist())


def write_part(path: Path, rows: Mapping[tuple[int, ...], Codes], length: int) -> None:
    """Writes a part of a store, whole or not at all; the same bytes for the same rows.

    Args:
        path: of the part, that ends with ".npy".
        rows: key -> codes int [length].
        length: codes of a row.
    """
    table = np.zeros(len(rows), dtype=[("key", "<u8", (_KEY,)), ("codes", "<i4", (length,))])
    for row, (key, codes) in zip(table, sorted(rows.items()), strict=True):
        row["key"], row["codes"] = key, codes
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, table, allow_pickle=False)


class CodeStore:
    """The codes of one modality; parts are mapped into memory when they are needed.

    Args:
        folder: of the store.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[npt.NDArray[Any]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without what is mapped."""
        return {"_folder": self._folder, "_parts": None}

    def __len__(self) -> int:
        """Rows of all parts."""
        return sum(map(len, self._opened()))

    def find(self, prepared: npt.NDArray[Any]) -> Codes | None:
        """The codes int32 [N] of a prepared target; None if they are not in the store."""
        parts, key = self._opened(), key_of(prepared)
        place = int(np.searchsorted(self._keys[:, 0], key[0]))
        while place < len(self._keys) and self._keys[place, 0] == key[0]:
            if self._keys[place, 1] == key[1]:
                part, row = self._places[place].tolist()
                codes: Codes = np.array(parts[part]["codes"][row], dtype=np.int32)
                return codes
            place += 1
        return None

    def _opened(self) -> list[npt.NDArray[Any]]:
        """All parts, with an index of their keys; raises DatasetError if one is damaged."""
        if self._parts is None:
            self._parts = [self._part(path) for path in sorted(self._folder.glob("*.npy"))]
            keys = [np.asarray(part["key"], dtype=np.uint64).reshape(-1, _KEY) for part in self._parts]
            places = [
                np.stack([np.full(len(key), number), np.arange(len(key))], axis=1) for number, key in enumerate(keys)
            ]
            joined = np.concatenate([np.zeros((0, _KEY), np.uint64), *keys])
            order = np.argsort(joined[:, 0], kind="stable")
            self._keys = joined[order]
            self._places = np.concatenate([np.zeros((0, 2), np.int64), *places])[order]
        return self._parts

    def _part(self, path: Path) -> npt.NDArray[Any]:
        try:
            part: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DatasetError(f"{path} is damaged ({error}). Remove it, and run `embodio-data codes` again") from error
        return part


def open_stores(data: str, tokenizers: Mapping[str, str]) -> dict[str, CodeStore]:
    """The stores next to a corpus that belong to some tokenisers; modalities without one are left out.

    Args:
        data: folder of the corpus; next to a URL there are none.
        tokenizers: modality -> SHA-256 of its tokeniser.

    Raises:
        DatasetError: there are codes of a modality, but by another tokeniser.
    """
    found = {}
    for modality, sha256 in tokenizers.items():
        folder = store_folder(Path(data), modality, sha256)
        if folder.is_dir():
            found[modality] = CodeStore(folder)
        elif others := sorted(path.name for path in folder.parent.glob(f"{modality}-*")):
            raise DatasetError(
                f"{folder.parent} holds {', '.join(others)}, which another {modality} tokeniser made than the one of "
                f"this run ({sha256[:_SHOWN]}). Make its own with `embodio-data codes`, or do without: codes=ignore"
            )
    return found


class CodedTargets:
    """A `Processor` whose image and sound targets are codes where a store has them.

    Args:
        processor: makes the features.
        stores: modality -> its codes.
    """

    def __init__(self, processor: Processor, stores: Mapping[str, CodeStore]) -> None:
        self._processor, self._stores = processor, dict(stores)

    def __call__(self, example: Example, rng: np.random.Generator | None = None) -> Features:
        """The features of `Processor`, with "tokens" in place of the raw target."""
        features = self._processor(example, rng)
        for modality, store in self._stores.items():
            raw = features.get(f"targets/{modality}/{modality}")
            codes = None if raw is None else store.find(raw)
            if codes is not None:
                del features[f"targets/{modality}/{modality}"]
                features[f"targets/{modality}/tokens"] = codes + np.int32(CODE_OFFSET)
        return features
