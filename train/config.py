"""Settings of a policy training run, as dataclasses; `train/configs/experiment/*.yaml` fills them."""

from __future__ import annotations

from dataclasses import dataclass, field

from embodio.agent.format.policy_config import PolicyConfig
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks import named_task, task_settings, task_summaries
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, DECAY, NOT_NEGATIVE, POSITIVE, SHARE, require_ranges
from embodio.train.command_line.schema import ConfigError, NamedElements
from embodio.train.task_config import MixtureSettings, SharedTaskSettings, SourceConfig

_TASKS = NamedElements(task_summaries, task_settings, short="weight", errors=(DatasetError,))
ALL_CAMERAS = ("all",)
"""What `policy.cameras` says for all cameras of the data."""


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW with linear warm-up and cosine decay.

    Attributes:
        learning_rate: peak.
        final: share of the peak that is left at the last step.
        warmup: steps until the peak.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        weight_decay: on matrices only; norms, embeddings and position tables are not decayed.
        clip: largest global norm of the gradient (paper, section 3.2).
        ema: decay of the running average of the weights, which is what the agent plays with; 0 for none.
    """

    learning_rate: float = 1e-3
    final: float = 0.01
    warmup: int = 200
    beta1: float = 0.9
    beta2: float = 0.98
    weight_decay: float = 0.05
    clip: float = 1.0
    ema: float = 0.999

    def __post_init__(self) -> None:
        decays = {"beta1": DECAY, "beta2": DECAY, "ema": DECAY, "weight_decay": NOT_NEGATIVE}
        require_ranges(self, "optimiser.", learning_rate=POSITIVE, final=SHARE, warmup=COUNT, clip=POSITIVE, **decays)


@dataclass(frozen=True)
class TrainConfig:
    """Training of a policy on trajectories: of one data set (`data`) or a mixture (`sources`), on one task or several.

    Attributes:
        data: folder, file, URL, YAML description or catalogue name of a data set, such as embodio-collect writes.
        sources: several data sets instead, name -> settings.
        tasks: what is learned, task -> its rate and settings: tasks.next_action=0.8 tasks.next_frame=0.2 is short for
            tasks.next_action.weight=0.8 tasks.next_frame.weight=0.2. Empty is next_action alone. With a task and --help
            its settings are shown.
        task: settings that all tasks share.
        mixture: how data sets and tasks share the stream.
        robot: the source whose robot an agent of the checkpoint acts for where none is asked for. The checkpoint holds
            the robots of all sources; if they are several and this is empty, `Agent.load` asks which.
        image_tokenizer: folder or hub name of a network whose frozen image tokeniser makes the targets of tasks that
            draw; with these only.
        prompt_tokens: room for the prompt; 0 takes that of the size. A longer text is an error, never cut.
        answer_tokens: room for a written answer, the same way.
        out: folder for log, plot and checkpoint; a run that was interrupted there goes on.
        init: what a new run begins with instead of random weights: a checkpoint (runs/a/checkpoint, lift-nano),
            the folder of a network, released weights, or a name on the hub; a table says what was loaded. A run that
            goes on does not need it.
        seed: of initial weights, order, augmentation.
        size: named size of the network: nano, large, xl or xxl.
        steps: optimiser steps. A run goes on to more steps than it was begun with; its learning rate is from then on
            that of a run of the new length, so after the end of the former it rises again, without a new warm-up.
        batch_size: examples in a step.
        action_key: what is imitated; "action" for what was executed, "expert_action" for the expert's clean label.
        holdout: episodes, the last of the data set, that are kept for validation.
        value_smoothness: neighbouring value tokens start with similar embeddings; width in tokens, 0 for none.
        policy: how the policy reads and writes; policy.cameras=[all] are those of the data.
        augment: changes of the images, the state, the instruction and the sound.
        optimiser: how the weights are updated.
        z_loss: weight of the squared log-partition in the loss (paper recipe: 1e-4).
        device: cpu, cuda, cuda:1, ...
        precision: float32, or bfloat16 for autocast.
        threads: of the matrix products; 0 takes OMP_NUM_THREADS, or 2.
        workers: processes that make batches ahead of time.
        loader_memory_mb: shared memory for batches that workers have ready, all of them together.
        damaged_limit: damaged episodes that are skipped; one more stops the run.
        compile: compile the network (needs a C++ compiler on a CPU); results are then not bit-identical to eager ones.
        log_every: steps between lines of the log.
        validate_every: steps between validations.
        checkpoint_every: steps between checkpoints.
        stop_after: leave after this many steps in this session, with a checkpoint; 0 to go on to the end.
    """

    out: str
    data: str = ""
    sources: dict[str, SourceConfig] = field(default_factory=dict)
    tasks: dict[str, TaskConfig] = field(default_factory=dict, metadata=_TASKS.metadata)
    task: SharedTaskSettings = field(default_factory=SharedTaskSettings)
    mixture: MixtureSettings = field(default_factory=MixtureSettings)
    robot: str = ""
    image_tokenizer: str = ""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    init: str = ""
    seed: int = 0
    size: str = "nano"
    steps: int = 6000
    batch_size: int = 64
    action_key: str = "action"
    holdout: int = 16
    value_smoothness: float = 6.0
    policy: PolicyConfig = field(default_factory=lambda: PolicyConfig(cameras=ALL_CAMERAS))
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    z_loss: float = 1e-4
    device: str = "cpu"
    precision: str = "float32"
    threads: int = 0
    workers: int = 1
    loader_memory_mb: int = 1024
    damaged_limit: int = 100
    compile: bool = False
    log_every: int = 20
    validate_every: int = 500
    checkpoint_every: int = 250
    stop_after: int = 0

    def __post_init__(self) -> None:
        if bool(self.data) == bool(self.sources):
            raise ConfigError("data: give data=... for one data set, or sources.<name>.data=... for each of several")
        if self.robot and self.robot not in self.sources:
            raise ConfigError(f"robot: got {self.robot!r}, expected one of the sources: {', '.join(self.sources)}")
        drawing = [name for name in self.tasks if named_task(name).draws()]
        if bool(self.image_tokenizer) != bool(drawing):
            given = f"got {self.image_tokenizer!r}" if self.image_tokenizer else "none is given"
            need = f"{', '.join(drawing)} needs one to draw" if drawing else "no task draws, so none has a use for it"
            raise ConfigError(f"image_tokenizer: {need}; {given}")
        every = {"log_every": AT_LEAST_ONE, "validate_every": AT_LEAST_ONE, "checkpoint_every": AT_LEAST_ONE}
        require_ranges(self, "", steps=AT_LEAST_ONE, batch_size=AT_LEAST_ONE, loader_memory_mb=AT_LEAST_ONE, **every)
        require_ranges(self, seed=COUNT, prompt_tokens=COUNT, answer_tokens=COUNT, holdout=COUNT)
        require_ranges(self, threads=COUNT, workers=COUNT, damaged_limit=COUNT)
        require_ranges(self, stop_after=COUNT, value_smoothness=NOT_NEGATIVE, z_loss=NOT_NEGATIVE)
        if self.precision not in ("float32", "bfloat16"):
            raise ConfigError(f"precision: got {self.precision!r}, expected float32 or bfloat16")
        if self.policy.view not in (1.0, self.augment.view):
            raise ConfigError(f"policy.view: it follows from augment.crop, as {self.augment.view:g}; leave it out")


# Settings that may change when a run goes on, because they do not change what it computes, or because what they stand
# for is compared instead (see train/identity.py).
FREE_ON_RESUME = (
    "data",
    "init",
    "policy.cameras",
    "out",
    "threads",
    "workers",
    "loader_memory_mb",
    "damaged_limit",
    "log_every",
    "validate_every",
    "checkpoint_every",
    "stop_after",
)

MOVABLE = ("data", "folder", "cameras")
"""The same for each of the sources."""
