"""`embodio-data annotations`: what a file of annotations holds for a family of tasks, and a page of examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from embodio.datasets.annotations import read_annotations
from embodio.datasets.annotations.parts.item import AnnotatedItem, AnnotatedItems
from embodio.datasets.errors import AnnotationError
from embodio.datasets.files.folder_lock import sole_writer
from embodio.datasets.pages.example_page import ExampleCard, example_card, examples_html
from embodio.datasets.tasks.parts.record_task import spread
from embodio.model.config.model import ModelConfig
from embodio.model.errors import ModelError
from embodio.model.processing.processor import Processor
from embodio.model.tasks.base.family import Annotation, Family
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.families import family_named
from embodio.model.tasks.prompts import Prompts
from embodio.model.writing import write_bytes
from embodio.train.command_line.output_path import require_writable
from embodio.train.commands.data.schemas import AnnotationsConfig
from embodio.train.experiments.pretrain.network import opened_vocabulary

_LONGEST = 100  # characters of a value that are shown
_FAULTS = 5  # that are listed


def show_annotations(config: AnnotationsConfig) -> int:
    """Shows items, what was left out and one annotation; returns the exit code, 1 if none looked at is whole."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if config.out is not None:
        require_writable(config.out)
    file, family = Path(config.source), family_named(config.family)
    items = read_annotations(config.format, file, config.media or file.parent, family, _reading(config))
    groups = f", {len({item.group for item in items})} groups" if isinstance(items, AnnotatedItems) else ""
    console.print(f"{file.name}: {len(items)} items of {family.name}{groups}, read by {config.format}")
    for one in getattr(items, "left_out", ()):
        console.print(Text(f"left out: {one.count}, {one.reason}; the first one is {one.first}", style="yellow"))
    chosen = [items[number] for number in spread(len(items), config.count)]
    whole, faults = _made(chosen)
    for fault in faults[:_FAULTS]:
        console.print(Text(fault, style="red"))
    if len(faults) > _FAULTS:
        console.print(f"and {len(faults) - _FAULTS} others")
    if whole:
        console.print(_table(*whole[0]))
    if config.out is not None and whole:
        with sole_writer(config.out, "writing"):
            cards = _cards(whole, family, config, console)
            facts = {"items": str(len(items)), "family": family.name, "format": config.format}
            write_bytes(config.out, examples_html(file.name, facts, cards))
        console.print(f"{config.out}: {len(cards)} examples")
    return 0 if whole else 1


def _reading(config: AnnotationsConfig) -> dict[str, Any]:
    """The settings of the format, with numbers as numbers."""
    plain = {name: yaml.safe_load(value) for name, value in config.reading.items()}
    return plain | ({"fields": config.fields} if config.fields else {})


def _made(items: Sequence[AnnotatedItem]) -> tuple[list[tuple[AnnotatedItem, Annotation]], list[str]]:
    """The annotations of items, and what is wrong with the others."""
    whole, faults = [], []
    for item in items:
        try:
            whole.append((item, item.make()))
        except AnnotationError as error:
            faults.append(str(error))
    return whole, faults


def _table(item: AnnotatedItem, annotation: Annotation) -> Table:
    """The fields of one annotation."""
    table = Table("field", f"of item {item.key}")
    for part in (annotation.media, annotation):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if field.name != "media" and value is not None and not (isinstance(value, tuple | list) and not value):
                table.add_row(field.name, Text(_short(value)))
    return table


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        small = value.size <= 16 and value.dtype.kind == "f"
        return str(np.round(value, 1).tolist()) if small else f"{value.dtype} {list(value.shape)}"
    if isinstance(value, list | tuple) and isinstance(value[0], np.ndarray):
        return f"{len(value)} of {_short(value[0])}"
    text = str(list(value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _cards(
    whole: Sequence[tuple[AnnotatedItem, Annotation]], family: Family[Any], config: AnnotationsConfig, console: Console
) -> list[ExampleCard]:
    """What a network is given of each annotation, and what it is to write."""
    vocabulary = opened_vocabulary(config.vocabulary)
    network = ModelConfig.named(config.network, vocab_size=vocabulary.padded_size)
    codec, processor, prompts = TaskCodec.of(network, vocabulary), Processor(network, vocabulary), Prompts()
    cards = []
    for number, (item, annotation) in enumerate(whole):
        generator = np.random.Generator(np.random.Philox(key=(config.seed, number)))
        wording = prompts[f"{family.name}.{family.group(annotation)}"].draw(generator)
        try:
            example = family.write(annotation, wording, codec)
            cards.append(example_card(item.key, example, processor, generator, {"group": item.group}))
        except ModelError as error:
            console.print(Text(f"{item.key} does not fit {config.network}: {error}", style="red"))
    return cards
