"""Instruction: a text space with correct batches in gymnasium's AsyncVectorEnv.

With shared memory, gymnasium reads a batch of observations once while the workers keep writing to it. That keeps
arrays up to date but freezes texts at their values before the first reset. `Instruction` is a `Text` space that reads
shared memory as a sequence and decodes its strings on access.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, cast, overload

from gymnasium import spaces
from gymnasium.vector.utils import read_from_shared_memory

_LENGTH = 1024  # characters; a mission of BabyAI's BossLevel may have some 320, and 550 in other words
_CHARACTERS = string.ascii_letters + string.digits + string.punctuation + " "


class Instruction(spaces.Text):
    """An instruction in words: up to 1024 printable ASCII characters."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(_LENGTH, charset=_CHARACTERS, seed=seed)


class _LiveTexts(Sequence[str]):
    """The strings in shared memory at the time of access; a deep copy is a plain tuple."""

    def __init__(self, space: Instruction, shared_memory: Any, n: int) -> None:
        self._space, self._shared_memory, self._n = space, shared_memory, n

    def _read(self) -> tuple[str, ...]:
        read_text = read_from_shared_memory.dispatch(spaces.Text)
        return cast("tuple[str, ...]", read_text(self._space, self._shared_memory, self._n))

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._read()[index]

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return self._read()


@read_from_shared_memory.register(Instruction)
def _read_live(space: Instruction, shared_memory: Any, n: int = 1) -> Sequence[str]:
    return _LiveTexts(space, shared_memory, n)
