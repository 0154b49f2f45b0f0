"""The parts of an instruction-tuning run: the tasks that can be read, as the data of a network's stage."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from embodio.datasets.catalogue.mixing import InstructionData, open_tasks
from embodio.datasets.catalogue.robot_rows import RobotReading
from embodio.datasets.catalogue.rows import catalogue_folder, read_catalogue
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.model.network.network import UnifiedIO2
from embodio.train.experiment import Parts
from embodio.train.experiments.instruct.config import InstructConfig
from embodio.train.experiments.policy.data import distinct_robots
from embodio.train.experiments.pretrain.data import StageData
from embodio.train.experiments.pretrain.parts import network_parts

_LISTED = 10  # tasks that are left out, by name


def instruct_parts(config: InstructConfig) -> Parts[UnifiedIO2]:
    """The parts of a run; errors as in `network_parts` and `open_tasks`."""
    return network_parts(config, partial(gather_tasks, config))


def gather_tasks(config: InstructConfig, trained: ObjectiveContext, measured: ObjectiveContext) -> StageData:
    """Opens the tasks of a run; errors as in `open_tasks`.

    Args:
        config: settings of the run.
        trained: of the network in training.
        measured: of the network in validation.
    """
    found = open_tasks(
        read_catalogue(catalogue_folder(config.catalogue)),
        config.data,
        trained,
        measured,
        names=config.tasks,
        missing=config.missing,  # type: ignore[arg-type]
        kinds=config.kinds,
        robots=RobotReading(config.policy, config.augment, config.inputs),
        augment=config.augment,
    )
    identity = {name: {"records": len(task), "sha256": task.digest} for name, task in found.tasks.items()}
    robots = distinct_robots(found.robots) if found.robots else None
    return StageData(found.training, found.held_out, found.rates.rows, identity, tuple(_notes(found)), robots)


def _notes(found: InstructionData) -> list[str]:
    """What is trained on and at which rates, and what is left out."""
    notes = [f"{found.rates.rows[name]:7.2%} {name}: {len(task)} items" for name, task in found.tasks.items()]
    notes.append(f"by kind: {_shares(found.rates.kinds)}")
    notes.append(f"by category: {_shares(found.rates.categories)}")
    notes += [
        f"{name} is not measured: it has too few items for validation"
        for name in found.tasks
        if name not in found.held_out
    ]
    if found.missing:
        shown = [f"{name} ({reason})" for name, reason in list(found.missing.items())[:_LISTED]]
        more = len(found.missing) - len(shown)
        notes.append(
            f"left out: {len(found.missing)} tasks, {found.lost:.2%} of the stream, which went to the others: "
            f"{', '.join(shown)}" + (f" and {more} more, see embodio-data tasks" if more else "")
        )
    return notes


def _shares(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.2%}" for name, share in shares.items())
