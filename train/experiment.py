"""Experiments: kinds of training, each with a schema of its settings and the parts that a trainer needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:  # a help page needs no torch
    from rich.console import RenderableType
    from torch import nn

    from embodio.datasets.stream.loader import BatchMaker
    from embodio.train.bundles import Bundle
    from embodio.train.identity import Identity
    from embodio.train.objective import Objective
    from embodio.train.observers.observer import Observer
    from embodio.train.observers.samples import Sample
    from embodio.train.validation import Validator

Config = TypeVar("Config")
Network = TypeVar("Network", bound="nn.Module")


@dataclass
class Parts(Generic[Network]):
    """The parts of a trainer at step 0.

    Attributes:
        network: the network with its first weights, on any device.
        batches: makes the training batches by number.
        objective: gives the loss and the figures of a batch.
        bundle: writes the part of a checkpoint that is read outside training.
        validators: name -> held-out batches.
        identity: identity of the inputs, compared when the run resumes; see `embodio.train.identity`.
        notes: about data and weights, shown before training.
        older_identity: inputs as described by a checkpoint without identity.
        observers: told of what happens in the run, next to its log.
        samples: makes what the report shows at validation, such as `embodio.train.observers.samples.Samples`.
    """

    network: Network
    batches: BatchMaker
    objective: Objective[Network]
    bundle: Bundle[Network]
    validators: Mapping[str, Validator]
    identity: Identity
    notes: Sequence[RenderableType] = ()
    older_identity: Callable[[Path], Identity] = field(default=lambda folder: {})
    observers: Sequence[Observer] = ()
    samples: Callable[[Network], Sequence[Sample]] | None = None


@dataclass(frozen=True)
class Experiment(Generic[Config]):
    """Something that can be trained: one module of `embodio.train.experiments` with an instance `EXPERIMENT`.

    Attributes:
        schema: its settings, a dataclass; on top of `RunConfig` for everything that a trainer trains.
        build: makes the parts from settings; random weights are drawn from torch's generator, which is seeded before.
        description: one or two sentences for the help page.
        examples: complete commands for the help page.
        errors: errors of `build` and training about things that a user can fix.
        perform: does all the work of an experiment without steps, in place of `build` and the trainer, and returns the
            exit code; None for everything that a trainer trains.
    """

    schema: type[Config]
    build: Callable[[Config], Parts[Any]]
    description: str
    examples: tuple[str, ...] = ()
    errors: tuple[type[Exception], ...] = ()
    perform: Callable[[Config], int] | None = None
