"""Settings of an instruction-tuning run, as a dataclass; `train/configs/experiment/instruct_paper.yaml` fills them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from embodio.agent.format.policy_config import ALL_CAMERAS, PolicyConfig
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.catalogue.kinds import KINDS
from embodio.datasets.tasks.parts.input_config import InputConfig
from embodio.train.command_line.schema import UsageError
from embodio.train.experiments.pretrain.stage import NetworkStageConfig

MISSING = ("error", "skip")


@dataclass(frozen=True)
class InstructConfig(NetworkStageConfig):
    """Instruction tuning.

    Attributes:
        data: folder below which all data are, where the rows of the catalogue expect them; see embodio-data tasks.
        tasks: names of tasks, or of their categories; empty for all that train.
        catalogue: nano for the tasks over the corpus of this machine, or a folder of YAML files of your own; empty for
            those of the paper; see docs/tasks.md.
        missing: what happens where tasks cannot be read: skip goes on without them, and says so; error names them.
        kinds: kind of tasks -> its share: prompted, pretraining, augmentation, free_form. Categories keep theirs.
        policy: the format of the robots of tasks in episodes; the checkpoint is then an agent for them.
        augment: changes of the examples of these tasks; those of sounds are also for other tasks that give a sound and
            no pictures.
        inputs: inputs of these tasks besides the current picture; next_action follows the policy.
    """

    free_on_resume: ClassVar[tuple[str, ...]] = (*NetworkStageConfig.free_on_resume, "catalogue", "missing")
    """What paths refer to is compared instead, by content."""

    tasks: tuple[str, ...] = ()
    catalogue: str = ""
    missing: str = "skip"
    kinds: dict[str, float] = field(
        default_factory=lambda: {"prompted": 60.0, "pretraining": 30.0, "augmentation": 6.0, "free_form": 4.0}
    )

    policy: PolicyConfig = field(default_factory=lambda: PolicyConfig(cameras=ALL_CAMERAS))
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    inputs: InputConfig = field(default_factory=InputConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data:
            raise UsageError("data: give the folder of all data; embodio-data tasks data=DIR shows what it holds")
        if self.missing not in MISSING:
            raise UsageError(f"missing: got {self.missing!r}, expected error or skip")
        if unknown := set(self.kinds) - set(KINDS):
            raise UsageError(f"kinds.{min(unknown)}: unknown; there are {', '.join(KINDS)}")
        if not all(share >= 0 for share in self.kinds.values()) or not sum(self.kinds.values()) > 0:
            raise UsageError(f"kinds: got {self.kinds}, expected shares of at least 0, one of them above")
        if self.policy.view not in (1.0, self.augment.view):
            raise UsageError(f"policy.view: it follows from augment.crop, as {self.augment.view:g}; leave it out")
