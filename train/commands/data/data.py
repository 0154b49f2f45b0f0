"""`embodio-data`: what a data set holds, its statistics, a page that shows it, checks, and other layouts of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embodio.agent.errors import AgentError
from embodio.datasets.catalogue import catalogue_names
from embodio.datasets.errors import DatasetError
from embodio.envs.errors import EmbodimentError, EmbodimentMismatch
from embodio.model.errors import ModelError
from embodio.train.command_line.arguments import quoted
from embodio.train.command_line.cli import run as run_command
from embodio.train.commands.data.schemas import (
    AnnotationsConfig,
    CodesConfig,
    ConvertDataConfig,
    CorpusConfig,
    InspectConfig,
    PromptsConfig,
    RecordsConfig,
    StatsConfig,
    TasksConfig,
    VerifyConfig,
    VisualiseConfig,
)
from embodio.train.errors import TrainError


@dataclass(frozen=True)
class Verb:
    """One verb of `embodio-data`.

    Attributes:
        schema: dataclass of its settings.
        execute: runs it, and returns the exit code.
        description: one sentence for the help.
        examples: command lines for the help.
    """

    schema: type[Any]
    execute: Callable[[Any], int]
    description: str
    examples: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-data`; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    known = verbs()
    action = arguments.pop(0) if arguments and arguments[0] in known else ""
    if not action:
        return _overview(known, arguments)
    if arguments and _is_place(arguments[0]):
        arguments[0] = f"source={quoted(arguments[0])}"
    verb = known[action]
    return run_command(
        verb.schema,
        verb.execute,
        arguments,
        prog=f"embodio-data {action}",
        description=verb.description,
        examples=verb.examples,
        user_errors=(DatasetError, EmbodimentError, EmbodimentMismatch, AgentError, ModelError, TrainError),
    )


def _overview(verbs: Mapping[str, Verb], arguments: Sequence[str]) -> int:
    """Lists the verbs if none of them was given; returns the exit code."""
    asked = bool({"--help", "-h"} & set(arguments))
    if not asked:
        wrong = f"there is no {arguments[0]!r}" if arguments else "say what to do"
        sys.stderr.write(f"embodio-data: {wrong}; {', '.join(verbs)} are there. More: embodio-data --help\n")
        return 2
    lines = ["What a data set holds, in any layout: a folder, a file, a URL, a YAML file, a name of the catalogue.", ""]
    for name, verb in verbs.items():
        lines += [f"  embodio-data {name:<10} {verb.description}", f"{'':26}e.g. {verb.examples[0]}"]
    lines += ["", f"Each has its own --help. The catalogue: {', '.join(catalogue_names())}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _is_place(argument: str) -> bool:
    """Whether this is a name or a path rather than `key=value`."""
    return not argument.startswith("-") and ("=" not in argument or "://" in argument.partition("=")[0])


_INSPECT = (
    "embodio-data inspect data/lift",
    "embodio-data inspect data/mine out=mine.yaml",
    "embodio-data inspect droid folder=gs://gresearch/robotics/droid/1.0.0",
)
_PROMPTS = (
    "embodio-data prompts",
    "embodio-data prompts family=refer",
    "embodio-data prompts my_prompts/refer.yaml",
)
_RECORDS = (
    "embodio-data records corpus/openclipart split=train",
    "embodio-data records laion.parquet 'columns={captions: TEXT}'",
)
_CONVERT = (
    "embodio-data convert lift.hdf5 out=data/lift name=lift",
    "embodio-data convert data/lift out=data/lift_lerobot to=lerobot",
    "embodio-data convert tfds:bridge_dataset folder=~/tensorflow_datasets out=data/bridge",
)
_ABOUT = "Show what a file of annotations holds for a family of tasks, and a page of examples."
_ANNOTATIONS = (
    "embodio-data annotations instances_val2017.json format=coco family=detect media=val2017",
    "embodio-data annotations val.csv format=audio_captions family=caption media=wav out=page.html",
)
_TASKS = (
    "embodio-data tasks data=~/data",
    "embodio-data tasks category=audio 'licence=CC BY'",
    "embodio-data tasks vqa_v2",
    "embodio-data tasks family=refer out=refer.json",
)
_CODES = "embodio-data codes corpus image_tokenizer=runs/image audio_tokenizer=runs/audio workers=2"
_PAGES = (
    "embodio-data visualise data/lift out=lift.html 'episodes=[0,5]'",
    "embodio-data visualise corpus/openclipart objective=all count=8 out=examples.html",
)


def verbs() -> dict[str, Verb]:
    """Name -> verb of `embodio-data`."""
    return {
        "inspect": Verb(InspectConfig, _inspect, "Show what a data set holds, and propose its YAML file.", _INSPECT),
        "prompts": Verb(
            PromptsConfig,
            _prompts,
            "Show the wordings of every family of tasks, filled in, and check them or your own.",
            _PROMPTS,
        ),
        "records": Verb(
            RecordsConfig,
            _records,
            "Show what a corpus holds: its records, the columns they come from, and what is damaged.",
            _RECORDS,
        ),
        "annotations": Verb(AnnotationsConfig, _annotations, _ABOUT, _ANNOTATIONS),
        "stats": Verb(
            StatsConfig,
            _stats,
            "Compute minimum, maximum, mean, deviation and quantiles of a data set's numbers.",
            ("embodio-data stats data/lift 'fields=[action,state]'",),
        ),
        "tasks": Verb(
            TasksConfig,
            _tasks,
            "List the tasks of instruction tuning: sources, licences, shares, and which can be read here.",
            _TASKS,
        ),
        "convert": Verb(
            ConvertDataConfig,
            _convert,
            "Write any data set as RLDS or LeRobot v3; the same command resumes after an interrupt.",
            _CONVERT,
        ),
        "corpus": Verb(
            CorpusConfig,
            _corpus,
            "Build a corpus of text, pictures, sound and video from what is on this machine; resumable.",
            ("embodio-data corpus out=corpus", "embodio-data corpus out=corpus 'sources=[speech]' limit=500"),
        ),
        "codes": Verb(
            CodesConfig,
            _codes,
            "Make the codes of a corpus's images and sounds ahead of pre-training; resumable.",
            (_CODES,),
        ),
        "visualise": Verb(
            VisualiseConfig,
            _visualise,
            "Write one HTML page with video, plots and tokens of some episodes, or with examples of a corpus.",
            _PAGES,
        ),
        "verify": Verb(
            VerifyConfig,
            _verify,
            "Check numbers, limits, bins, gripper and images of a data set, and replay it.",
            ("embodio-data verify data/lift replay=5", "embodio-data verify data/lift with=rlds"),
        ),
    }


def _inspect(config: InspectConfig) -> int:
    from embodio.train.commands.data.inspect import inspect

    return inspect(config)


def _prompts(config: PromptsConfig) -> int:
    from embodio.train.commands.data.prompts import prompts

    return prompts(config)


def _records(config: RecordsConfig) -> int:
    from embodio.train.commands.data.records import records

    return records(config)


def _annotations(config: AnnotationsConfig) -> int:
    from embodio.train.commands.data.annotations import show_annotations

    return show_annotations(config)


def _stats(config: StatsConfig) -> int:
    from embodio.train.commands.data.stats import stats

    return stats(config)


def _tasks(config: TasksConfig) -> int:
    from embodio.train.commands.data.tasks import tasks

    return tasks(config)


def _convert(config: ConvertDataConfig) -> int:
    from embodio.train.commands.data.convert import convert_data

    return convert_data(config)


def _corpus(config: CorpusConfig) -> int:
    from embodio.train.commands.data.corpus import corpus

    return corpus(config)


def _codes(config: CodesConfig) -> int:
    from embodio.train.commands.data.codes import codes

    return codes(config)


def _visualise(config: VisualiseConfig) -> int:
    if config.objective is not None:
        from embodio.train.commands.data.visualise_examples import visualise_examples

        return visualise_examples(config)
    from embodio.train.commands.data.visualise import visualise

    return visualise(config)


def _verify(config: VerifyConfig) -> int:
    from embodio.train.commands.data.verify import check

    return check(config)
