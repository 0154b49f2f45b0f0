"""Instructions and their answers as rows of a table: FLAN, P3, Alpaca, Dolly, GSM8K, chats, and chats about pictures.

JSON lines, JSON, CSV, Parquet or Arrow, a file or a folder of several, with one of these sets of columns:

    inputs, targets                                 FLAN and Super-NaturalInstructions (Parquet of Muennighoff/flan)
    inputs_pretokenized, targets_pretokenized       P3
    instruction, input, output                      Alpaca; input may be empty
    instruction, context, response                  Dolly; context may be empty
    prompt, completion or response; question, answer or response    Self-Instruct; GSM8K, OpenOrca
    messages [{"role", "content"}]                  chats as in Tulu; each answer of the assistant is an item
    conversations [{"from": "human" or "gpt", "value"}], image      LLaVA and ShareGPT; likewise

Rows are read when they are needed, at random, and nothing is held in memory, but of chats where each answer is. A JSON
list is held in memory. Turns of a chat before an answer are its context, and marks such as <image> are taken out. The
family `chat` takes chats alone, the turns as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItem, expecting, require_distinct
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.rows import RowItems, Rows, open_rows
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family

_PLAIN = (
    ("inputs", "", "targets"),
    ("inputs_pretokenized", "", "targets_pretokenized"),
    ("instruction", "input", "output"),
    ("instruction", "context", "response"),
    ("prompt", "", "completion"),
    ("prompt", "", "response"),
    ("question", "", "answer"),
    ("question", "", "response"),
)
"""Columns of instruction, context and answer."""

_ASKS, _ANSWERS = ("human", "user"), ("gpt", "assistant", "model")
_MARK = re.compile(r"<(?:image|video|audio)>")
_SCHEMA = "; ".join(", ".join(name for name in names if name) for names in _PLAIN) + "; messages; or conversations"


def read_instructions(file: Path, folder: Path, family: Family[Any]) -> Sequence[AnnotatedItem]:
    """The instructions of a file.

    Raises:
        AnnotationError: the rows have none of the sets of columns; of a row without text, when its item is made.
    """
    rows = open_rows(file)
    if len(rows) and (chat := next((name for name in ("messages", "conversations") if name in rows.row(0)), "")):
        return _chats(rows, chat, file, folder, family)
    if family.name == "chat":
        raise AnnotationError(f"{file}: chats are in the column messages or conversations, which it does not have")
    if len(rows):
        with expecting(f"{file}, {rows.place(0)}", _SCHEMA):
            _plain(rows.row(0))
    found = RowItems(file, folder, family, rows, _plain, _SCHEMA)
    require_distinct(found[:1], file)
    return found


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    for instruction, context, answer in _PLAIN:
        if instruction in row and answer in row and (not context or context in row):
            values = {"instruction": _text(row[instruction]), "text": _text(row[answer])}
            about = _text(row[context]) if context else ""
            return values | ({"context": about} if about else {}) | _media(row)
    raise ValueError(f"there are the columns {', '.join(row)}")


def _text(value: Any) -> str:
    """A text; the first of several right ones."""
    first = value[0] if isinstance(value, list) and value else value
    return "" if first is None else str(first).strip()


def _media(row: Mapping[str, Any]) -> dict[str, Any]:
    """The picture of a row, if it has one."""
    image = row.get("image")
    several = row.get("images")
    if image is None and isinstance(several, list) and several:
        image = several[0]
    return {"image": image} if image else {}


def _chats(rows: Rows, column: str, file: Path, folder: Path, family: Family[Any]) -> Sequence[AnnotatedItem]:
    """An item for each answer in a chat."""
    found = ItemList(file, folder, family)
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{file}, {place}", f"{column} with turns of a chat"):
            turns = [_turn(one) for one in row[column]]
            image = _media(row).get("image")
        held = {"image": image if isinstance(image, str) else partial(_held, rows, number)} if image else {}
        for place_in_chat, (answers, text) in enumerate(turns):
            if not answers:
                continue
            where = f"{place}, turn {place_in_chat}"
            earlier = turns[: place_in_chat - 1] if place_in_chat else []
            asked = turns[place_in_chat - 1][1] if place_in_chat else ""
            if not asked or not text:
                found.leave_out("an empty turn of a chat", where)
                continue
            if family.name == "chat":
                values: dict[str, Any] = {"turns": [*(words for _, words in earlier), asked], "text": text} | held
                if [other for other, _ in turns[: place_in_chat + 1]] != [False, True] * ((place_in_chat + 1) // 2):
                    found.leave_out("a chat in which user and assistant do not take turns", where)
                    continue
            else:
                context = "\n".join(f"{'Assistant' if other else 'User'}: {words}" for other, words in earlier)
                values = {"instruction": asked, "text": text} | ({"context": context} if context else {}) | held
            found.add(
                f"{number}/{place_in_chat}", row.get("image") if isinstance(image, str) else number, values, where
            )
    return found.done()


def _turn(turn: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether the assistant says it, and what."""
    who = str(turn["from"] if "from" in turn else turn["role"]).lower()
    text = _MARK.sub("", str(turn["value"] if "value" in turn else turn["content"])).strip()
    if who not in (*_ASKS, *_ANSWERS, "system"):
        raise ValueError(f"a turn of {who!r}")
    return who in _ANSWERS, text


def _held(rows: Rows, number: int) -> Any:
    """A picture that a row holds."""
    from embodio.datasets.annotations.parts.media import read_image

    return read_image(_media(rows.row(number))["image"], Path())


READ = read_instructions
FAMILIES = ("follow_instruction", "chat")
